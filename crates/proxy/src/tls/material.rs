//! Certificates, keys and trust, read from PEM.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::PROVIDER;
use super::error::TlsError;
use super::names::{self, SubjectName};

/// What people should know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    pub subject: String,
    pub names: Vec<SubjectName>,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
}

/// A certificate chain and its key.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) facts: CertificateFacts,
}

/// Whose signatures are believed.
#[derive(Clone, Debug)]
pub(super) struct Anchors {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) facts: Vec<CertificateFacts>,
}

impl Identity {
    pub(super) fn from_pem(origin: &str, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(origin, chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|source| match source {
            PemError::NoItemsFound => TlsError::NoKey {
                origin: origin.to_owned(),
            },
            source => TlsError::Pem {
                origin: origin.to_owned(),
                source,
            },
        })?;
        let facts = facts(origin, &chain[0])?;
        let key =
            CertifiedKey::from_der(chain, key, &PROVIDER).map_err(|source| TlsError::Unfit {
                origin: origin.to_owned(),
                source,
            })?;
        Ok(Self {
            key: Arc::new(key),
            facts,
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Anchors {
    pub(super) fn from_pem(origin: &str, bundle: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let mut known = Vec::new();
        for certificate in certificates(origin, bundle)? {
            known.push(facts(origin, &certificate)?);
            roots
                .add(certificate)
                .map_err(|source| TlsError::Certificate {
                    origin: origin.to_owned(),
                    reason: source.to_string(),
                })?;
        }
        Ok(Self {
            roots: Arc::new(roots),
            facts: known,
        })
    }
}

/// At least one.
fn certificates(origin: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem {
            origin: origin.to_owned(),
            source,
        })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate {
            origin: origin.to_owned(),
        });
    }
    Ok(certificates)
}

fn facts(origin: &str, certificate: &CertificateDer<'_>) -> Result<CertificateFacts, TlsError> {
    let invalid = |reason: String| TlsError::Certificate {
        origin: origin.to_owned(),
        reason,
    };
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|error| invalid(error.to_string()))?;
    let validity = certificate.validity();
    Ok(CertificateFacts {
        subject: certificate.subject().to_string(),
        names: names::names(&certificate)
            .ok_or_else(|| invalid("its subject alternative names cannot be read".to_owned()))?,
        not_before: at(validity.not_before.timestamp()),
        not_after: at(validity.not_after.timestamp()),
    })
}

fn at(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or(0))
}
