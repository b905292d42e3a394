//! What a release meets outside its own code: a store and tasks that outlive it, traffic and time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use model::draft::Author;
use model::{Share, Snapshot, Timestamp};
use release::actuator::{Actuator, BoxFuture, Fault};
use release::executor::Ambient;
use release::journal::{Request, Version};
use release::state::judge_share;
use release::{Manifest, ReleaseId, State, World};
use store::{Archive, Change, Committed, Entry, Fingerprint, Memory, Store};
use tokio::sync::watch;

use crate::fuse::Fuse;

/// Requests a second on the route.
const RATE: f64 = 200.0;

pub(crate) fn version(tag: &str) -> Version {
    Version {
        tag: tag.to_owned(),
        digest: format!("sha256:{tag}"),
    }
}

pub(crate) fn request(
    manifest: &Manifest,
    service: &str,
    tag: &str,
    baseline: Option<Version>,
) -> Request {
    let settings = &manifest.services[service];
    Request {
        service: service.to_owned(),
        tag: tag.to_owned(),
        patches: Vec::new(),
        baseline,
        policy: settings.release.policy(),
        limits: settings.release.limits(),
        tasks: settings.tasks,
    }
}

/// Which part of the requests fails.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FailureRates {
    pub(crate) canary: f64,
    pub(crate) stable: f64,
}

/// The outcomes of a second under a share; none while no request reaches the canary.
pub(crate) fn a_second_of_traffic(share: Share, failures: FailureRates) -> Option<judge::Batch> {
    let arm = |part: f64, failing: f64| {
        let requests = (RATE * part).round();
        let failed = (requests * failing).round();
        judge::Arm {
            successes: (requests - failed) as u64,
            failures: failed as u64,
            ..judge::Arm::default()
        }
    };
    let tally = judge::Tally {
        canary: arm(share.fraction(), failures.canary),
        stable: arm(share.rest().fraction(), failures.stable),
    };
    (share > Share::ZERO).then(|| judge::Batch::of(judge::Level::new(judge_share(share), tally)))
}

#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicI64);

impl Clock {
    pub(crate) fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn pass_a_second(&self) {
        self.0.fetch_add(1000, Ordering::Relaxed);
    }
}

impl Ambient for Clock {
    fn now(&self) -> Timestamp {
        self.time()
    }

    fn author(&self) -> Author {
        Author {
            account: "123456789012".to_owned(),
            now: self.time(),
            uid: || "uid".to_owned(),
        }
    }
}

/// The versions that were built, and those whose tasks run; all of them are healthy.
#[derive(Debug)]
pub(crate) struct Fleet {
    fuse: Arc<Fuse>,
    built: Mutex<BTreeSet<String>>,
    running: Mutex<BTreeSet<String>>,
}

impl Fleet {
    pub(crate) fn new(fuse: Arc<Fuse>) -> Self {
        Self {
            fuse,
            built: Mutex::default(),
            running: Mutex::default(),
        }
    }

    pub(crate) fn running(&self) -> Vec<String> {
        self.running.lock().unwrap().iter().cloned().collect()
    }

    pub(crate) fn look(&self, state: &State) -> World {
        let runs = self.running.lock().unwrap().contains(&state.request.tag);
        World {
            healthy: if runs { state.request.tasks } else { 0 },
            trouble: None,
            settled: true,
            in_flight: 0,
            rate: RATE,
        }
    }
}

impl Actuator for Fleet {
    fn build<'a>(
        &'a self,
        _: &'a ReleaseId,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Version, Fault>> {
        let build = async {
            self.built.lock().unwrap().insert(request.tag.clone());
            Ok(version(&request.tag))
        };
        Box::pin(self.fuse.through(build, killed()))
    }

    fn start_tasks<'a>(
        &'a self,
        _: &'a str,
        version: &'a Version,
        _: u32,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let start = async {
            assert!(
                self.built.lock().unwrap().contains(&version.tag),
                "{} is not built",
                version.tag
            );
            self.running.lock().unwrap().insert(version.tag.clone());
            Ok(())
        };
        Box::pin(self.fuse.through(start, killed()))
    }

    fn retire<'a>(&'a self, _: &'a str, version: &'a Version) -> BoxFuture<'a, Result<(), Fault>> {
        let retire = async {
            self.running.lock().unwrap().remove(&version.tag);
            Ok(())
        };
        Box::pin(self.fuse.through(retire, killed()))
    }
}

fn killed() -> Fault {
    Fault::Transient("killed".to_owned())
}

/// A store whose writer may be killed; what it holds stays.
#[derive(Debug)]
pub(crate) struct FragileStore {
    memory: Memory,
    fuse: Arc<Fuse>,
}

impl FragileStore {
    pub(crate) fn new(memory: Memory, fuse: Arc<Fuse>) -> Self {
        Self { memory, fuse }
    }
}

impl Store for FragileStore {
    fn snapshot(&self) -> Snapshot {
        self.memory.snapshot()
    }

    fn watch(&self) -> watch::Receiver<Snapshot> {
        self.memory.watch()
    }

    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, store::Error>> {
        let killed = store::Error::Closed {
            path: PathBuf::from("memory"),
        };
        Box::pin(self.fuse.through(self.memory.commit(change), killed))
    }

    fn recall(
        &self,
        token: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Committed>, store::Error>> {
        self.memory.recall(token, fingerprint, now)
    }

    fn journal(&self, stream: &str, after: u64) -> BoxFuture<'_, Result<Vec<Entry>, store::Error>> {
        self.memory.journal(stream, after)
    }

    fn streams(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, store::Error>> {
        self.memory.streams(prefix)
    }

    fn export(&self) -> BoxFuture<'_, Result<Archive, store::Error>> {
        self.memory.export()
    }
}
