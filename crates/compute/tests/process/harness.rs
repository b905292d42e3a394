//! A place for one test: a state directory, an artifact, and no process left when the test ends.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use compute::process::{Backoff, Options, Process};
use compute::{Driver, Fleet, HealthProbe, Task, TaskSet, TaskSetId, TaskSetStatus, TaskState};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const SERVICE: &str = env!("CARGO_BIN_EXE_fixture-service");
pub(crate) const SERVER: &str = env!("CARGO_BIN_EXE_fixture-server");

/// Far more than anything here takes, for a machine that has other work.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("artifact")).unwrap();
        fs::write(directory.path().join("artifact/hash.txt"), "VANILLA").unwrap();
        Self { directory }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join("state")
    }

    pub(crate) fn artifact(&self) -> PathBuf {
        self.directory.path().join("artifact")
    }

    /// With a back-off that a test can wait for.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(self.state());
        options.backoff = Backoff {
            first: Duration::from_millis(50),
            longest: Duration::from_millis(400),
            stable_after: Duration::from_secs(60),
        };
        options
    }

    pub(crate) async fn open(&self) -> Process {
        Process::open(self.options()).await.unwrap()
    }

    /// `count` healthy services.
    pub(crate) fn set(&self, count: u32) -> TaskSet {
        TaskSet {
            id: id("crystal", "epoch"),
            artifact: self.artifact(),
            command: vec![SERVICE.to_owned()],
            environment: BTreeMap::new(),
            count,
            health: Some(HealthProbe {
                path: "/health".to_owned(),
                interval: Duration::from_millis(50),
                timeout: Duration::from_secs(2),
                healthy_threshold: 1,
                unhealthy_threshold: 2,
            }),
            stop_grace: Duration::from_secs(10),
        }
    }

    /// The pids of all tasks of this place and of what they started, found without the driver's help.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut marker = b"@".to_vec();
        marker.extend_from_slice(self.state().as_os_str().as_encoded_bytes());
        marker.push(0);
        let pids = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment
                    .windows(marker.len())
                    .any(|window| window == marker)
            })
        })
        .collect()
    }

    /// Where the record and the working copy of the first task of [`Place::set`] are.
    pub(crate) fn first_task(&self) -> PathBuf {
        self.state().join("task-sets/crystal/epoch/tasks/0.1")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.processes().into_iter().for_each(kill);
    }
}

pub(crate) fn id(service: &str, version: &str) -> TaskSetId {
    TaskSetId {
        service: service.to_owned(),
        version: version.to_owned(),
    }
}

pub(crate) fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may be gone already.
    kill_process(pid, Signal::KILL).ok();
}

/// Neither gone nor a zombie.
pub(crate) fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// Waits until the only set of the fleet is as described.
pub(crate) async fn until(
    driver: &Process,
    what: impl Fn(&TaskSetStatus) -> bool,
) -> TaskSetStatus {
    until_fleet(driver, |fleet| {
        fleet.task_sets.len() == 1 && fleet.task_sets.values().all(&what)
    })
    .await
    .task_sets
    .values()
    .next()
    .unwrap()
    .clone()
}

pub(crate) async fn until_fleet(driver: &Process, what: impl Fn(&Fleet) -> bool) -> Arc<Fleet> {
    let mut fleet = driver.observe();
    let seen = timeout(DEADLINE, fleet.wait_for(|fleet| what(fleet))).await;
    match seen {
        Ok(fleet) => Arc::clone(&fleet.unwrap()),
        Err(_) => panic!(
            "not seen in time; last was {:#?}",
            driver.observe().borrow()
        ),
    }
}

pub(crate) async fn until_steady(driver: &Process) -> TaskSetStatus {
    until(driver, TaskSetStatus::is_steady).await
}

pub(crate) async fn until_state(driver: &Process, state: TaskState) -> Task {
    until(driver, |set| {
        set.tasks.iter().all(|task| task.state == state)
    })
    .await
    .tasks
    .remove(0)
}

/// Asks again until it is so, for what no channel reports.
pub(crate) async fn eventually(what: impl Fn() -> bool) {
    let mut often = tokio::time::interval(Duration::from_millis(10));
    timeout(DEADLINE, async {
        while !what() {
            often.tick().await;
        }
    })
    .await
    .expect("not so in time");
}

/// The body of the answer. Empty if the service exits instead of answering.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    body.unwrap_or_default().to_owned()
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}
