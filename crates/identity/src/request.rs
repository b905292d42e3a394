//! A key that stays where it is made, and the request to certify it.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use crate::Error;

/// Both in PEM.
#[derive(Clone)]
pub struct Request {
    pub request: String,
    pub key: String,
}

impl Request {
    /// Names nobody: for whom the certificate is, the authority knows.
    pub fn new() -> Result<Self, Error> {
        let failed = |source| Error::Key { source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key).map_err(failed)?;
        Ok(Self {
            request: request.pem().map_err(failed)?,
            key: key.serialize_pem(),
        })
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rcgen::PublicKeyData;

    use super::*;
    use crate::{Authority, Lifetimes, State, Subject};

    #[test]
    fn a_request_is_signed_for_the_subject_that_the_signer_names() {
        let hour = Duration::from_secs(3600);
        let now = SystemTime::UNIX_EPOCH + 400_000 * hour;
        let lifetimes = Lifetimes::new(100 * hour, hour).unwrap();
        let authority = Authority::new("m", lifetimes, State::default(), now).unwrap();
        let made = Request::new().unwrap();
        let subject = Subject::of("m", "n", vec!["n.local".to_owned()]);
        let signed = authority.sign(&made.request, &subject, now).unwrap();
        assert!(signed.chain.starts_with("-----BEGIN CERTIFICATE-----"));
        let key = KeyPair::from_pem(&made.key).unwrap();
        let asked = rcgen::CertificateSigningRequestParams::from_pem(&made.request).unwrap();
        assert_eq!(asked.public_key.der_bytes(), key.der_bytes());
        assert!(asked.params.subject_alt_names.is_empty());
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }
}
