//! A running `serin up` with its lanes and their load, driven by its command line.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::Load;
use tokio::runtime::Runtime;

use crate::case::{Behaviour, Case, Ending, GOOD};

pub(crate) struct Mesh {
    serin: PathBuf,
    directory: TempDir,
    server: Child,
    /// Its load runs as long as the mesh does.
    _load: (Runtime, Vec<Load>),
}

impl Mesh {
    pub(crate) fn start(serin: &Path, lanes: usize, rate: f64) -> Self {
        let serin = fs::canonicalize(serin).expect("--serin names a binary");
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let program = std::env::current_exe().expect("this program has a path");
        let mut manifest = "mesh: live\ngateway: {port: 0}\nservices:\n".to_owned();
        for lane in 0..lanes {
            write_behaviour(directory.path(), lane, &GOOD);
            manifest.push_str(&format!(
                "  lane{lane}: {{run: [{program:?}, service], source: lane{lane}, \
                 path: /lane{lane}, tag: v0}}\n"
            ));
        }
        fs::write(directory.path().join("serin.yaml"), manifest).expect("the manifest is written");
        let log = fs::File::create(directory.path().join("up.log")).expect("the log is made");
        let server = Command::new(&serin)
            .args(["up", "--api", "127.0.0.1:0"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log is shared"))
            .stderr(log)
            .spawn()
            .expect("serin starts");
        let runtime = Runtime::new().expect("threads for the load start");
        let mut mesh = Self {
            serin,
            directory,
            server,
            _load: (runtime, Vec::new()),
        };
        let gateway = mesh.wait_until_ready(lanes);
        let (runtime, load) = &mut mesh._load;
        let _entered = runtime.enter();
        for lane in 0..lanes {
            let request = format!("GET /lane{lane}/ HTTP/1.1\r\nhost: live\r\n\r\n");
            load.push(Load::start(gateway, 16, Some(rate), request));
        }
        mesh
    }

    /// Until every lane serves; then the gateway's address.
    fn wait_until_ready(&self, lanes: usize) -> SocketAddr {
        for _ in 0..600 {
            thread::sleep(Duration::from_millis(200));
            let Some(status) = self.asked(&["status"]) else {
                continue;
            };
            let services = status["services"].as_array().map_or(&[][..], Vec::as_slice);
            let ready = services.iter().filter(|service| service["ready"] == true);
            if ready.count() == lanes {
                let gateway = status["gateway"].as_str().unwrap_or_default();
                let address = gateway.trim_start_matches("http://").parse();
                return address.expect("the gateway has an address");
            }
        }
        panic!(
            "{}",
            fs::read_to_string(self.directory.path().join("up.log")).unwrap_or_default()
        );
    }

    /// Releases a version and follows it to its end, or to the limit.
    pub(crate) fn release(&self, lane: usize, number: u32, case: &Case, limit: u64) -> Ending {
        write_behaviour(self.directory.path(), lane, &case.behaviour);
        let (service, tag) = (format!("lane{lane}"), format!("v{number}"));
        let begun = self.run(&[
            "release", &service, "--tag", &tag, "--policy", "auto", "--detach",
        ]);
        assert!(
            begun.status.success(),
            "{}",
            String::from_utf8_lossy(&begun.stderr)
        );
        let mut canary_since = None;
        let mut seconds = 0.0;
        for tick in 0.. {
            thread::sleep(Duration::from_millis(500));
            let Some(status) = self.asked(&["status", &service]) else {
                continue;
            };
            let release = &status["release"];
            if canary_since.is_none() && release["share"]["set"] != "0 %" {
                canary_since = Some(tick);
            }
            // Once it has ended, its winding up is over too: what counts is when it was decided.
            if let Some(since) = canary_since {
                seconds = f64::from(tick - since) * 0.5;
            }
            if !release["ended"].is_null() || seconds > limit as f64 {
                return self.ending(lane, case, seconds, release);
            }
        }
        unreachable!("the loop ends by its limit")
    }

    fn ending(&self, lane: usize, case: &Case, seconds: f64, release: &Value) -> Ending {
        let service = format!("lane{lane}");
        let tag = release["tag"].as_str().unwrap_or_default();
        let outcome = release["ended"]["outcome"].as_str().unwrap_or_default();
        let ending = Ending {
            case: case.clone(),
            rolled_back: outcome == "rolledBack",
            promoted: outcome == "promoted",
            seconds: self.decided_after(&service).unwrap_or(seconds),
            canary_requests: release["evidence"]["canary"]["requests"]
                .as_u64()
                .unwrap_or_default(),
            canary_failures: release["evidence"]["canary"]["failures"]
                .as_u64()
                .unwrap_or_default(),
            reason: release["ended"]["reason"]
                .as_str()
                .or(release["now"].as_str())
                .unwrap_or_default()
                .to_owned(),
        };
        write_behaviour(self.directory.path(), lane, &GOOD);
        if ending.promoted && !case.healthy {
            self.run(&[
                "release",
                &service,
                "--tag",
                &format!("{tag}-mended"),
                "--policy",
                "manual",
                "--detach",
            ]);
            self.until_ended(&service, "promote");
        } else if outcome.is_empty() {
            self.until_ended(&service, "rollback");
        }
        ending
    }

    /// Gives the order until it is taken and the release has ended.
    fn until_ended(&self, service: &str, order: &str) {
        loop {
            self.run(&[order, service]);
            thread::sleep(Duration::from_millis(500));
            let status = self.asked(&["status", service]);
            if status.is_some_and(|status| !status["release"]["ended"].is_null()) {
                return;
            }
        }
    }

    /// Seconds from the first share to the decision, by the journal.
    fn decided_after(&self, service: &str) -> Option<f64> {
        let why = self.asked(&["why", service])?;
        let events = why["events"].as_array()?;
        let at = |name: &str| {
            let event = events.iter().find(|event| event["event"] == name)?;
            event["at"].as_str()?.parse::<jiff::Timestamp>().ok()
        };
        Some(at("decided")?.duration_since(at("shareSet")?).as_secs_f64())
    }

    fn asked(&self, arguments: &[&str]) -> Option<Value> {
        let output = self.run(&[arguments, &["-o", "json"]].concat());
        serde_json::from_slice(&output.stdout).ok()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.serin)
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .expect("serin runs")
    }
}

fn write_behaviour(directory: &Path, lane: usize, behaviour: &Behaviour) {
    let source = directory.join(format!("lane{lane}"));
    fs::create_dir_all(&source).expect("the source is made");
    let text = serde_json::to_string(behaviour).expect("a behaviour is JSON");
    fs::write(source.join("behaviour.json"), text).expect("the source is written");
}

impl Drop for Mesh {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.server);
        // It stops its tasks; nobody is left to tell if it does not.
        if rustix::process::kill_process(id, rustix::process::Signal::INT).is_ok() {
            drop(self.server.wait());
        }
    }
}
