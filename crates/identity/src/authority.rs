//! The authority of one mesh: identities from the root that signs now, and a next root in good time.
//!
//! A root is believed one identity's lifetime before it signs, and signs nothing that would outlast it.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::root::{Root, SKEW, State, since_1970};
use crate::{Error, Subject};

/// A century: more than any date in a certificate should be away.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub root: Duration,
    pub identity: Duration,
}

/// PEM: a certificate and its key.
#[derive(Clone)]
pub struct Issued {
    pub chain: String,
    pub key: String,
    pub not_after: SystemTime,
}

/// PEM: a certificate for a key that stayed where it was made.
#[derive(Clone, Debug)]
pub struct Signed {
    pub chain: String,
    pub not_after: SystemTime,
}

#[derive(Debug)]
pub struct Authority {
    mesh: String,
    lifetimes: Lifetimes,
    state: State,
}

impl Lifetimes {
    /// A root lives to be announced, to sign, and to outlast what it signed last.
    pub fn new(root: Duration, identity: Duration) -> Result<Self, Error> {
        if identity.is_zero() || root < identity.saturating_mul(4) || root > LONGEST {
            return Err(Error::Lifetimes { root, identity });
        }
        Ok(Self { root, identity })
    }
}

impl Authority {
    /// Goes on from `state`, which is empty for a mesh that has no root yet.
    pub fn new(
        mesh: &str,
        lifetimes: Lifetimes,
        state: State,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let mut authority = Self {
            mesh: mesh.to_owned(),
            lifetimes,
            state,
        };
        authority.tend(now)?;
        Ok(authority)
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Makes the next root when its time has come, and forgets those that have expired. True if that
    /// changed what is to be believed.
    pub fn tend(&mut self, now: SystemTime) -> Result<bool, Error> {
        let Lifetimes { root, identity } = self.lifetimes;
        let before = self.state.roots.len();
        self.state.roots.retain(|root| root.not_after > now);
        let mut changed = self.state.roots.len() != before;
        // The next is announced for one lifetime while this one can still sign for a whole one.
        let needed = now + identity.saturating_mul(2);
        match self.state.roots.last() {
            Some(last) if last.not_after > needed => {}
            last => {
                // Where that is too late, this one signs to its end, for less than a lifetime.
                let signs_from = last.map_or(now, |last| last.not_after.min(now + identity));
                let next = Root::new(&self.mesh, now, signs_from, root)?;
                self.state.roots.push(next);
                changed = true;
            }
        }
        Ok(changed)
    }

    /// What to believe now, in PEM: roots that have signed, that sign, and that will.
    pub fn bundle(&self, now: SystemTime) -> String {
        let valid = self.state.roots.iter().filter(|root| root.not_after > now);
        valid.map(|root| root.certificate.as_str()).collect()
    }

    /// A certificate with a key of its own.
    pub fn issue(&self, subject: &Subject, now: SystemTime) -> Result<Issued, Error> {
        let failed = |source| Error::Issue {
            subject: subject.uri.clone(),
            source,
        };
        let (root, params, not_after) = self.prepare(subject, now)?;
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = root.issuer().map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok(Issued {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            not_after,
        })
    }

    /// A certificate for the key of a request in PEM. Of the request only the key is taken: who its
    /// holder is, is for the caller to know.
    pub fn sign(&self, request: &str, subject: &Subject, now: SystemTime) -> Result<Signed, Error> {
        let failed = |source| Error::Request {
            subject: subject.uri.clone(),
            source,
        };
        let request = CertificateSigningRequestParams::from_pem(request).map_err(failed)?;
        let (root, params, not_after) = self.prepare(subject, now)?;
        let issuer = root.issuer().map_err(failed)?;
        let certificate = params
            .signed_by(&request.public_key, &issuer)
            .map_err(failed)?;
        Ok(Signed {
            chain: certificate.pem(),
            not_after,
        })
    }

    fn prepare(
        &self,
        subject: &Subject,
        now: SystemTime,
    ) -> Result<(&Root, CertificateParams, SystemTime), Error> {
        let signs = |root: &&Root| root.signs_from <= now && root.not_after > now;
        let root = self.state.roots.iter().rev().find(signs);
        let root = root.ok_or_else(|| Error::NoRoot {
            subject: subject.uri.clone(),
        })?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = subject.names()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now - SKEW);
        let not_after = root.not_after.min(now + self.lifetimes.identity);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(not_after);
        Ok((root, params, not_after))
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
