//! The part of a server that a manifest brings: the data plane and its views, the driver that runs tasks,
//! and the engine that takes each release from request to end.
//!
//! It starts in this order and stops in the reverse one, so that no request meets a task that is gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use compute::Driver;
use compute::process::Process;
use image::Images;
use proxy::DataPlane;
use release::{Executor, Manifest};
use store::Store;
use tokio::task::JoinHandle;

use crate::acm::AcmFiles;
use crate::actuator::LocalActuator;
use crate::ambient::SystemAmbient;
use crate::authorities::Authorities;
use crate::configuration::ProxySettings;
use crate::daemon::Error;
use crate::engine::Engine;
use crate::feed::Feed;
use crate::identities::Identities;
use crate::layout::Layout;
use crate::ports::Ports;
use crate::proxies::Proxies;

/// How often the proxies' counts are collected while no release asks for them.
const COLLECT: Duration = Duration::from_millis(200);

/// How long requests in flight may take when the server stops.
const SHUTDOWN_DRAIN: Duration = Duration::from_secs(10);

/// How services speak to each other, as the configuration has it.
#[derive(Debug)]
pub(crate) struct ServiceSettings {
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) acm: AcmFiles,
    pub(crate) proxy: ProxySettings,
}

#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) engine: Arc<Engine>,
    /// Where traffic enters the mesh.
    pub(crate) gateway: SocketAddr,
    process: Arc<Process>,
    background: Vec<JoinHandle<()>>,
}

impl Workload {
    /// Adopts tasks, lets traffic in and goes on with releases.
    pub(crate) async fn start(
        manifest: Arc<Manifest>,
        layout: &Layout,
        process: Process,
        store: Arc<dyn Store>,
        ambient: SystemAmbient,
        proxies: Arc<Proxies>,
        settings: ServiceSettings,
    ) -> Result<Self, Error> {
        let process = Arc::new(process);
        let driver: Arc<dyn Driver> = Arc::clone(&process) as _;
        let images = Images::open(layout.images()).map_err(Error::Images)?;
        let plane = Arc::new(DataPlane::start(settings.proxy.options()).map_err(Error::DataPlane)?);
        let identities = Arc::new(Identities::new(
            manifest.mesh.as_str(),
            settings.authorities,
            Arc::clone(&plane),
        ));
        let feed = Feed::new(
            Arc::clone(&manifest),
            Arc::clone(&plane),
            Arc::clone(&identities),
            settings.acm,
            store.watch(),
            driver.observe(),
            Ports::open(layout.ports()),
        );
        let feed = Arc::new(feed.speaking(settings.proxy.proxy_protocol));
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
            ambient: Arc::new(ambient),
        };
        let engine = Arc::new(Engine::new(
            manifest,
            store,
            driver,
            plane,
            Arc::clone(&feed),
            proxies,
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
            tokio::spawn(identities.run()),
        ];
        engine
            .resume()
            .await
            .map_err(|error| Error::Services(error.into()))?;
        Ok(Self {
            engine,
            gateway,
            process,
            background,
        })
    }

    /// Lets requests in flight end, then stops every task. Releases go on at the next start.
    pub(crate) async fn stop(&self) {
        self.engine.plane.shutdown(SHUTDOWN_DRAIN).await;
        for task in &self.background {
            task.abort();
        }
        self.process.shutdown().await;
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
