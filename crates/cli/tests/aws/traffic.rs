//! `aws appmesh update-route` moves live traffic, and costs no request.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use testkit::backend::with_status;
use testkit::{Backend, Load, until};

use crate::client::{ANY_KEY, command};
use crate::server::Server;

const RATE: f64 = 2000.0;
const CONNECTIONS: u32 = 16;
const MOVES: usize = 10;

/// A virtual node's only endpoint, which remembers when it was asked.
struct Target {
    name: &'static str,
    backend: Backend,
    /// Since the epoch, in microseconds: the first request since it was made to forget, and the last.
    first: Arc<AtomicU64>,
    last: Arc<AtomicU64>,
}

impl Target {
    async fn start(name: &'static str) -> Self {
        let (first, last) = (
            Arc::new(AtomicU64::new(u64::MAX)),
            Arc::<AtomicU64>::default(),
        );
        let (earliest, latest) = (Arc::clone(&first), Arc::clone(&last));
        let backend = Backend::answering(move |_| {
            let now = micros(now());
            earliest.fetch_min(now, Ordering::Relaxed);
            latest.fetch_max(now, Ordering::Relaxed);
            with_status(200, name)
        });
        Self {
            name,
            backend: backend.await.unwrap(),
            first,
            last,
        }
    }

    fn node_spec(&self) -> Value {
        let port = self.backend.address.port();
        json!({
            "listeners": [{"portMapping": {"port": port, "protocol": "http"}}],
            "serviceDiscovery": {"dns": {"hostname": "127.0.0.1"}},
        })
    }
}

/// The command line, kept running between its commands.
struct CommandLine {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl CommandLine {
    fn start(server: &Server) -> Self {
        let mut command = command(server, &["timed.py"], ANY_KEY);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// `aws appmesh` with this spec: when its answer had come.
    fn run(&mut self, command: &str, names: &[&str], spec: &Value) -> u64 {
        let spec = spec.to_string();
        let arguments = [&[command], names, &["--spec", &spec]].concat();
        writeln!(self.stdin, "{}", json!(arguments)).unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim()
            .parse()
            .unwrap_or_else(|_| panic!("{arguments:?} failed"))
    }
}

impl Drop for CommandLine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

const ROUTE: [&str; 6] = [
    "--mesh-name",
    "appmesh-workshop",
    "--virtual-router-name",
    "crystal-router",
    "--route-name",
    "crystal-random-route",
];

/// All traffic of crystal to one node; the other stays a target without weight.
fn all_to(target: &Target, other: &Target) -> Value {
    let targets = json!([
        {"virtualNode": target.name, "weight": 1},
        {"virtualNode": other.name, "weight": 0},
    ]);
    let route = json!({"action": {"weightedTargets": targets}, "match": {"prefix": "/"}});
    json!({"httpRoute": route, "priority": 5})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn update_route_moves_the_traffic_of_a_running_mesh_under_load() {
    let mut server = Server::up();
    let gateway = server.said("tasks at http://");
    let gateway: SocketAddr = gateway.trim_end_matches('/').parse().unwrap();
    let (mut to, mut from) = (Target::start("one").await, Target::start("other").await);

    let mut aws = CommandLine::start(&server);
    for target in [&to, &from] {
        let names = [
            "--mesh-name",
            "appmesh-workshop",
            "--virtual-node-name",
            target.name,
        ];
        aws.run("create-virtual-node", &names, &target.node_spec());
    }
    aws.run("create-route", &ROUTE, &all_to(&to, &from));

    let request = "GET /crystal HTTP/1.1\r\nhost: crystal\r\n\r\n";
    let load = Load::start(gateway, CONNECTIONS, Some(RATE), request);
    let mut figures = Vec::new();
    for _ in 0..MOVES {
        more_requests(&load).await;
        assert!(to.backend.requests() > 0, "{} gets none", to.name);
        std::mem::swap(&mut to, &mut from);
        to.first.store(u64::MAX, Ordering::Relaxed);
        let answered = aws.run("update-route", &ROUTE, &all_to(&to, &from));
        until("the new target is asked", async || {
            to.first.load(Ordering::Relaxed) != u64::MAX
        })
        .await;
        until("the old target is asked no more", async || {
            let before = from.backend.requests();
            more_requests(&load).await;
            from.backend.requests() == before
        })
        .await;
        let (first, last) = (
            to.first.load(Ordering::Relaxed),
            from.last.load(Ordering::Relaxed),
        );
        figures.push((since(answered, first), since(answered, last)));
    }
    let report = load.stop().await.unwrap();

    let slowest_start = figures.iter().map(|(first, _)| *first).max().unwrap();
    let slowest_end = figures.iter().map(|(_, last)| *last).max().unwrap();
    println!(
        "{MOVES} moves, {} requests: from the answer at most {slowest_start:?} to the first request at \
         the new target, and {slowest_end:?} to the last at the old",
        report.total()
    );
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    assert_eq!(report.with_status(200), report.total());
    let to_us = report.with_text("one") + report.with_text("other");
    assert_eq!(to_us, report.total(), "some went elsewhere");
}

async fn more_requests(load: &Load) {
    let sent = load.sent();
    until("five hundred more requests", async || {
        load.sent() > sent + 500
    })
    .await;
}

/// Zero where it had happened before the answer came.
fn since(answered: u64, then: u64) -> Duration {
    Duration::from_micros(then.saturating_sub(answered))
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_micros().try_into().unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is measured here is real time, by two processes"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
