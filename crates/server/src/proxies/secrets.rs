//! What one proxy's stream is given of its mesh's certificate authority: identities of its own node, for
//! keys that it has made, and whom to believe.
//!
//! Signed is only what the view of the stream's node names, whatever a request says of itself: the
//! authority takes nothing but its key.

use std::collections::VecDeque;
use std::sync::Arc;

use link::{Downward, Signed, SigningRequest};
use model::ResourceId;
use view::NodeView;

use crate::actuator::chain;
use crate::ambient;
use crate::authorities::{Authorities, IdentityError, subject};

pub(super) struct Secrets {
    authorities: Arc<Authorities>,
    node: ResourceId,
    /// What the node is discovered by.
    names: Vec<String>,
    /// By the newest view.
    wanted: view::Secrets,
    /// The bundle that was said last.
    believed: String,
    answers: VecDeque<Downward>,
}

impl Secrets {
    pub(super) fn new(authorities: Arc<Authorities>, node: ResourceId) -> Self {
        Self {
            authorities,
            node,
            names: Vec::new(),
            wanted: view::Secrets::default(),
            believed: String::new(),
            answers: VecDeque::new(),
        }
    }

    /// Before the view is told.
    pub(super) fn are_of(&mut self, view: &NodeView, names: Vec<String>) {
        let wanted = view::Secrets::of(view);
        if wanted.trust != self.wanted.trust {
            self.believed.clear();
        }
        self.wanted = wanted;
        self.names = names;
        self.look_at_trust();
    }

    /// Tells whom to believe, where that has changed.
    pub(super) fn look_at_trust(&mut self) {
        if self.wanted.is_empty() {
            return;
        }
        let now = ambient::system_now();
        let bundle = self
            .authorities
            .ask(&self.node.mesh, now, |authority| authority.bundle(now));
        match bundle {
            Ok(bundle) if bundle != self.believed => {
                self.believed.clone_from(&bundle);
                self.answers.push_back(Downward::Trust { bundle });
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = chain(&error), node = %self.node, "a proxy is told no roots");
            }
        }
    }

    pub(super) fn sign(&mut self, request: SigningRequest) {
        let SigningRequest { secret, request } = request;
        let answer = match self.signed(&secret, &request) {
            Ok(signed) => {
                tracing::info!(node = %self.node, secret, "a proxy has a new identity");
                Downward::Signed(signed)
            }
            Err(refused) => {
                let reason = chain(&refused);
                tracing::warn!(node = %self.node, secret, reason, "a proxy is signed no identity");
                Downward::NotSigned { secret, reason }
            }
        };
        self.answers.push_back(answer);
    }

    fn signed(&self, secret: &str, request: &str) -> Result<Signed, Refused> {
        if !self.wanted.identities.contains(secret) {
            return Err(Refused::NotItsOwn {
                node: self.node.path(),
                secret: secret.to_owned(),
            });
        }
        let subject = subject(&self.node.mesh, &self.node.path(), secret, &self.names);
        let now = ambient::system_now();
        let sign = |authority: &identity::Authority| authority.sign(request, &subject, now);
        let signed = self.authorities.ask(&self.node.mesh, now, sign)?;
        let signed = signed.map_err(IdentityError::from)?;
        Ok(Signed {
            secret: secret.to_owned(),
            lifetime: signed.not_after.duration_since(now).unwrap_or_default(),
            chain: signed.chain,
        })
    }

    /// What to say next, if anything.
    pub(super) fn next(&mut self) -> Option<Downward> {
        self.answers.pop_front()
    }
}

/// Why a request is not signed.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{secret} is no identity of {node}: its spec does not name it")]
    NotItsOwn { node: String, secret: String },
    #[error(transparent)]
    Authority(#[from] IdentityError),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use identity::{Lifetimes, Request};
    use view::{Certificate, Entry, Listener, ListenerTls, Protocol, TlsMode, Trust};

    use super::*;
    use crate::layout::Layout;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A node whose one listener shows the secret `own` and believes the secret `roots`.
    fn view() -> NodeView {
        let listener = Listener {
            name: "l".into(),
            bind: "127.0.0.1:0".parse().unwrap(),
            protocol: Protocol::Http,
            entry: Entry::Ingress { cluster: 0 },
            timeouts: view::Timeouts::default(),
            limits: view::PoolLimits::default(),
            expects_proxy_header: false,
            tls: Some(ListenerTls {
                mode: TlsMode::Strict,
                certificate: Certificate::Sds {
                    secret: "own".into(),
                },
                client_trust: Some(Trust::Sds {
                    secret: "roots".into(),
                }),
                client_subject_names: Vec::new(),
            }),
            access_log: None,
        };
        NodeView {
            node: "mesh/m/virtualNode/n".into(),
            revision: 1,
            listeners: vec![listener],
            services: Vec::new(),
            clusters: Vec::new(),
        }
    }

    fn request(secret: &str) -> SigningRequest {
        SigningRequest {
            secret: secret.to_owned(),
            request: Request::new().unwrap().request,
        }
    }

    #[test]
    fn a_proxy_is_signed_what_its_nodes_view_names_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let lifetimes = Lifetimes::new(100 * HOUR, HOUR).unwrap();
        let authorities = Authorities::new(Layout::new(directory.path()), lifetimes);
        let node = "mesh/m/virtualNode/n".parse().unwrap();
        let mut secrets = Secrets::new(Arc::new(authorities), node);
        secrets.sign(request("own"));
        let Some(Downward::NotSigned { .. }) = secrets.next() else {
            panic!("signed before there was a view");
        };

        secrets.are_of(&view(), vec!["n.local".to_owned()]);
        let Some(Downward::Trust { bundle }) = secrets.next() else {
            panic!("the roots come first");
        };
        assert!(bundle.contains("BEGIN CERTIFICATE"));
        for other in ["spiffe://m/other", "other", "roots"] {
            secrets.sign(request(other));
            let Some(Downward::NotSigned { secret, reason }) = secrets.next() else {
                panic!("{other} was signed");
            };
            assert_eq!(secret, other);
            assert!(
                reason.contains("is no identity of mesh/m/virtualNode/n"),
                "{reason}"
            );
        }
        secrets.sign(request("own"));
        let Some(Downward::Signed(signed)) = secrets.next() else {
            panic!("the node's own was not signed");
        };
        assert_eq!(signed.secret, "own");
        assert!(signed.lifetime <= HOUR && signed.lifetime > HOUR / 2);
        let mut garbled = request("own");
        garbled.request = garbled.request.replacen('M', "N", 3);
        secrets.sign(garbled);
        assert!(matches!(secrets.next(), Some(Downward::NotSigned { .. })));
        secrets.look_at_trust();
        assert!(secrets.next().is_none(), "nothing is said twice");
    }
}
