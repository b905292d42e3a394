//! `serin proxy`: gateways in processes of their own, which outlive their server and lose no evidence.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use testkit::raw::RawClient;
use testkit::{Load, until};

use crate::serin::{Running, admin, example, json, run, serin};

const REQUEST: &str = "GET /crystal HTTP/1.1\r\nhost: gateway\r\n\r\n";

/// An address that nobody listens on.
fn free() -> SocketAddr {
    let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    any.local_addr().unwrap()
}

fn start_server(state: &Path, manifest: &Path, api: SocketAddr) -> Running {
    let mut command = serin(state, &["up", "-f", manifest.to_str().unwrap()]);
    let mut server = Running::start(command.env("SERIN_API", api.to_string()));
    server.wait_for("crystal  ready");
    server
}

/// A gateway of its own that listens on `address`.
fn start_gateway(state: &Path, api: SocketAddr, address: SocketAddr) -> Running {
    start_gateway_with(state, api, address, &[])
}

fn start_gateway_with(
    state: &Path,
    api: SocketAddr,
    address: SocketAddr,
    options: &[&str],
) -> Running {
    let arguments = [
        "proxy",
        "--workers",
        "1",
        "--bind",
        "127.0.0.1",
        "--gateway-port",
        &format!("8080={}", address.port()),
        "--server",
        &format!("http://{api}"),
    ];
    let mut command = serin(state, &[&arguments[..], options].concat());
    command.env(
        "APPMESH_RESOURCE_ARN",
        "arn:aws:appmesh:us-east-1:111122223333:mesh/appmesh-workshop/virtualGateway/ingress-gw",
    );
    Running::start(&mut command)
}

/// What the server knows of the proxies elsewhere.
fn remote(state: &Path) -> Vec<Value> {
    let proxies = json(state, &["status"])["proxies"].take();
    let all = proxies.as_array().unwrap().clone();
    all.into_iter()
        .filter(|proxy| !proxy["instance"].is_null())
        .collect()
}

/// All of them carry what the server's own proxy carries.
fn carry_the_newest(state: &Path, count: usize) -> bool {
    let proxies = json(state, &["status"])["proxies"].take();
    let all = proxies.as_array().unwrap();
    let newest = &all[0]["revision"];
    all.len() == count + 1
        && all
            .iter()
            .all(|proxy| proxy["revision"] == *newest && proxy["connected"] == true)
}

fn judged(state: &Path) -> u64 {
    let evidence = json(state, &["status", "crystal"])["release"]["evidence"].take();
    ["canary", "stable"]
        .iter()
        .map(|arm| evidence[arm]["requests"].as_u64().unwrap())
        .sum()
}

async fn answers(address: SocketAddr) -> bool {
    let Ok(mut client) = RawClient::connect(address).await else {
        return false;
    };
    client
        .ask(REQUEST)
        .await
        .is_ok_and(|response| response.status == 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_goes_by_the_evidence_of_sidecars_that_outlive_their_server() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = &example(directory.path());
    let (api, gateways) = (free(), [free(), free()]);
    let server = start_server(state, manifest, api);
    let states = ["one", "two"].map(|name| directory.path().join(name));
    let [first, second] = [0, 1].map(|which| start_gateway(&states[which], api, gateways[which]));
    until("both gateways are connected", async || {
        carry_the_newest(state, 2)
    })
    .await;

    let release = ["release", "crystal", "--tag", "next", "--policy", "manual"];
    let (code, _, stderr) = run(state, &[&release[..], &["--detach"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let mut follow = Running::start(&mut serin(state, &["follow", "crystal"]));
    follow.wait_for("all tasks are healthy");
    let (code, _, stderr) = run(state, &["set", "crystal", "50%"]);
    assert_eq!(code, 0, "{stderr}");
    follow.wait_for("share set to 50 %");
    until("the weights are carried", async || {
        carry_the_newest(state, 2)
    })
    .await;

    // The server dies while requests go on, and comes back.
    let loads = gateways.map(|gateway| Load::start(gateway, 4, Some(200.0), REQUEST));
    let sent = || loads.iter().map(Load::sent).sum::<u64>();
    until("requests are judged", async || judged(state) > 100).await;
    server.signal(Signal::KILL);
    server.finish();
    let before = sent();
    until("requests go on without a server", async || {
        sent() > before + 200
    })
    .await;
    let server = start_server(state, manifest, api);
    until("both gateways are back", async || remote(state).len() == 2).await;
    let before = sent();
    until("requests go on", async || sent() > before + 100).await;
    let mut answered = 0;
    for load in loads {
        let report = load.stop().await.unwrap();
        assert_eq!(report.total(), report.with_status(200), "{report:?}");
        answered += report.total();
    }

    // None was lost, and none counts twice.
    until("every request is judged", async || {
        judged(state) >= answered
    })
    .await;
    assert_eq!(judged(state), answered);
    let (code, _, stderr) = run(state, &["promote", "crystal"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = run(state, &["follow", "crystal"]);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert_eq!(judged(state), answered);

    // A gateway that starts while the server is away serves with the view on its disk.
    second.signal(Signal::TERM);
    let (code, _, stderr) = second.finish();
    assert_eq!(code, 0, "{stderr}");
    until("the gateway said goodbye", async || {
        remote(state).len() == 1
    })
    .await;
    server.signal(Signal::KILL);
    server.finish();
    let second = start_gateway(&states[1], api, gateways[1]);
    until("the view on disk is served", async || {
        answers(gateways[1]).await
    })
    .await;
    let server = start_server(state, manifest, api);
    until("the gateway catches up", async || {
        carry_the_newest(state, 2)
    })
    .await;

    // What a gateway cannot bind is told where people look.
    let taken = start_gateway(&directory.path().join("three"), api, gateways[0]);
    until("the refusal is seen", async || {
        remote(state).iter().any(|proxy| {
            let reason = proxy["refused"]["reason"].as_str().unwrap_or_default();
            reason.contains(&gateways[0].to_string())
        })
    })
    .await;
    drop(taken);
    for gateway in [first, second] {
        gateway.signal(Signal::TERM);
        let (code, _, stderr) = gateway.finish();
        assert_eq!(code, 0, "{stderr}");
    }
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_is_replaced_twice_under_load_and_no_request_fails() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = &example(directory.path());
    let (api, gateway, desk) = (free(), free(), free());
    let _server = start_server(state, manifest, api);
    let own = &directory.path().join("gateway");
    let port = desk.to_string();
    let mut running = start_gateway_with(own, api, gateway, &["--admin", &port]);
    until("the gateway serves", async || answers(gateway).await).await;
    // The answers above are reported first.
    until("the first request is counted", async || counted(state) > 0).await;
    let requests = counted(state);
    let load = Load::start(gateway, 8, Some(400.0), REQUEST);

    // Whoever asks for the sockets and dies changes nothing.
    let place = std::fs::read_dir(own)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("takeover-"));
    drop(std::os::unix::net::UnixStream::connect(place.unwrap()).unwrap());

    for _ in 0..2 {
        let options = ["--replace", "--admin", &port];
        let next = start_gateway_with(own, api, gateway, &options);
        let before = std::mem::replace(&mut running, next);
        let (code, _, stderr) = before.finish();
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains("another process serves now"), "{stderr}");
    }
    let sent = load.sent();
    until("requests go on", async || load.sent() > sent + 100).await;
    let report = load.stop().await.unwrap();
    assert_eq!(report.total(), report.with_status(200), "{report:?}");
    // Those that were replaced have told the server all that they counted.
    until("every request is counted", async || {
        counted(state) >= requests + report.total()
    })
    .await;
    assert_eq!(counted(state), requests + report.total());

    until("the admin port is the last one's", async || {
        tokio::net::TcpStream::connect(desk).await.is_ok()
    })
    .await;
    assert_eq!(admin(desk, "GET /ready").await, (200, "LIVE\n".into()));
    let (_, statistics) = admin(desk, "GET /stats/prometheus").await;
    assert!(
        statistics.contains(
            "serin_ended_requests_total{node=\"mesh/appmesh-workshop/virtualGateway/ingress-gw\""
        ),
        "{statistics}"
    );
    let (_, clusters) = admin(desk, "GET /clusters").await;
    assert!(clusters.contains("::health_flags::healthy"), "{clusters}");
    let (_, views) = admin(desk, "GET /config_dump").await;
    let views: Value = serde_json::from_str(&views).unwrap();
    assert_eq!(
        views["views"][0]["listeners"][0]["bind"],
        gateway.to_string()
    );
    assert_eq!(admin(desk, "POST /logging?level=debug").await.0, 200);
    assert_eq!(admin(desk, "GET /logging").await.1, "debug\n");
    assert_eq!(admin(desk, "POST /logging?level=a=b=c").await.0, 400);
    assert_eq!(admin(desk, "GET /drain_listeners").await.0, 405);
    assert_eq!(admin(desk, "POST /drain_listeners").await.0, 200);
    until("nobody is let in", async || !answers(gateway).await).await;
    assert_eq!(admin(desk, "GET /ready").await.0, 503);
    assert_eq!(admin(desk, "POST /quitquitquit").await.0, 200);
    let (code, _, stderr) = running.finish();
    assert_eq!(code, 0, "{stderr}");
}

/// Requests of the stable version that ended, as the server counts them.
fn counted(state: &Path) -> u64 {
    let service = json(state, &["status", "crystal"]);
    service["versions"][0]["requests"].as_u64().unwrap()
}
