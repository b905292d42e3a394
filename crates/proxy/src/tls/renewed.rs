//! A configuration that is made of certificates and trust, and made anew when those change.
//!
//! What cannot be used changes nothing but `status`: the last good configuration stays in force, and
//! the next change is tried again.

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
    /// What the sources were when they were last looked at.
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
        let is_first = state.seen.is_none();
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
                let reason = reason(&error);
                tracing::error!(node, resource, reason, "TLS keeps its last certificates");
                state.error = Some(reason);
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
