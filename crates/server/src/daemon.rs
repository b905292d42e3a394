//! Starts the server's parts in order, and stops them in the reverse order.
//!
//! Start: lock the state, open the store, listen, adopt tasks, go on with releases, answer the API. The
//! server is up before its services are: building and starting them is a release, and is seen as one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use compute::Driver;
use compute::process::{self, Process, ReaperCommand};
use image::Images;
use proxy::DataPlane;
use release::{Executor, Manifest};
use store::{Embedded, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actuator::LocalActuator;
use crate::ambient::{self, SystemAmbient};
use crate::api;
use crate::engine::Engine;
use crate::feed::Feed;
use crate::layout::Layout;
use crate::ports::Ports;
use crate::presence::{self, Presence};
use crate::traffic::Traffic;

/// How often the proxies' counts are collected while no release asks for them.
const COLLECT: Duration = Duration::from_millis(200);

/// How long requests in flight may take when the server stops.
const SHUTDOWN_DRAIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Options {
    pub manifest: Manifest,
    /// Everything the server keeps lies below this directory.
    pub state: PathBuf,
    /// Where the release API listens; port 0 takes a free one.
    pub api: SocketAddr,
    /// Cleans up the tasks of a server that was killed and does not return.
    pub reaper: Option<ReaperCommand>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not {operation} {path}", path = path.display())]
    State {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("could not start the process driver")]
    Driver(#[source] process::OpenError),
    #[error("could not open the store")]
    Store(#[source] store::OpenError),
    #[error("could not open the images")]
    Images(#[source] image::ImageError),
    #[error("could not start the data plane")]
    DataPlane(#[source] proxy::StartError),
    #[error(
        "could not start the virtual gateway: choose another gateway.port in the manifest, or free this one"
    )]
    Gateway(#[source] proxy::ApplyError),
    #[error("could not listen for the release API on {address}")]
    Api {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("could not go on with the services")]
    Services(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Another server runs on this state directory: its process.
    pub fn in_use_by(&self) -> Option<u32> {
        match self {
            Self::Driver(process::OpenError::InUse { pid, .. }) => Some(*pid),
            _ => None,
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Daemon {
    api: SocketAddr,
    gateway: SocketAddr,
    layout: Layout,
    token: String,
    engine: Arc<Engine>,
    process: Arc<Process>,
    background: Vec<JoinHandle<()>>,
    stop_api: watch::Sender<bool>,
    api_task: JoinHandle<()>,
}

impl Daemon {
    pub async fn start(options: Options) -> Result<Self, Error> {
        let layout = Layout::new(std::path::absolute(&options.state).unwrap_or(options.state));
        layout
            .create()
            .map_err(state_error("create", layout.root()))?;
        let manifest = Arc::new(options.manifest);
        let mut driver_options = process::Options::new(layout.tasks());
        driver_options.reaper = options.reaper;
        let process = Arc::new(Process::open(driver_options).await.map_err(Error::Driver)?);
        let driver: Arc<dyn Driver> = Arc::clone(&process) as _;
        let store: Arc<dyn Store> =
            Arc::new(Embedded::open(&layout.store()).map_err(Error::Store)?);
        let images = Images::open(layout.images()).map_err(Error::Images)?;
        let plane =
            Arc::new(DataPlane::start(proxy::Options::default()).map_err(Error::DataPlane)?);
        let feed = Arc::new(Feed::new(
            Arc::clone(&manifest),
            Arc::clone(&plane),
            store.watch(),
            driver.observe(),
            Ports::open(layout.ports()),
        ));
        let actuator = Arc::new(LocalActuator {
            manifest: Arc::clone(&manifest),
            layout: layout.clone(),
            images,
            driver: Arc::clone(&driver),
            feed: Arc::clone(&feed),
        });
        let executor = Executor {
            manifest: Arc::clone(&manifest),
            store: Arc::clone(&store),
            actuator: Arc::clone(&actuator) as _,
            ambient: Arc::new(SystemAmbient),
        };
        let traffic = Arc::new(Traffic::default());
        let engine = Arc::new(Engine::new(
            manifest,
            store,
            driver,
            plane,
            Arc::clone(&feed),
            Arc::clone(&traffic),
            actuator,
            executor,
        ));

        engine
            .prepare()
            .await
            .map_err(|error| Error::Services(error.into()))?;
        feed.refresh().await.map_err(Error::Gateway)?;
        let gateway = feed.address(&engine.manifest.virtual_gateway()).await;
        let gateway = gateway.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let background = vec![
            tokio::spawn(Arc::clone(&feed).run()),
            tokio::spawn(collect(Arc::clone(&engine))),
        ];
        engine
            .resume()
            .await
            .map_err(|error| Error::Services(error.into()))?;

        let listener = TcpListener::bind(options.api)
            .await
            .map_err(|source| Error::Api {
                address: options.api,
                source,
            })?;
        let api = listener.local_addr().unwrap_or(options.api);
        let token = presence::new_token().map_err(state_error("read", "/dev/urandom"))?;
        let presence = Presence {
            api: format!("http://{api}"),
            token: token.clone(),
            pid: std::process::id(),
            gateway: format!("http://{gateway}"),
        };
        let (stop_api, stopped) = watch::channel(false);
        let server = api::Server {
            engine: Arc::clone(&engine),
            gateway,
            since: ambient::now(),
            token: token.clone(),
            stopping: stopped.clone(),
        };
        let api_task = tokio::spawn(api::serve(listener, server, stopped));
        presence
            .write(&layout.presence())
            .map_err(state_error("write", layout.presence()))?;
        Ok(Self {
            api,
            gateway,
            layout,
            token,
            engine,
            process,
            background,
            stop_api,
            api_task,
        })
    }

    /// Where the release API listens.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Where traffic enters the mesh.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// The API's bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Lets requests in flight end, then stops every task. Releases go on at the next start.
    pub async fn shutdown(self) {
        self.engine.stop().await;
        self.stop_api.send_replace(true);
        self.engine.plane.shutdown(SHUTDOWN_DRAIN).await;
        for task in &self.background {
            task.abort();
        }
        self.process.shutdown().await;
        if let Err(error) = self.api_task.await {
            tracing::warn!(%error, "the API did not stop in good order");
        }
        if let Err(error) = std::fs::remove_file(self.layout.presence()) {
            tracing::warn!(%error, "could not remove the server's address file");
        }
    }
}

async fn collect(engine: Arc<Engine>) {
    let mut tick = tokio::time::interval(COLLECT);
    loop {
        tick.tick().await;
        engine
            .traffic
            .collect(&engine.plane, engine.executor.ambient.now())
            .await;
    }
}

fn state_error(
    operation: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::State {
        operation,
        path,
        source,
    }
}
