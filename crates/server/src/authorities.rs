//! The meshes' own certificate authorities, each opened when something is first asked of it.
//!
//! There is one for each mesh in the whole server, whoever asks: the server's own proxy and those
//! elsewhere believe the same roots. A new root is kept on disk before anything is signed with it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use identity::{Authority, Lifetimes, Store, StoreError, Subject};

use crate::layout::Layout;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Authority(#[from] identity::Error),
}

pub(crate) struct Authorities {
    layout: Layout,
    lifetimes: Lifetimes,
    /// By mesh.
    open: Mutex<BTreeMap<String, Authority>>,
}

impl Authorities {
    pub(crate) fn new(layout: Layout, lifetimes: Lifetimes) -> Self {
        Self {
            layout,
            lifetimes,
            open: Mutex::default(),
        }
    }

    /// Asks the mesh's authority, as it is to be now.
    pub(crate) fn ask<T>(
        &self,
        mesh: &str,
        now: SystemTime,
        ask: impl FnOnce(&Authority) -> T,
    ) -> Result<T, IdentityError> {
        let store = Store::new(self.layout.identity(mesh));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (authority, changed) = match open.remove(mesh) {
            Some(mut authority) => {
                let changed = authority.tend(now)?;
                (authority, changed)
            }
            None => {
                let kept = store.load()?;
                (Authority::new(mesh, self.lifetimes, kept, now)?, true)
            }
        };
        if changed {
            store.save(authority.state())?;
        }
        let answer = ask(&authority);
        open.insert(mesh.to_owned(), authority);
        Ok(answer)
    }
}

/// Whom a secret of this node stands for. One that is a SPIFFE ID means exactly that one, as specs from
/// SPIRE have it. `dns`: what the node is discovered by.
pub(crate) fn subject(mesh: &str, node: &str, secret: &str, dns: &[String]) -> Subject {
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
    Subject::of(mesh, &name, dns.to_vec())
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").finish_non_exhaustive()
    }
}
