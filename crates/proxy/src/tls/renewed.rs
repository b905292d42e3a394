//! A configuration that is made of certificates and trust, and made anew when those change.
//!
//! What cannot be used changes nothing but `status`: the last good configuration stays in force, and
//! every look is another try until one succeeds. What went wrong need not have been the sources' content.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use view::{Certificate, Trust};

use super::error::TlsError;
use super::material::{Anchors, CertificateFacts, Identity};
use super::secrets::{Secret, Secrets};

/// Whose TLS it is, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) node: String,
    /// The listener or cluster, by its name in the view.
    pub(crate) resource: String,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) trust: Option<Trust>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Shown to the other side.
    Identity,
    /// Whose signatures on the other side's certificate are believed.
    Trust,
}

/// What one listener or cluster uses, and what is wrong with what it should use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateStatus {
    pub node: String,
    /// The listener or cluster, by its name in the view.
    pub resource: String,
    pub purpose: Purpose,
    /// The file, or the secret's name.
    pub source: String,
    /// In force; empty where there never was one that could be used.
    pub certificates: Vec<CertificateFacts>,
    /// Why the source's present content is not used.
    pub error: Option<String>,
}

impl CertificateStatus {
    /// When the first of the certificates in force ends, in seconds since 1970.
    pub fn first_end(&self) -> Option<u64> {
        let ends = self.certificates.iter().map(|facts| facts.not_after);
        let first = ends.min()?.duration_since(SystemTime::UNIX_EPOCH);
        Some(first.unwrap_or_default().as_secs())
    }
}

/// What a configuration is built of.
pub(super) struct Material {
    pub(super) identity: Option<Identity>,
    pub(super) anchors: Option<Anchors>,
}

#[derive(Debug)]
pub(crate) struct Renewed<C> {
    pub(crate) recipe: Recipe,
    current: ArcSwapOption<C>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the sources were when they were last read; `None` where that failed.
    seen: Option<Vec<Stamp>>,
    identity: Option<CertificateFacts>,
    anchors: Vec<CertificateFacts>,
    error: Option<String>,
}

/// Changes whenever its source does.
#[derive(Debug, PartialEq)]
enum Stamp {
    Missing,
    /// Also changes where the file is replaced, or a link to it.
    File(u64, u64, i64, i64),
    Secret(Arc<Secret>),
}

impl<C> Renewed<C> {
    pub(super) fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            current: ArcSwapOption::empty(),
            state: Mutex::default(),
        }
    }

    pub(super) fn current(&self) -> Option<Arc<C>> {
        self.current.load_full()
    }

    /// Builds a new configuration if the sources are not what they were.
    pub(super) fn renew(
        &self,
        secrets: &Secrets,
        build: impl FnOnce(Material) -> Result<C, TlsError>,
    ) {
        let stamps = self.recipe.stamps(secrets);
        let mut state = self.state();
        if state.seen.as_ref() == Some(&stamps) {
            return;
        }
        let is_first = state.seen.is_none() && state.error.is_none();
        state.seen = Some(stamps);
        let made = self.recipe.read(secrets).and_then(|material| {
            let facts = material.facts();
            Ok((build(material)?, facts))
        });
        let Recipe { node, resource, .. } = &self.recipe;
        match made {
            Ok((config, (identity, anchors))) => {
                if !is_first {
                    tracing::info!(node, resource, "TLS has new certificates or trust");
                }
                self.current.store(Some(Arc::new(config)));
                *state = State {
                    seen: state.seen.take(),
                    identity,
                    anchors,
                    error: None,
                };
            }
            Err(error) => {
                // The sources may become good without looking any other: a file that may be read from
                // now on, or one that was written anew within a tick of its clock.
                state.seen = None;
                let reason = Some(reason(&error));
                if state.error != reason {
                    tracing::error!(node, resource, reason, "TLS keeps its last certificates");
                    state.error = reason;
                }
            }
        }
    }

    pub(crate) fn status(&self) -> Vec<CertificateStatus> {
        let state = self.state();
        let Recipe {
            node,
            resource,
            certificate,
            trust,
        } = &self.recipe;
        let status = |purpose, source, certificates| CertificateStatus {
            node: node.clone(),
            resource: resource.clone(),
            purpose,
            source,
            certificates,
            error: state.error.clone(),
        };
        let identity = certificate.as_ref().map(|certificate| {
            let facts = state.identity.iter().cloned().collect();
            status(Purpose::Identity, certificate_source(certificate), facts)
        });
        let trust = trust
            .as_ref()
            .map(|trust| status(Purpose::Trust, trust_source(trust), state.anchors.clone()));
        identity.into_iter().chain(trust).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Material {
    fn facts(&self) -> (Option<CertificateFacts>, Vec<CertificateFacts>) {
        let identity = self
            .identity
            .as_ref()
            .map(|identity| identity.facts.clone());
        let anchors = self.anchors.as_ref().map(|anchors| anchors.facts.clone());
        (identity, anchors.unwrap_or_default())
    }
}

impl Recipe {
    fn stamps(&self, secrets: &Secrets) -> Vec<Stamp> {
        let secret = |name: &str| match secrets.get(&self.node, name) {
            Some(secret) => Stamp::Secret(secret),
            None => Stamp::Missing,
        };
        let mut stamps = match &self.certificate {
            Some(Certificate::File { chain, key }) => vec![file(chain), file(key)],
            Some(Certificate::Sds { secret: name }) => vec![secret(name)],
            Some(Certificate::Acm { .. }) | None => Vec::new(),
        };
        stamps.extend(match &self.trust {
            Some(Trust::File { chain }) => Some(file(chain)),
            Some(Trust::Sds { secret: name }) => Some(secret(name)),
            Some(Trust::Acm { .. }) | None => None,
        });
        stamps
    }

    fn read(&self, secrets: &Secrets) -> Result<Material, TlsError> {
        let identity = match &self.certificate {
            Some(certificate) => Some(self.identity(certificate, secrets)?),
            None => None,
        };
        let anchors = match &self.trust {
            Some(trust) => Some(self.anchors(trust, secrets)?),
            None => None,
        };
        Ok(Material { identity, anchors })
    }

    fn identity(&self, source: &Certificate, secrets: &Secrets) -> Result<Identity, TlsError> {
        let origin = certificate_source(source);
        match source {
            Certificate::Acm { arn } => Err(TlsError::Acm { arn: arn.clone() }),
            Certificate::File { chain, key } => {
                Identity::from_pem(&origin, &contents(chain)?, &contents(key)?)
            }
            Certificate::Sds { secret } => match &*self.secret(secret, secrets)? {
                Secret::Identity { chain, key } => {
                    Identity::from_pem(&origin, chain.as_bytes(), key.as_bytes())
                }
                found => Err(self.wrong_secret(secret, found, "a certificate")),
            },
        }
    }

    fn anchors(&self, source: &Trust, secrets: &Secrets) -> Result<Anchors, TlsError> {
        let origin = trust_source(source);
        match source {
            Trust::Acm { .. } => Err(TlsError::Acm { arn: origin }),
            Trust::File { chain } => Anchors::from_pem(&origin, &contents(chain)?),
            Trust::Sds { secret } => match &*self.secret(secret, secrets)? {
                Secret::Trust { bundle } => Anchors::from_pem(&origin, bundle.as_bytes()),
                found => Err(self.wrong_secret(secret, found, "trust")),
            },
        }
    }

    fn secret(&self, name: &str, secrets: &Secrets) -> Result<Arc<Secret>, TlsError> {
        secrets
            .get(&self.node, name)
            .ok_or_else(|| TlsError::NoSecret {
                node: self.node.clone(),
                name: name.to_owned(),
            })
    }

    fn wrong_secret(&self, name: &str, found: &Secret, wanted: &'static str) -> TlsError {
        TlsError::WrongSecret {
            node: self.node.clone(),
            name: name.to_owned(),
            found: found.kind(),
            wanted,
        }
    }
}

fn certificate_source(certificate: &Certificate) -> String {
    match certificate {
        Certificate::Acm { arn } => arn.clone(),
        Certificate::File { chain, .. } => format!("file {chain}"),
        Certificate::Sds { secret } => format!("secret {secret}"),
    }
}

fn trust_source(trust: &Trust) -> String {
    match trust {
        Trust::Acm { authorities } => authorities.join(", "),
        Trust::File { chain } => format!("file {chain}"),
        Trust::Sds { secret } => format!("secret {secret}"),
    }
}

fn contents(path: &str) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn file(path: &str) -> Stamp {
    let of = |file: Metadata| Stamp::File(file.ino(), file.size(), file.mtime(), file.mtime_nsec());
    std::fs::metadata(path).map_or(Stamp::Missing, of)
}

/// An error with all that caused it.
fn reason(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renewed(trust: &str) -> Renewed<usize> {
        Renewed::new(Recipe {
            node: "mesh/m/virtualNode/v".into(),
            resource: "lds_ingress".into(),
            certificate: None,
            trust: Some(Trust::File {
                chain: trust.into(),
            }),
        })
    }

    fn anchors(material: Material) -> Result<usize, TlsError> {
        Ok(material.anchors.map_or(0, |anchors| anchors.facts.len()))
    }

    #[test]
    fn a_file_that_became_good_is_taken_though_it_looks_as_it_did() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let signed = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
        let good = signed.cert.pem();
        std::fs::write(&path, "x".repeat(good.len())).unwrap();
        let before = std::fs::metadata(&path).unwrap();

        let (renewed, secrets) = (renewed(path.to_str().unwrap()), Secrets::default());
        renewed.renew(&secrets, anchors);
        assert_eq!(renewed.current(), None);
        assert!(renewed.status()[0].error.is_some());

        std::fs::write(&path, &good).unwrap();
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (before.ino(), before.size(), before.modified().unwrap()),
            (after.ino(), after.size(), after.modified().unwrap())
        );
        renewed.renew(&secrets, anchors);
        assert_eq!(renewed.current().as_deref(), Some(&1));
        assert_eq!(renewed.status()[0].error, None);
        renewed.renew(&secrets, |_| panic!("what is good is not read again"));
    }

    #[test]
    fn what_could_not_be_built_is_tried_again_and_the_last_good_one_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let write = || {
            let signed = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
            std::fs::remove_file(&path).ok();
            std::fs::write(&path, signed.cert.pem()).unwrap();
        };
        let (renewed, secrets) = (renewed(path.to_str().unwrap()), Secrets::default());
        write();
        renewed.renew(&secrets, anchors);
        write();
        let fails = |_| {
            Err(TlsError::Config {
                source: rustls::Error::HandshakeNotComplete,
            })
        };
        for _ in 0..2 {
            renewed.renew(&secrets, fails);
            assert_eq!(renewed.current().as_deref(), Some(&1));
            assert!(renewed.status()[0].error.is_some());
        }
        renewed.renew(&secrets, |_| Ok(7));
        assert_eq!(renewed.current().as_deref(), Some(&7));
    }
}
