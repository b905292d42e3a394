//! Starts the server's parts in order, and stops them in the reverse order.
//!
//! Every server has a control plane: the store and the API. A manifest adds its workload. Start: lock the
//! state, open the store, start the workload, answer the API. The server is up before its services are:
//! building and starting them is a release, and is seen as one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use appmesh::{AppMesh, Settings};
use axum::Router;
use compute::Driver;
use compute::process::{self, Process, ReaperCommand};
use proxy::DataPlane;
use release::Manifest;
use store::{Embedded, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::Gate;
use crate::ambient::{self, SystemAmbient};
use crate::api::{self, Door};
use crate::authorities::Authorities;
use crate::configuration::{Configuration, ConfigurationError, Credentials};
use crate::layout::Layout;
use crate::listener::Listener;
use crate::listener::tls::{Tls, TlsError};
use crate::metrics::Metrics;
use crate::presence::{Presence, Token};
use crate::proxies::{Proxies, Sight};
use crate::throttle::Throttle;
use crate::traffic::Traffic;
use crate::workload::{ServiceSettings, Workload};

#[derive(Debug)]
pub struct Options {
    /// What runs here; none for a control plane alone.
    pub manifest: Option<Manifest>,
    pub configuration: Configuration,
    /// Everything the server keeps lies below this directory.
    pub state: PathBuf,
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
    #[error("could not listen for the API on {address}")]
    Api {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("could not set up TLS for the API")]
    Tls(#[source] TlsError),
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
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
    url: String,
    layout: Layout,
    token: Token,
    workload: Option<Arc<Workload>>,
    stop_api: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    certificates: Option<JoinHandle<()>>,
}

/// Refuses a configuration that [`Daemon::start`] would refuse, without starting anything.
pub fn check(configuration: &Configuration) -> Result<(), Error> {
    configuration.credentials()?;
    configuration.proxy_tokens()?;
    configuration.check_acm()?;
    configuration.lifetimes()?;
    open_tls(configuration)?;
    Ok(())
}

impl Daemon {
    pub async fn start(options: Options) -> Result<Self, Error> {
        let Options {
            manifest,
            configuration,
            state,
            reaper,
        } = options;
        let credentials = configuration.credentials()?;
        let proxy_tokens = configuration.proxy_tokens()?;
        configuration.check_acm()?;
        let tls = open_tls(&configuration)?;
        let lifetimes = configuration.lifetimes()?;
        let layout = Layout::new(std::path::absolute(&state).unwrap_or(state));
        layout
            .create()
            .map_err(state_error("create", layout.root()))?;
        let process = match &manifest {
            Some(_) => Some(open_driver(&layout, reaper).await?),
            None => None,
        };
        let store: Arc<dyn Store> =
            Arc::new(Embedded::open(&layout.store()).map_err(Error::Store)?);
        let traffic = Arc::new(Traffic::default());
        let manifest = manifest.map(Arc::new);
        let tasks = manifest.clone().zip(process.as_ref().map(Driver::observe));
        let sight = Sight {
            snapshots: store.watch(),
            tasks,
        };
        let authorities = Arc::new(Authorities::new(layout.clone(), lifetimes));
        let proxies = Proxies::new(traffic, sight, Arc::clone(&authorities));
        let proxies = Arc::new(proxies);
        let workload = match manifest.zip(process) {
            Some((manifest, process)) => {
                let ambient = SystemAmbient {
                    account: configuration.account.clone(),
                };
                let settings = ServiceSettings {
                    authorities,
                    acm: configuration.acm.clone(),
                    proxy: configuration.proxy.clone(),
                };
                let workload = Workload::start(
                    manifest,
                    &layout,
                    process,
                    Arc::clone(&store),
                    ambient,
                    Arc::clone(&proxies),
                    settings,
                );
                Some(Arc::new(workload.await?))
            }
            None => None,
        };

        let known = store.snapshot();
        for stranger in configuration.strangers(known.iter().map(|resource| &resource.id)) {
            tracing::warn!("the configuration's {stranger}");
        }
        let (stop_api, stopping) = watch::channel(false);
        let token = Token::new().map_err(state_error("read", "/dev/urandom"))?;
        let server = Arc::new(api::Server {
            metrics: Metrics::new(),
            metrics_access: configuration.metrics_access(),
            door: door(&configuration, credentials, &store),
            account: configuration.account.clone(),
            region: configuration.region.clone(),
            workload: workload.clone(),
            store,
            since: ambient::now(),
            token: token.clone(),
            proxy_tokens,
            proxies,
            is_tolerant: configuration.is_tolerant(),
            stopping: stopping.clone(),
        });
        let mut listeners = Listeners {
            configuration: &configuration,
            stopping,
            serving: Vec::new(),
        };
        let router = api::router(Arc::clone(&server));
        let api = listeners
            .listen(configuration.api, tls.clone(), router)
            .await?;
        let scheme = tls.as_ref().map_or("http", |_| "https");
        let url = format!("{scheme}://{api}");
        // Commands of this machine trust no certificate: theirs is a door of their own.
        let own = match &tls {
            None => url.clone(),
            Some(_) => {
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                let router = api::release_router(server);
                let own = listeners.listen(any, None, router).await?;
                format!("http://{own}")
            }
        };
        let presence = Presence {
            api: own,
            token: token.as_str().to_owned(),
            pid: std::process::id(),
            gateway: workload
                .as_ref()
                .map(|workload| format!("http://{}", workload.gateway)),
        };
        presence
            .write(&layout.presence())
            .map_err(state_error("write", layout.presence()))?;
        tracing::info!(%url, "the API answers");
        for warning in configuration.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            api,
            url,
            token,
            workload,
            stop_api,
            listeners: listeners.serving,
            certificates: tls.map(|tls| tokio::spawn(tls.follow())),
            layout,
        })
    }

    /// Where the API listens.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// The API's address as clients write it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where traffic enters the mesh of the manifest.
    pub fn gateway(&self) -> Option<SocketAddr> {
        Some(self.workload.as_ref()?.gateway)
    }

    /// What carries the mesh of the manifest, for its administrators.
    pub fn plane(&self) -> Option<Arc<DataPlane>> {
        Some(Arc::clone(&self.workload.as_ref()?.engine.plane))
    }

    /// The release API's bearer token.
    pub fn token(&self) -> &str {
        self.token.as_str()
    }

    /// Lets requests in flight end, then stops every task. Releases go on at the next start.
    pub async fn shutdown(self) {
        if let Some(workload) = &self.workload {
            workload.engine.stop().await;
        }
        self.stop_api.send_replace(true);
        if let Some(workload) = &self.workload {
            workload.stop().await;
        }
        for listener in self.listeners {
            if let Err(error) = listener.await {
                tracing::warn!(%error, "the API did not stop in good order");
            }
        }
        if let Some(certificates) = self.certificates {
            certificates.abort();
        }
        if let Err(error) = std::fs::remove_file(self.layout.presence()) {
            tracing::warn!(%error, "could not remove the server's address file");
        }
    }
}

/// Takes the lock on the state directory too.
async fn open_driver(layout: &Layout, reaper: Option<ReaperCommand>) -> Result<Process, Error> {
    let mut options = process::Options::new(layout.tasks());
    options.reaper = reaper;
    Process::open(options).await.map_err(Error::Driver)
}

fn open_tls(configuration: &Configuration) -> Result<Option<Arc<Tls>>, Error> {
    let tls = configuration.tls.clone().map(Tls::open);
    Ok(tls.transpose().map_err(Error::Tls)?.map(Arc::new))
}

fn door(configuration: &Configuration, credentials: Credentials, store: &Arc<dyn Store>) -> Door {
    let settings = Settings {
        account: configuration.account.to_string(),
        region: configuration.region.to_string(),
        quotas: configuration.quotas.clone(),
        uid: ambient::uid,
    };
    Door {
        app_mesh: AppMesh::new(Arc::clone(store), settings),
        gate: Gate::new(configuration, credentials),
        throttle: configuration.throttle.map(Throttle::new),
        limits: configuration.limits,
    }
}

/// The API's sockets, while the server starts.
struct Listeners<'c> {
    configuration: &'c Configuration,
    stopping: watch::Receiver<bool>,
    serving: Vec<JoinHandle<()>>,
}

impl Listeners<'_> {
    async fn listen(
        &mut self,
        address: SocketAddr,
        tls: Option<Arc<Tls>>,
        router: Router,
    ) -> Result<SocketAddr, Error> {
        let failed = |source| Error::Api { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        let listener = Listener {
            socket,
            tls,
            limits: self.configuration.limits,
        };
        let stopping = self.stopping.clone();
        self.serving
            .push(tokio::spawn(listener.serve(router, stopping)));
        Ok(bound)
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
