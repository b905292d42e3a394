//! The data plane as a process of its own: `serin proxy --node … --server …`.
//!
//! [`Sidecar`] runs one node's view in a [`DataPlane`], follows the server over one stream, and serves on
//! whatever becomes of that: with the view it has, or after a start with the one on its disk.

mod backoff;
mod call;
mod clock;
mod condition;
mod follow;
mod identities;
mod last_view;
mod private_file;
mod server;
mod takeover;

use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use link::{Hello, Outbox};
use proxy::DataPlane;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use view::{Binding, Secrets};

use follow::{FollowServer, Order, Stage};
use identities::Identities;
use last_view::LastView;
use server::Server;
use takeover::{Heir, Predecessor};

pub use follow::Standing;
pub use proxy::Options as ProxyOptions;
pub use server::{ServerUrl, Token, TrustError, UrlError};
pub use takeover::TakeoverError;

/// How long the last reports may take when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Options {
    /// `mesh/M/virtualNode/N` or `mesh/M/virtualGateway/G`.
    pub node: String,
    pub server: ServerUrl,
    pub token: Option<Token>,
    /// Certificates in PEM that the server is trusted by; none: the system's.
    pub roots: Option<PathBuf>,
    pub binding: Binding,
    /// The last good view is kept below this directory.
    pub state: PathBuf,
    /// Take over from the process of this node that runs with this state.
    pub replace: bool,
    pub version: String,
    pub proxy: proxy::Options,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("could not start the data plane")]
    DataPlane(#[from] proxy::StartError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Takeover(#[from] TakeoverError),
    #[error("could not keep state in {}", path.display())]
    State {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// A running proxy.
#[derive(Debug)]
pub struct Sidecar {
    plane: Arc<DataPlane>,
    orders: mpsc::Sender<Order>,
    standing: watch::Receiver<Standing>,
    following: JoinHandle<()>,
    /// Who drains when this process serves.
    predecessor: Option<Predecessor>,
    /// Where the process after this one asks.
    place: PathBuf,
    heir: Option<Heir>,
}

impl Sidecar {
    /// Starts with the view on disk, if there is one, and with the server's as soon as it comes.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let server = Server::new(options.server, options.token, options.roots.as_deref())?;
        create_private(&options.state)?;
        let plane = Arc::new(DataPlane::start(options.proxy)?);
        let place = takeover::path_of(&options.node, &options.state);
        let predecessor = match options.replace {
            true => {
                let (predecessor, sockets) = Predecessor::ask(&place)?;
                plane.inherit(sockets).await;
                Some(predecessor)
            }
            false => None,
        };
        let disk = LastView::of(&options.node, &options.state);
        let (standing, seen) = watch::channel(Standing::default());
        let mut identities = Identities::of(&options.node, &options.state, Arc::clone(&plane));
        if let Some(view) = from_disk(&plane, &disk, &mut identities, &options.node).await {
            standing.send_modify(|standing| standing.view = Some(view));
        }
        let (orders, received) = mpsc::channel(2);
        let follow = FollowServer {
            plane: Arc::clone(&plane),
            server,
            hello: Hello {
                node: options.node,
                instance: format!("{:032x}", fastrand::u128(..)),
                version: options.version,
                binding: options.binding,
                holds: None,
            },
            disk,
            identities,
            outbox: Outbox::default(),
            orders: received,
            standing,
            stage: Stage::Serving,
        };
        Ok(Self {
            plane,
            orders,
            standing: seen,
            following: tokio::spawn(follow.run()),
            predecessor,
            place,
            heir: None,
        })
    }

    pub fn plane(&self) -> Arc<DataPlane> {
        Arc::clone(&self.plane)
    }

    /// Dismisses the process before this one as soon as this one serves, which it must within `limit`; then
    /// waits for the one after.
    pub async fn take_place(&mut self, limit: Duration) -> Result<(), TakeoverError> {
        if let Some(predecessor) = self.predecessor.take() {
            let mut standing = self.standing.clone();
            let serves = standing.wait_for(|standing| standing.view.is_some());
            if tokio::time::timeout(limit, serves).await.is_err() {
                return Err(TakeoverError::NotReady(limit));
            }
            predecessor.dismiss()?;
            // What no listener asked for is closed here, as it will be there.
            self.plane.inherit(Vec::new()).await;
            tracing::info!("serving in place of the process before");
        } else if UnixStream::connect(&self.place).is_ok() {
            tracing::warn!(
                "another proxy of this node runs with this state: nobody can take over from this one"
            );
            return Ok(());
        }
        match Heir::wait_at(self.place.clone()) {
            Ok(heir) => self.heir = Some(heir),
            Err(error) => {
                tracing::warn!(%error, path = %self.place.display(), "nobody can take over from this process");
            }
        }
        Ok(())
    }

    /// Returns when another process serves in place of this one, which is to stop then.
    pub async fn succeeded(&mut self) {
        if let Some(heir) = &self.heir {
            match heir.succeeded(&self.plane).await {
                Ok(()) => {
                    self.heir = None;
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "nobody can take over from this process any more")
                }
            }
        }
        std::future::pending().await
    }

    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Lets nobody in, lets requests under way end within `drain`, and delivers the last reports.
    pub async fn stop(self, drain: Duration) {
        if let Some(heir) = &self.heir {
            heir.leave();
        }
        // Nobody listens only where the following has failed, which it cannot.
        self.orders.send(Order::Drain).await.ok();
        let counted = self.plane.shutdown(drain).await;
        let cells = counted.into_iter().flat_map(|counted| counted.cells);
        self.orders.send(Order::Finish(cells.collect())).await.ok();
        let mut following = self.following;
        if tokio::time::timeout(LAST_WORDS, &mut following)
            .await
            .is_err()
        {
            tracing::warn!("the server is away: what was counted last is not reported");
            following.abort();
        }
    }
}

/// What lies there says where traffic goes, and who may take it over.
fn create_private(state: &Path) -> Result<(), StartError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .map_err(|source| StartError::State {
            path: state.to_owned(),
            source,
        })
}

async fn from_disk(
    plane: &DataPlane,
    disk: &LastView,
    identities: &mut Identities,
    node: &str,
) -> Option<Arc<view::NodeView>> {
    let found = match disk.load(node) {
        Ok(found) => found?,
        Err(error) => {
            tracing::warn!(%error, "could not read the view on disk: waiting for the server's");
            return None;
        }
    };
    let view = Arc::new(found.view);
    let age = found.age;
    identities.want(Secrets::of(&view));
    match plane.apply(Arc::clone(&view)).await {
        Ok(_) => {
            tracing::info!(
                revision = view.revision,
                ?age,
                "serving with the view on disk, until the server tells a newer one"
            );
            Some(view)
        }
        Err(error) => {
            let error = follow::words(&error);
            tracing::error!(
                error,
                ?age,
                "could not apply the view on disk: waiting for the server's"
            );
            None
        }
    }
}
