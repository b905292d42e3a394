//! A mesh of 10,000 virtual nodes and 50,000 routes, through the API: how long each kind of call takes, how much memory
//! and disk it costs.
//!
//! `cargo run --release -p appmesh --example scale [DIRECTORY]`. The store is the embedded one, so every change is on
//! disk before it is answered; without a directory the file is a temporary one. What comes out is a table for
//! `docs/benchmarks/appmesh-scale.md`.

#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]

use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use appmesh::{AppMesh, Quotas, Settings};
use store::{Embedded, Store};
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::measure::{Timed, clock, measure, report_heading, timed};

mod client;
mod disk;
mod measure;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const NODES: usize = 10_000;
const ROUTES: usize = 50_000;
const ROUTERS: usize = 1_000;
const WRITERS: usize = 16;

fn main() -> Outcome<()> {
    let runtime = Runtime::new()?;
    let temporary = tempfile::tempdir()?;
    let directory = env::args().nth(1);
    let directory = directory.as_deref().map_or(temporary.path(), Path::new);
    let path = directory.join("scale.redb");

    let store = Arc::new(Embedded::open(&path)?);
    let client = Arc::new(Client::new(api(store.clone())));
    report_heading();
    disk::report(directory)?;

    let empty = resident_megabytes()?;
    runtime.block_on(fill(&client))?;
    let full = resident_megabytes()?;
    runtime.block_on(read(&client))?;
    for writers in [1, WRITERS] {
        runtime.block_on(write(&client, writers))?;
    }
    println!();
    println!("- memory (RSS): {full} MB with everything in it, {empty} MB when empty");
    println!("- file: {} MB", fs::metadata(&path)?.len() >> 20);
    drop((client, store));
    let (took, reopened) = timed(|| Embedded::open(&path));
    let found = reopened?.snapshot().len();
    println!("- a restart reads and checks all {found} resources in {took:.1?}");
    Ok(())
}

fn api(store: Arc<dyn Store>) -> AppMesh {
    let quotas = Quotas {
        virtual_nodes_per_mesh: 2 * NODES,
        virtual_routers_per_mesh: 2 * ROUTERS,
        routes_per_virtual_router: ROUTES,
        ..Quotas::default()
    };
    let settings = Settings {
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        quotas,
        uid: || "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
    };
    AppMesh::new(store, settings)
}

/// Everything is created by many at once, what is referred to first.
async fn fill(client: &Arc<Client>) -> Outcome<()> {
    client.create_mesh().await?;
    let (routers, nodes, routes) = (0..ROUTERS, 0..NODES, 0..ROUTES);
    measure(
        client,
        "create routers",
        WRITERS,
        routers,
        Client::create_router,
    )
    .await?;
    measure(client, "create nodes", WRITERS, nodes, Client::create_node).await?;
    measure(
        client,
        "create routes",
        WRITERS,
        routes,
        Client::create_route,
    )
    .await
}

async fn read(client: &Arc<Client>) -> Outcome<()> {
    let (nodes, routers) = (0..NODES, 0..ROUTERS);
    measure(
        client,
        "describe a node",
        1,
        nodes.clone(),
        Client::describe_node,
    )
    .await?;
    measure(client, "describe a route", 1, nodes, Client::describe_route).await?;
    measure(
        client,
        "list 100 nodes",
        1,
        0..1_000,
        Client::list_first_nodes,
    )
    .await?;
    measure(
        client,
        "list a router's 50 routes",
        1,
        routers,
        Client::list_routes,
    )
    .await?;
    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let start = clock::now();
        token = client.list_nodes(token).await?.next_token;
        pages.push(start.elapsed());
        if token.is_none() {
            break;
        }
    }
    Timed::new("list all nodes, each page", 1, pages).report();
    Ok(())
}

/// Changes to a full mesh, which is as large afterwards.
async fn write(client: &Arc<Client>, writers: usize) -> Outcome<()> {
    let count = 500 * writers;
    let (nodes, routes) = (NODES..NODES + count, ROUTES..ROUTES + count);
    measure(
        client,
        "create a node",
        writers,
        nodes.clone(),
        Client::create_node,
    )
    .await?;
    measure(
        client,
        "create a route",
        writers,
        routes.clone(),
        Client::create_route,
    )
    .await?;
    measure(
        client,
        "update a node",
        writers,
        0..count,
        Client::update_node,
    )
    .await?;
    measure(
        client,
        "update a route",
        writers,
        0..count,
        Client::update_route,
    )
    .await?;
    measure(
        client,
        "delete a route",
        writers,
        routes,
        Client::delete_route,
    )
    .await?;
    measure(client, "delete a node", writers, nodes, Client::delete_node).await?;
    let refused = "be refused to delete a target";
    measure(
        client,
        refused,
        writers,
        0..count,
        Client::fail_to_delete_node,
    )
    .await
}

fn resident_megabytes() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes = kilobytes.ok_or("no VmRSS in /proc/self/status")?;
    Ok(kilobytes.parse::<u64>()? >> 10)
}
