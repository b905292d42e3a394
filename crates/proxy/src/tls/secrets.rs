//! What App Mesh's Envoys got from a secret discovery service: identities and trust by name, for each
//! node; here set by whoever runs the data plane.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// PEM text.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    Identity { chain: String, key: String },
    Trust { bundle: String },
}

type OfNode = HashMap<String, Arc<Secret>>;

#[derive(Debug, Default)]
pub(crate) struct Secrets {
    nodes: Mutex<HashMap<String, OfNode>>,
    changed: Notify,
}

impl Secrets {
    pub(crate) fn set(&self, node: &str, name: &str, secret: Secret) {
        let mut nodes = self.nodes();
        let of_node = nodes.entry(node.to_owned()).or_default();
        of_node.insert(name.to_owned(), Arc::new(secret));
        drop(nodes);
        self.changed.notify_one();
    }

    pub(crate) fn forget(&self, node: &str) {
        self.nodes().remove(node);
    }

    pub(super) fn get(&self, node: &str, name: &str) -> Option<Arc<Secret>> {
        self.nodes().get(node)?.get(name).cloned()
    }

    /// Ends when a secret has been set since the last time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<String, OfNode>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secret {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Identity { .. } => "a certificate",
            Self::Trust { .. } => "trust",
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity { .. } => "Secret::Identity(..)",
            Self::Trust { .. } => "Secret::Trust(..)",
        })
    }
}
