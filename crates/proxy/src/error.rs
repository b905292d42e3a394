//! What can go wrong between a caller and the data plane; requests that fail are answered, not here.

use std::io;
use std::net::SocketAddr;

use view::NodeView;

use crate::tls::TlsError;

/// The data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start the data plane: no thread or event queue for worker {worker}")]
    Worker { worker: usize, source: io::Error },
    #[error("cannot start the data plane: no thread or event queue for health checks")]
    Background { source: io::Error },
    #[error("cannot start the data plane: the name servers cannot be used")]
    NameServers {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Part of a view that cannot be carried; the rest of the view goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub node: String,
    /// The listener or cluster, by its name in the view.
    pub resource: String,
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(view: &NodeView, resource: &str, reason: String) -> Self {
        Self {
            node: view.node.clone(),
            resource: resource.to_owned(),
            reason,
        }
    }
}

/// A view was not applied; what was applied before goes on unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(
        "cannot apply the view of {node}: address {address} of listener {listener} is already in use; \
         stop what listens there or choose another port"
    )]
    AddressInUse {
        node: String,
        listener: String,
        address: SocketAddr,
    },
    #[error("cannot apply the view of {node}: cannot listen on {address} for listener {listener}")]
    Listen {
        node: String,
        listener: String,
        address: SocketAddr,
        source: io::Error,
    },
    #[error(
        "cannot apply the view of {node}: listener {listener} has the name or address of another"
    )]
    ListenerRepeated { node: String, listener: String },
    #[error(
        "cannot apply the view of {node}: a regular expression of route {route} does not compile"
    )]
    Regex {
        node: String,
        route: String,
        source: Box<regex::Error>,
    },
    #[error(
        "cannot apply the view of {node}: none of its listeners can be served, {listener} because {reason}"
    )]
    Unsupported {
        node: String,
        listener: String,
        reason: String,
    },
    #[error(
        "cannot apply the view of {node}: it points to a service or cluster that it does not have"
    )]
    Broken { node: String },
    #[error("cannot apply the view of {node}: no TLS for listener {listener}")]
    Tls {
        node: String,
        listener: String,
        source: Box<TlsError>,
    },
    #[error("cannot apply the view of {node}: the data plane has stopped")]
    Stopped { node: String },
}
