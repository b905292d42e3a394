//! Identities of a mesh's own certificate authority, for proxies on their own under `serin serve`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::raw::RawClient;
use testkit::{Backend, until};

use crate::serin::{Running, serin};

const CALL: &str = "GET / HTTP/1.1\r\nhost: cart.local\r\n\r\n";

/// An address that nobody listens on.
fn free() -> SocketAddr {
    let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    any.local_addr().unwrap()
}

/// A server whose proxies have a token each.
fn start_server(directory: &Path, api: SocketAddr) -> Running {
    let mut configuration = String::from("proxyTokens:\n");
    for node in ["cart", "web"] {
        let file = directory.join(node);
        std::fs::write(&file, format!("the token of {node} alone")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        configuration += &format!("  mesh/shop/virtualNode/{node}: {{ file: {node} }}\n");
    }
    let file = directory.join("server.yaml");
    std::fs::write(&file, configuration).unwrap();
    let arguments = ["serve", "--config", file.to_str().unwrap()];
    let state = directory.join("server");
    let mut command = serin(&state, &arguments);
    let mut server = Running::start(command.env("SERIN_API", api.to_string()));
    server.wait_for("server up");
    server
}

async fn create(api: SocketAddr, what: &str, body: Value) {
    let body = body.to_string();
    let request = format!(
        "PUT /v20190125/meshes{what} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = RawClient::connect(api).await.unwrap();
    let response = client.ask(request).await.unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
}

/// The node `web` calls the node `cart`, and both prove who they are.
async fn create_mesh(api: SocketAddr, port: u16) {
    let validation = json!({"trust": {"sds": {"secretName": "roots"}}});
    let is_cart = json!({
        "trust": {"sds": {"secretName": "roots"}},
        "subjectAlternativeNames": {"match": {"exact": ["spiffe://shop/cart"]}},
    });
    create(api, "", json!({"meshName": "shop"})).await;
    let cart = json!({
        "listeners": [{
            "portMapping": {"port": port, "protocol": "http"},
            "tls": {
                "mode": "STRICT",
                "certificate": {"sds": {"secretName": "own"}},
                "validation": validation,
            },
        }],
        "serviceDiscovery": {"dns": {"hostname": "localhost", "ipPreference": "IPv4_ONLY"}},
    });
    let node = json!({"virtualNodeName": "cart", "spec": cart});
    create(api, "/shop/virtualNodes", node).await;
    let provider = json!({"virtualNode": {"virtualNodeName": "cart"}});
    let service = json!({"virtualServiceName": "cart.local", "spec": {"provider": provider}});
    create(api, "/shop/virtualServices", service).await;
    let policy = json!({"tls": {
        "enforce": true,
        "certificate": {"sds": {"secretName": "own"}},
        "validation": is_cart,
    }});
    let backend = json!({"virtualService": {
        "virtualServiceName": "cart.local",
        "clientPolicy": policy,
    }});
    let node = json!({"virtualNodeName": "web", "spec": {"backends": [backend]}});
    create(api, "/shop/virtualNodes", node).await;
}

fn start_proxy(
    directory: &Path,
    node: &str,
    token: &str,
    api: SocketAddr,
    options: &[&str],
) -> Running {
    let token = directory.join(token);
    let arguments = [
        "proxy",
        "--workers",
        "1",
        "--bind",
        "127.0.0.1",
        "--server",
        &format!("http://{api}"),
        "--node",
        &format!("mesh/shop/virtualNode/{node}"),
        "--token-file",
        token.to_str().unwrap(),
    ];
    let state = directory.join(format!("state-of-{node}"));
    Running::start(&mut serin(&state, &[&arguments[..], options].concat()))
}

async fn is_called(egress: SocketAddr) -> bool {
    let Ok(mut client) = RawClient::connect(egress).await else {
        return false;
    };
    let answer = client.ask(CALL).await;
    answer.is_ok_and(|answer| (answer.status, answer.text()) == (200, "the cart".to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_call_each_other_over_mutual_tls_and_need_no_server_to_start_again() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let application = Backend::saying("the cart").await.unwrap();
    let (api, ingress, egress) = (free(), free(), free());
    let server = start_server(directory, api);
    create_mesh(api, ingress.port()).await;

    // Who holds another node's token gets neither its view nor its identity.
    let thief = start_proxy(directory, "cart", "web", api, &["--egress", "off"]);
    let port = ingress.port();
    let own = [
        "--egress",
        "off",
        "--ingress",
        &format!("{port}={port}"),
        "--app-port",
        &format!("{port}={}", application.address.port()),
    ];
    let egress_option = egress.to_string();
    let _web = start_proxy(directory, "web", "web", api, &["--egress", &egress_option]);
    until("the caller listens", async || {
        RawClient::connect(egress).await.is_ok()
    })
    .await;
    assert!(!is_called(egress).await, "nobody serves yet");
    until("the thief is refused", async || {
        let log = std::fs::read_to_string(directory.join("server/server.log"));
        log.is_ok_and(|log| log.contains("a proxy holds another node's token"))
    })
    .await;
    thief.signal(Signal::TERM);
    let (_, _, stderr) = thief.finish();
    assert!(stderr.contains("the token is not for"), "{stderr}");
    let stolen = directory.join("state-of-cart/identities");
    assert!(
        !stolen.exists(),
        "an identity was given to another node's proxy"
    );

    let cart = start_proxy(directory, "cart", "cart", api, &own);
    until("the call is answered", async || is_called(egress).await).await;
    let mut plain = RawClient::connect(ingress).await.unwrap();
    let answer = plain
        .ask("GET / HTTP/1.1\r\nhost: cart.local\r\n\r\n")
        .await;
    assert!(answer.is_err(), "plain text was served");
    let kept = directory.join("state-of-cart/identities/mesh_shop_virtualNode_cart.json");
    let mode = std::fs::metadata(kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    server.signal(Signal::KILL);
    server.finish();
    cart.signal(Signal::TERM);
    let (code, _, stderr) = cart.finish();
    assert_eq!(code, 0, "{stderr}");
    assert!(!is_called(egress).await);
    let _cart = start_proxy(directory, "cart", "cart", api, &own);
    until("the call is answered without a server", async || {
        is_called(egress).await
    })
    .await;
}
