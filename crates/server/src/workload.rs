//! The part of a server that a manifest brings: the data plane and its views, the driver that runs tasks,
//! and the engine that takes each release from request to end.
//!
//! It starts in this order and stops in the reverse one, so that no request meets a task that is gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use compute::process::Process;
use compute::{Driver, Fleet, TaskState};
use image::Images;
use proxy::DataPlane;
use release::{Executor, Manifest};
use store::Store;
use tokio::sync::watch;
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

/// How long tasks that are there already may take to show that they are healthy.
const CONFIRMATION: Duration = Duration::from_secs(2);

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
        confirmed(engine.driver.observe()).await;
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

/// Waits until tasks that an earlier server left have shown that they live: a proxy would lose endpoints
/// that serve, if its first view from this server came before.
async fn confirmed(mut fleet: watch::Receiver<Arc<Fleet>>) {
    let is_known = |fleet: &Arc<Fleet>| {
        let mut tasks = fleet.task_sets.values().flat_map(|set| &set.tasks);
        tasks.all(|task| task.state != TaskState::Starting)
    };
    let known = tokio::time::timeout(CONFIRMATION, fleet.wait_for(is_known)).await;
    if known.is_err() {
        tracing::warn!("traffic comes in before every task has shown that it is healthy");
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use compute::{Task, TaskSetId, TaskSetStatus};
    use tokio::time::Instant;

    use super::*;

    fn fleet(states: &[TaskState]) -> Arc<Fleet> {
        let task = |(index, &state): (usize, &TaskState)| Task {
            id: format!("crystal/epoch/{index}"),
            index: index as u32,
            outdated: false,
            address: ([127, 0, 0, 1], 1).into(),
            state,
            pid: None,
            restarts: 0,
            last_exit: None,
            probe_failure: None,
            log: "log".into(),
        };
        let set = TaskSetStatus {
            desired: states.len() as u32,
            draining: false,
            tasks: states.iter().enumerate().map(task).collect(),
        };
        let id = TaskSetId {
            service: "crystal".to_owned(),
            version: "epoch".to_owned(),
        };
        Arc::new(Fleet {
            task_sets: BTreeMap::from([(id, set)]),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_are_there_already_are_confirmed_before_traffic_comes_in() {
        use TaskState::{BackingOff, Healthy, Starting};
        let (change, changes) = watch::channel(fleet(&[Healthy, Starting]));
        let waiting = tokio::spawn(confirmed(changes.clone()));
        tokio::time::advance(CONFIRMATION / 2).await;
        assert!(!waiting.is_finished());
        change.send_replace(fleet(&[Healthy, BackingOff]));
        let before = Instant::now();
        waiting.await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);

        change.send_replace(fleet(&[Healthy, Starting]));
        confirmed(changes).await;
        assert_eq!(
            before.elapsed(),
            CONFIRMATION,
            "a task that hangs holds nobody up"
        );
    }
}
