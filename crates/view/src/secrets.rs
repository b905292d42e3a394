//! The secrets that a view names: what its node must be given before its TLS works.

use std::collections::BTreeSet;

use crate::{Certificate, NodeView, Trust};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Each an identity of the node.
    pub identities: BTreeSet<String>,
    /// Each whom to believe.
    pub trust: BTreeSet<String>,
}

impl Secrets {
    pub fn of(view: &NodeView) -> Self {
        let listeners = view.listeners.iter().filter_map(|l| l.tls.as_ref());
        let clusters = view.clusters.iter().filter_map(|c| c.tls.as_ref());
        let certificates = listeners
            .clone()
            .map(|tls| &tls.certificate)
            .chain(clusters.clone().filter_map(|tls| tls.certificate.as_ref()));
        let trust = listeners
            .filter_map(|tls| tls.client_trust.as_ref())
            .chain(clusters.filter_map(|tls| tls.trust.as_ref()));
        let identity = |certificate: &Certificate| match certificate {
            Certificate::Sds { secret } => Some(secret.clone()),
            _ => None,
        };
        let bundle = |trust: &Trust| match trust {
            Trust::Sds { secret } => Some(secret.clone()),
            _ => None,
        };
        Self {
            identities: certificates.filter_map(identity).collect(),
            trust: trust.filter_map(bundle).collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.identities.is_empty() && self.trust.is_empty()
    }
}
