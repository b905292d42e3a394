//! The engine: takes every release from request to end, one at a time for each service.
//!
//! A release runs in a task of its own ([`runner`]); callers reach it through its [`Handle`]. What a
//! service's stable version is, and which releases it had, is read from the store's journals alone.

mod resources;
mod restarts;
mod runner;
mod seen;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use compute::{Driver, Fleet};
use proxy::DataPlane;
use release::executor::{Release, stable_stream};
use release::journal::{Event, Order, Patch, Request, Version};
use release::{Executor, Manifest, ReleaseId, State};
use store::Store;
use tokio::sync::{mpsc, oneshot, watch};

use self::runner::Runner;
use crate::actuator::LocalActuator;
use crate::feed::Feed;
use crate::proxies::Proxies;
use crate::traffic::Traffic;

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) plane: Arc<DataPlane>,
    pub(crate) feed: Arc<Feed>,
    /// Those that run elsewhere.
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) actuator: Arc<LocalActuator>,
    pub(crate) executor: Executor,
    /// The running or last release of each service that this process has met.
    handles: Mutex<HashMap<String, Handle>>,
    /// Says that no runner may begin another step.
    stop: watch::Sender<bool>,
}

/// How to follow and steer one release.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) progress: watch::Receiver<Arc<Progress>>,
    orders: mpsc::Sender<Told>,
}

/// An order on its way to the release.
#[derive(Debug)]
struct Told {
    order: Order,
    by: String,
    /// Says that it is in the journal, where no crash can lose it.
    written: oneshot::Sender<()>,
}

/// Where a release stands.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) id: ReleaseId,
    pub(crate) state: State,
    /// The position of its last event.
    pub(crate) position: u64,
    /// What it is doing, and why.
    pub(crate) why: String,
}

impl Progress {
    fn of(release: &Release, why: String) -> Self {
        Self {
            id: release.id.clone(),
            state: release.state.clone(),
            position: release.position,
            why,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state.ended.is_none()
    }

    /// Why no order is taken any more.
    pub(crate) fn refusal(&self) -> Option<Error> {
        match (self.is_running(), self.state.left) {
            (false, _) => Some(Error::Ended(self.id.clone())),
            (true, true) => Some(Error::Settled(self.id.clone())),
            (true, false) => None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no service {0} in the manifest")]
    NoService(String),
    #[error("no release {0}")]
    NoRelease(String),
    #[error("{running} is still running")]
    Busy { running: ReleaseId },
    #[error("version {tag} of {service} serves now")]
    TagServes { service: String, tag: String },
    #[error("{0} has ended")]
    Ended(ReleaseId),
    #[error("{0} is about to end: one of its versions has left")]
    Settled(ReleaseId),
    #[error("the server stops, and {0} did not get the order")]
    Stopping(ReleaseId),
    #[error(transparent)]
    Release(#[from] release::executor::Error),
    #[error("could not read the journals")]
    Store(#[from] store::Error),
    #[error("the journal of {stream} makes no sense at position {position}")]
    Journal { stream: String, position: u64 },
}

impl Engine {
    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where the daemon's parts meet"
    )]
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        store: Arc<dyn Store>,
        driver: Arc<dyn Driver>,
        plane: Arc<DataPlane>,
        feed: Arc<Feed>,
        proxies: Arc<Proxies>,
        actuator: Arc<LocalActuator>,
        executor: Executor,
    ) -> Self {
        Self {
            manifest,
            store,
            driver,
            plane,
            feed,
            traffic: Arc::clone(&proxies.traffic),
            proxies,
            actuator,
            executor,
            handles: Mutex::default(),
            stop: watch::Sender::new(false),
        }
    }

    /// The version that serves a service, unless a release is changing that just now.
    pub(crate) async fn stable(&self, service: &str) -> Result<Option<Version>, Error> {
        let stream = stable_stream(service);
        let entries = self.store.journal(&stream, 0).await?;
        let Some(last) = entries.into_iter().next_back() else {
            return Ok(None);
        };
        let position = last.position;
        let version =
            serde_json::from_value(last.body).map_err(|_| Error::Journal { stream, position })?;
        Ok(Some(version))
    }

    /// A service's releases, oldest first.
    pub(crate) async fn releases(&self, service: &str) -> Result<Vec<ReleaseId>, Error> {
        let streams = self.store.streams(&ReleaseId::streams_of(service)).await?;
        Ok(streams
            .iter()
            .filter_map(|stream| ReleaseId::of_stream(stream))
            .collect())
    }

    /// Brings the mesh in line with the manifest.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let mut stable = Vec::new();
        for service in self.manifest.services.keys() {
            if let Some(version) = self.stable(service.as_str()).await? {
                stable.push((service.to_string(), version));
            }
        }
        Ok(self.executor.prepare(&stable).await?)
    }

    /// Goes on with what an earlier process left, and releases a first version where there is none.
    pub(crate) async fn resume(self: &Arc<Self>) -> Result<(), Error> {
        for (service, settings) in &self.manifest.services {
            let service = service.as_str();
            if let Some(stable) = self.stable(service).await?
                && let Err(fault) = self
                    .actuator
                    .start_tasks(service, &stable, settings.tasks)
                    .await
            {
                tracing::error!(service, %fault, "could not start the tasks of the stable version");
            }
            if let Some(id) = self.releases(service).await?.pop() {
                let mut release = self.executor.resume(id).await?;
                if release.state.ended.is_none() {
                    self.executor.append(&mut release, Event::Resumed).await?;
                }
                self.run(release);
            }
            if self.stable(service).await?.is_none() && self.running(service).is_none() {
                self.request(service, settings.tag.to_string(), Vec::new(), None)
                    .await?;
            }
        }
        Ok(())
    }

    /// What a release of this service and tag would be.
    pub(crate) async fn draft_request(
        &self,
        service: &str,
        tag: String,
        patches: Vec<Patch>,
        policy: Option<release::Policy>,
    ) -> Result<Request, Error> {
        let unknown = || Error::NoService(service.to_owned());
        let settings = self.manifest.services.get(service).ok_or_else(unknown)?;
        if let Some(running) = self.running(service) {
            return Err(Error::Busy { running });
        }
        let baseline = self.stable(service).await?;
        if baseline.as_ref().is_some_and(|stable| stable.tag == tag) {
            let service = service.to_owned();
            return Err(Error::TagServes { service, tag });
        }
        Ok(Request {
            service: service.to_owned(),
            tag,
            patches,
            baseline,
            policy: policy.unwrap_or_else(|| settings.release.policy()),
            limits: settings.release.limits(),
            tasks: settings.tasks,
        })
    }

    /// Begins a release.
    pub(crate) async fn request(
        self: &Arc<Self>,
        service: &str,
        tag: String,
        patches: Vec<Patch>,
        policy: Option<release::Policy>,
    ) -> Result<ReleaseId, Error> {
        let request = self.draft_request(service, tag, patches, policy).await?;
        let number = self
            .releases(service)
            .await?
            .last()
            .map_or(1, |last| last.number + 1);
        let id = ReleaseId {
            service: service.to_owned(),
            number,
        };
        // Two requests at once would both begin this journal: the store lets one of them.
        let release = self.executor.request(id.clone(), request).await?;
        self.run(release);
        Ok(id)
    }

    /// Tells a running release what to do, until it is written down.
    pub(crate) async fn order(
        &self,
        id: &ReleaseId,
        order: Order,
        by: String,
    ) -> Result<(), Error> {
        let handle = self
            .handle(&id.service)
            .filter(|handle| handle.progress.borrow().id == *id)
            .ok_or_else(|| Error::NoRelease(id.to_string()))?;
        let (written, receipt) = oneshot::channel();
        let told = Told { order, by, written };
        let refusal = || handle.progress.borrow().refusal();
        let confirmed = async {
            handle.orders.send(told).await.ok()?;
            tokio::select! {
                biased;
                written = receipt => written.ok(),
                // Sent while the runner ended, it may lie there for ever.
                () = handle.orders.closed() => None,
            }
        };
        if refusal().is_none() && confirmed.await.is_some() {
            return Ok(());
        }
        Err(refusal().unwrap_or_else(|| Error::Stopping(id.clone())))
    }

    /// The running, else the last release of a service.
    pub(crate) fn handle(&self, service: &str) -> Option<Handle> {
        self.handles().get(service).cloned()
    }

    /// Any release of any time: as it runs, or as its journal tells.
    pub(crate) async fn progress(&self, id: &ReleaseId) -> Result<Arc<Progress>, Error> {
        if let Some(handle) = self.handle(&id.service) {
            let progress = Arc::clone(&handle.progress.borrow());
            if progress.id == *id {
                return Ok(progress);
            }
        }
        if !self.releases(&id.service).await?.contains(id) {
            return Err(Error::NoRelease(id.to_string()));
        }
        let release = self.executor.resume(id.clone()).await?;
        let why = release
            .state
            .ended
            .as_ref()
            .map(|ended| ended.reason.clone());
        Ok(Arc::new(Progress::of(&release, why.unwrap_or_default())))
    }

    /// The release that is running for a service.
    pub(crate) fn running(&self, service: &str) -> Option<ReleaseId> {
        let handle = self.handle(service)?;
        let progress = handle.progress.borrow();
        progress.is_running().then(|| progress.id.clone())
    }

    /// Lets every release finish its present step, and begins no other. Their journals go on at the next start.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let handles: Vec<Handle> = self.handles().values().cloned().collect();
        for handle in handles {
            handle.orders.closed().await;
        }
    }

    pub(crate) fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.driver.observe().borrow())
    }

    fn run(self: &Arc<Self>, release: Release) {
        let service = release.id.service.clone();
        let why = release
            .state
            .ended
            .as_ref()
            .map(|ended| ended.reason.clone());
        let (progress, seen) =
            watch::channel(Arc::new(Progress::of(&release, why.unwrap_or_default())));
        let (orders, received) = mpsc::channel(16);
        let handle = Handle {
            progress: seen,
            orders,
        };
        self.handles().insert(service, handle);
        if release.state.ended.is_none() {
            self.judge(&release);
            let runner = Runner::new(Arc::clone(self), release, progress, received);
            tokio::spawn(runner.run());
        }
    }

    /// The release's split is judged from here on. Before its version is in the mesh nothing is evidence, and
    /// a build may take long: remote proxies need not keep their reports for it.
    fn judge(&self, release: &Release) {
        if release.state.virtual_node.is_some() {
            let split = self.split(&release.id);
            self.traffic.judge(&split, &release.state.reports);
        }
    }

    /// Where the release's requests are drawn.
    fn split(&self, id: &ReleaseId) -> String {
        self.manifest.route(&id.service).path()
    }

    fn handles(&self) -> std::sync::MutexGuard<'_, HashMap<String, Handle>> {
        self.handles
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
