//! Identities for the nodes whose views name secrets, from the mesh's own certificate authority.
//!
//! A secret for a certificate is an identity of its node; one for trust is the mesh's bundle. Both are
//! renewed long before they end. A mesh that names no secret has no authority.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use identity::{Authority, Subject};
use proxy::{DataPlane, Secret};
use view::{NodeView, Secrets};

use crate::ambient;
use crate::authorities::{Authorities, IdentityError, subject};

/// Between two looks at what ends soon.
const PERIOD: Duration = Duration::from_secs(30);

pub(crate) struct Identities {
    mesh: String,
    authorities: Arc<Authorities>,
    plane: Arc<DataPlane>,
    /// By node: what its view names.
    given: Mutex<BTreeMap<String, Given>>,
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
    pub(crate) fn new(mesh: &str, authorities: Arc<Authorities>, plane: Arc<DataPlane>) -> Self {
        Self {
            mesh: mesh.to_owned(),
            authorities,
            plane,
            given: Mutex::default(),
        }
    }

    /// Gives the data plane every secret that a view names. `dns`: what the node is discovered by.
    pub(crate) fn provide(&self, view: &NodeView, dns: &[String]) -> Result<(), IdentityError> {
        let wanted = Secrets::of(view);
        if wanted.is_empty() {
            self.forget(&view.node);
            return Ok(());
        }
        let now = ambient::system_now();
        let mut all = self.given();
        let given = all.entry(view.node.clone()).or_default();
        given.trust = wanted.trust;
        // Those that are named anew must be given even if the bundle is not.
        given.bundle.clear();
        given
            .identities
            .retain(|name, _| wanted.identities.contains(name));
        for name in wanted.identities {
            let subject = subject(&self.mesh, &view.node, &name, dns);
            let kept = given.identities.get(&name);
            if kept.is_none_or(|kept| kept.subject != subject) {
                let renew_at = now;
                let identity = Identity { subject, renew_at };
                given.identities.insert(name, identity);
            }
        }
        self.give(&mut all, now)
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
        self.given().remove(node);
    }

    fn renew(&self, now: SystemTime) -> Result<(), IdentityError> {
        let mut all = self.given();
        if all.is_empty() {
            return Ok(());
        }
        self.give(&mut all, now)
    }

    fn give(
        &self,
        all: &mut BTreeMap<String, Given>,
        now: SystemTime,
    ) -> Result<(), IdentityError> {
        let given = |authority: &Authority| self.give_from(authority, all, now);
        self.authorities.ask(&self.mesh, now, given)
    }

    fn give_from(&self, authority: &Authority, all: &mut BTreeMap<String, Given>, now: SystemTime) {
        let bundle = authority.bundle(now);
        for (node, given) in all {
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

    fn given(&self) -> MutexGuard<'_, BTreeMap<String, Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities")
            .field("mesh", &self.mesh)
            .finish_non_exhaustive()
    }
}
