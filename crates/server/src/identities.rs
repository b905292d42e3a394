//! Identities for the nodes whose views name secrets, from the mesh's own certificate authority.
//!
//! A secret for a certificate is an identity of its node; one for trust is the mesh's bundle. Both are
//! renewed long before they end. A mesh that names no secret has no authority.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use identity::{Authority, Lifetimes, Store, StoreError, Subject};
use proxy::{DataPlane, Secret};
use view::{Certificate, NodeView, Trust};

use crate::ambient;

/// Between two looks at what ends soon.
const PERIOD: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Authority(#[from] identity::Error),
}

pub(crate) struct Identities {
    mesh: String,
    lifetimes: Lifetimes,
    store: Store,
    plane: Arc<DataPlane>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Once the first secret was asked for.
    authority: Option<Authority>,
    /// By node: what its view names.
    given: BTreeMap<String, Given>,
}

#[derive(Default)]
struct Given {
    identities: BTreeMap<String, Identity>,
    /// Names of the mesh's bundle.
    trust: BTreeSet<String>,
    /// The bundle that was given last.
    bundle: String,
}

struct Identity {
    subject: Subject,
    renew_at: SystemTime,
}

impl Identities {
    pub(crate) fn new(
        mesh: &str,
        lifetimes: Lifetimes,
        path: PathBuf,
        plane: Arc<DataPlane>,
    ) -> Self {
        Self {
            mesh: mesh.to_owned(),
            lifetimes,
            store: Store::new(path),
            plane,
            state: Mutex::default(),
        }
    }

    /// Gives the data plane every secret that a view names. `dns`: what the node is discovered by.
    pub(crate) fn provide(&self, view: &NodeView, dns: &[String]) -> Result<(), IdentityError> {
        let wanted = Wanted::of(view);
        let mut state = self.state();
        if wanted.is_empty() {
            drop(state);
            self.forget(&view.node);
            return Ok(());
        }
        let now = ambient::system_now();
        self.tend(&mut state, now)?;
        let given = state.given.entry(view.node.clone()).or_default();
        given.trust = wanted.trust.into_iter().collect();
        // Those that are named anew must be given even if the bundle is not.
        given.bundle.clear();
        given
            .identities
            .retain(|name, _| wanted.identities.contains(name));
        for name in wanted.identities {
            let subject = self.subject(&view.node, &name, dns);
            let kept = given.identities.get(&name);
            if kept.is_none_or(|kept| kept.subject != subject) {
                let renew_at = now;
                let identity = Identity { subject, renew_at };
                given.identities.insert(name, identity);
            }
        }
        self.give(&mut state, now);
        Ok(())
    }

    /// Renews for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PERIOD).await;
            if let Err(error) = self.renew(ambient::system_now()) {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "identities are not renewed; trying again");
            }
        }
    }

    /// The node was removed from the data plane, and its secrets with it.
    pub(crate) fn forget(&self, node: &str) {
        self.state().given.remove(node);
    }

    fn renew(&self, now: SystemTime) -> Result<(), IdentityError> {
        let mut state = self.state();
        if state.given.is_empty() {
            return Ok(());
        }
        self.tend(&mut state, now)?;
        self.give(&mut state, now);
        Ok(())
    }

    /// The authority, as it is to be now. A new root is kept before anything is signed with it.
    fn tend(&self, state: &mut State, now: SystemTime) -> Result<(), IdentityError> {
        let (authority, changed) = match state.authority.take() {
            Some(mut authority) => {
                let changed = authority.tend(now)?;
                (authority, changed)
            }
            None => {
                let kept = self.store.load()?;
                (Authority::new(&self.mesh, self.lifetimes, kept, now)?, true)
            }
        };
        if changed {
            self.store.save(authority.state())?;
        }
        state.authority = Some(authority);
        Ok(())
    }

    fn give(&self, state: &mut State, now: SystemTime) {
        let State { authority, given } = state;
        let Some(authority) = authority else {
            return;
        };
        let bundle = authority.bundle(now);
        for (node, given) in given {
            if given.bundle != bundle {
                for name in &given.trust {
                    let bundle = bundle.clone();
                    self.plane.set_secret(node, name, Secret::Trust { bundle });
                }
                given.bundle.clone_from(&bundle);
            }
            for (name, identity) in &mut given.identities {
                if identity.renew_at > now {
                    continue;
                }
                // One that cannot be issued must not keep the others from being renewed.
                let issued = match authority.issue(&identity.subject, now) {
                    Ok(issued) => issued,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, node, name, "an identity could not be issued");
                        continue;
                    }
                };
                let left = issued.not_after.duration_since(now).unwrap_or_default();
                identity.renew_at = now + left / 2;
                let (chain, key) = (issued.chain, issued.key);
                self.plane
                    .set_secret(node, name, Secret::Identity { chain, key });
                tracing::info!(node, name, "a node has a new identity");
            }
        }
    }

    /// A secret that is a SPIFFE ID means exactly that one, as specs from SPIRE have it.
    fn subject(&self, node: &str, secret: &str, dns: &[String]) -> Subject {
        let is_id = |id: &str| {
            id.strip_prefix("spiffe://")
                .is_some_and(|id| id.contains('/'))
        };
        if is_id(secret) {
            return Subject {
                uri: secret.to_owned(),
                dns: dns.to_vec(),
            };
        }
        let name = match node.rsplit_once("/virtualNode/") {
            Some((_, name)) => name.to_owned(),
            None => node.splitn(3, '/').nth(2).unwrap_or(node).to_owned(),
        };
        Subject::of(&self.mesh, &name, dns.to_vec())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The secrets that a view names.
struct Wanted {
    identities: BTreeSet<String>,
    trust: BTreeSet<String>,
}

impl Wanted {
    fn of(view: &NodeView) -> Self {
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

    fn is_empty(&self) -> bool {
        self.identities.is_empty() && self.trust.is_empty()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities")
            .field("mesh", &self.mesh)
            .finish_non_exhaustive()
    }
}
