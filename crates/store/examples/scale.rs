//! A mesh of 10,000 virtual nodes and 50,000 routes: how long its store takes, and how much memory.
//!
//! `cargo run --release -p store --example scale [DIRECTORY]`. Every change is durable, expects the version before it
//! and carries an idempotency token, as a request of the API does. Without a directory the file is a temporary one.

#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use model::spec::{
    HttpRoute, HttpRouteMatch, RouteAction, RouteSpec, VirtualNodeSpec, VirtualRouterSpec,
    WeightedTarget,
};
use model::{Kind, Metadata, Resource, ResourceId, Spec, Timestamp};
use serde_json::json;
use store::{Change, Durability, Embedded, Expect, Fingerprint, IdempotencyToken, Store};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const MESH: &str = "scale";
const NODES: usize = 10_000;
const ROUTES: usize = 50_000;
const ROUTERS: usize = 500;
const CLIENTS: usize = 16;
const MEASURED: usize = 2_000;
const PAGE: usize = 100;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

mod clock {
    use std::time::Instant;

    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }
}

fn main() -> Outcome<()> {
    let runtime = Runtime::new()?;
    let temporary = tempfile::tempdir()?;
    let directory = env::args().nth(1);
    let directory = directory.as_deref().map_or(temporary.path(), Path::new);
    let path = directory.join("scale.redb");

    let store = Arc::new(Embedded::open(&path)?);
    let empty = resident_megabytes()?;
    runtime.block_on(create_all(&store))?;
    println!(
        "memory     {:>8} MB more than empty",
        resident_megabytes()? - empty
    );
    println!("file       {:>8} MB", fs::metadata(&path)?.len() >> 20);

    runtime.block_on(update(&store, 1))?;
    runtime.block_on(update(&store, CLIENTS))?;
    runtime.block_on(record_evidence(&store))?;
    describe(&store);
    list(&store);

    let (took, archive) = timed(|| runtime.block_on(store.export()));
    let lines = archive?.resources().len();
    println!("export     {lines:>8} resources in {took:.0?}");
    drop(store);
    let (took, reopened) = timed(|| Embedded::open(&path));
    let found = reopened?.snapshot().len();
    println!("open       {found:>8} resources in {took:.0?}");
    Ok(())
}

/// As many clients at once create everything, nodes and routers before the routes.
async fn create_all(store: &Arc<Embedded>) -> Outcome<()> {
    let routers = (0..ROUTERS).map(|n| {
        let id = ResourceId::virtual_router(MESH, format!("router-{n}"));
        resource(id, VirtualRouterSpec::default())
    });
    let nodes = (0..NODES).map(|n| resource(node_id(n), VirtualNodeSpec::default()));
    let routes = (0..ROUTES).map(|n| resource(route_id(n), route(n, 100)));
    let all: Arc<Vec<Resource>> = Arc::new(routers.chain(nodes).chain(routes).collect());

    let (took, times) = at_once(CLIENTS, |client| {
        let (store, all) = (Arc::clone(store), Arc::clone(&all));
        async move {
            let mut times = Vec::new();
            for resource in all.iter().skip(client).step_by(CLIENTS) {
                let change = Change::new()
                    .expect(Expect::Absent(resource.id.clone()))
                    .once(token(resource)?)
                    .put(resource.clone());
                times.push(time(store.commit(change)).await?);
            }
            Ok(times)
        }
    })
    .await?;
    report("create", CLIENTS, took, times);
    Ok(())
}

/// Moves weights: each client its own routes.
async fn update(store: &Arc<Embedded>, clients: usize) -> Outcome<()> {
    let (took, times) = at_once(clients, |client| {
        let store = Arc::clone(store);
        async move {
            let mut times = Vec::new();
            for n in (client..MEASURED).step_by(clients) {
                let n = n * (ROUTES / MEASURED);
                let snapshot = store.snapshot();
                let old = snapshot.get(&route_id(n)).ok_or("a route is missing")?;
                let mut new = (**old).clone();
                new.spec = Spec::from(route(n, 95));
                new.metadata = old.metadata.changed(Timestamp::from_millis(1));
                let change = Change::new()
                    .expect(Expect::Version {
                        id: old.id.clone(),
                        version: old.metadata.version,
                    })
                    .once(token(&new)?)
                    .append("release/scale/1", json!({ "share": 0.05 }))
                    .put(new);
                times.push(time(store.commit(change)).await?);
            }
            Ok(times)
        }
    })
    .await?;
    report("update", clients, took, times);
    Ok(())
}

/// Evidence is eventual: it does not wait for the disk.
async fn record_evidence(store: &Arc<Embedded>) -> Outcome<()> {
    let (took, times) = at_once(1, |_| {
        let store = Arc::clone(store);
        async move {
            let mut times = Vec::new();
            for n in 0..MEASURED {
                let change = Change::new()
                    .append("evidence", json!({ "requests": n, "failed": 0 }))
                    .durability(Durability::Eventual);
                times.push(time(store.commit(change)).await?);
            }
            Ok(times)
        }
    })
    .await?;
    report("evidence", 1, took, times);
    Ok(())
}

fn describe(store: &Embedded) {
    let ids: Vec<ResourceId> = (0..MEASURED)
        .map(|n| route_id(n * 7_919 % ROUTES))
        .collect();
    let (took, times) = timed(|| {
        let describe = |id| timed(|| store.snapshot().get(id).cloned()).0;
        ids.iter().map(describe).collect()
    });
    report("describe", 1, took, times);
}

/// A page of nodes from somewhere in the middle, as a paging token asks for it.
fn list(store: &Embedded) {
    let (took, times) = timed(|| {
        let page = |n: usize| {
            let snapshot = store.snapshot();
            let nodes = snapshot.of_kind(MESH, Kind::VirtualNode);
            let page: Vec<_> = nodes.skip(n * 7_919 % NODES).take(PAGE).cloned().collect();
            page.len()
        };
        (0..MEASURED).map(|n| timed(|| page(n)).0).collect()
    });
    report("list 100", 1, took, times);
}

fn node_id(n: usize) -> ResourceId {
    ResourceId::virtual_node(MESH, format!("node-{n}"))
}

fn route_id(n: usize) -> ResourceId {
    ResourceId::route(
        MESH,
        format!("router-{}", n % ROUTERS),
        format!("route-{n}"),
    )
}

fn route(n: usize, weight: i32) -> RouteSpec {
    let target = |n: usize, weight| WeightedTarget {
        virtual_node: format!("node-{}", n % NODES),
        weight,
        port: None,
    };
    RouteSpec {
        priority: Some(10),
        http_route: Some(HttpRoute {
            action: RouteAction {
                weighted_targets: vec![target(n, weight), target(n + 1, 100 - weight)],
            },
            matches: HttpRouteMatch {
                prefix: Some(format!("/part-{n}/")),
                ..HttpRouteMatch::default()
            },
            retry_policy: None,
            timeout: None,
        }),
        ..RouteSpec::default()
    }
}

fn resource(id: ResourceId, spec: impl Into<Spec>) -> Resource {
    let uid = format!("01234567-89ab-cdef-0123-{:012x}", id.path().len());
    let metadata = Metadata::new(uid, "123456789012", Timestamp::from_millis(0));
    Resource::new(id, spec, metadata)
}

fn token(resource: &Resource) -> Outcome<IdempotencyToken> {
    let request = serde_json::to_string(resource)?;
    Ok(IdempotencyToken {
        token: format!("{} {}", resource.id, resource.metadata.version),
        fingerprint: Fingerprint::of(request.as_bytes()),
        now: Timestamp::from_millis(0),
    })
}

/// Runs clients side by side; the time until the last has ended, and all that they measured.
async fn at_once<F>(
    clients: usize,
    client: impl Fn(usize) -> F,
) -> Outcome<(Duration, Vec<Duration>)>
where
    F: Future<Output = Outcome<Vec<Duration>>> + Send + 'static,
{
    let start = clock::now();
    let mut running: JoinSet<_> = (0..clients).map(client).collect();
    let mut times = Vec::new();
    while let Some(ended) = running.join_next().await {
        times.extend(ended??);
    }
    Ok((start.elapsed(), times))
}

async fn time<T, E>(action: impl Future<Output = Result<T, E>>) -> Result<Duration, E> {
    let start = clock::now();
    action.await?;
    Ok(start.elapsed())
}

fn timed<T>(action: impl FnOnce() -> T) -> (Duration, T) {
    let start = clock::now();
    let outcome = action();
    (start.elapsed(), outcome)
}

fn report(what: &str, clients: usize, took: Duration, mut times: Vec<Duration>) {
    times.sort_unstable();
    let count = times.len();
    let quantile = |part: f64| times[((count - 1) as f64 * part) as usize];
    let rate = count as f64 / took.as_secs_f64();
    println!(
        "{what:<10} {count:>8} by {clients:>2} clients  p50 {:>8.1?}  p99 {:>8.1?}  max {:>8.1?}  {rate:>8.0}/s",
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
    );
}

fn resident_megabytes() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes
        .ok_or("no VmRSS in /proc/self/status")?
        .parse::<u64>()?
        >> 10)
}
