//! A root certificate with its key, and when it signs.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Clocks of other machines may be behind by as much.
pub(crate) const SKEW: Duration = Duration::from_secs(5 * 60);

/// All that an authority remembers: its roots, the oldest first. Secret.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub(crate) roots: Vec<Root>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Root {
    /// PEM.
    pub(crate) certificate: String,
    key: String,
    /// Until then it is only believed, so that everybody knows it when it begins.
    pub(crate) signs_from: SystemTime,
    pub(crate) not_after: SystemTime,
}

impl Root {
    pub(crate) fn new(
        mesh: &str,
        now: SystemTime,
        signs_from: SystemTime,
        lifetime: Duration,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Root { source };
        let not_after = now + lifetime;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = format!("{mesh}, since {}", since_1970(now).as_secs());
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now - SKEW);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(not_after);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            signs_from,
            not_after,
        })
    }

    pub(crate) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, rcgen::Error> {
        let key = KeyPair::from_pem(&self.key)?;
        Issuer::from_ca_cert_pem(&self.certificate, key)
    }
}

/// rcgen has times of its own, and can add to them.
pub(crate) fn since_1970(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root")
            .field("signs_from", &self.signs_from)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("roots", &self.roots).finish()
    }
}
