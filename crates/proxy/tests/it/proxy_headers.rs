//! The PROXY protocol with those who made it and those who speak it: HAProxy in front and behind, nginx
//! behind.

use std::net::SocketAddr;
use std::path::Path;

use testkit::backend::with_status;
use testkit::raw::RawServer;
use testkit::{Backend, until};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use view::*;

use crate::mesh::{Proxy, gateway_to, nobody, node};

/// A server of somebody else's, until dropped.
pub(crate) struct Foreign {
    pub(crate) address: SocketAddr,
    _process: Child,
    _directory: tempfile::TempDir,
}

impl Foreign {
    /// `configuration`: by the address to listen on and the directory to write to.
    async fn start(
        program: &str,
        arguments: &[&str],
        configuration: impl Fn(SocketAddr, &Path) -> String,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = nobody();
        let file = directory.path().join("configuration");
        std::fs::write(&file, configuration(address, directory.path())).unwrap();
        // scripts/prerequisites installs the program.
        let process = Command::new(program)
            .args(arguments)
            .arg(&file)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        until("the foreign server listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self {
            address,
            _process: process,
            _directory: directory,
        }
    }

    pub(crate) async fn haproxy(section: impl Fn(SocketAddr) -> String) -> Self {
        Self::start("haproxy", &["-db", "-f"], |address, _| {
            format!(
                "defaults\n timeout connect 9s\n timeout client 9s\n timeout server 9s\n{}\n",
                section(address)
            )
        })
        .await
    }

    async fn haproxy_in_front_of(address: SocketAddr, how: &str) -> Self {
        Self::haproxy(|own| {
            format!("listen in\n mode tcp\n bind {own}\n server behind {address} {how}")
        })
        .await
    }

    /// Answers with who, it was told, connected to whom.
    async fn haproxy_behind() -> Self {
        Self::haproxy(|own| {
            format!(
                "frontend in\n mode http\n bind {own} accept-proxy\n http-request return status 200 \
                 content-type text/plain lf-string \"%[src]:%[src_port] %[dst]:%[dst_port]\""
            )
        })
        .await
    }

    /// Answers with who, it was told, connected to whom.
    async fn nginx_behind() -> Self {
        Self::start("nginx", &["-e", "stderr", "-c"], |address, directory| {
            let directory = directory.display();
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|what| format!("{what}_temp_path {directory}/{what};"))
                .join(" ");
            format!(
                "daemon off; master_process off; pid {directory}/pid; events {{}} \
                 http {{ access_log off; {temporary} server {{ listen {address} proxy_protocol; \
                 location / {{ return 200 \"$proxy_protocol_addr:$proxy_protocol_port \
                 $proxy_protocol_server_addr:$proxy_protocol_server_port\"; }} }} }}"
            )
        })
        .await
    }
}

/// Connections to one endpoint, announced to it.
fn announcing(endpoint: SocketAddr, version: ProxyVersion) -> NodeView {
    let mut view = node(Entry::Service { service: 0 }, &[("v", 1, &[endpoint])]);
    view.listeners[0].protocol = Protocol::Tcp;
    view.clusters[0].protocol = Protocol::Tcp;
    view.clusters[0].sends_proxy_header = Some(version);
    view
}

fn expecting(mut view: NodeView) -> NodeView {
    view.listeners[0].expects_proxy_header = true;
    view
}

const GET: &str = "GET / HTTP/1.1\r\nHost: crystal.local\r\n\r\n";

#[tokio::test]
async fn haproxy_and_nginx_learn_who_connected() {
    for foreign in [
        Foreign::haproxy_behind().await,
        Foreign::nginx_behind().await,
    ] {
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            let proxy = Proxy::running(&announcing(foreign.address, version)).await;
            let mut client = proxy.client().await;
            let own = client.local_address().unwrap();
            let told = client.ask(GET).await.unwrap().text();
            assert_eq!(told, format!("{own} {}", proxy.address), "{version:?}");
        }
    }
}

#[tokio::test]
async fn each_client_of_a_gateway_is_announced_as_itself() {
    let behind = Foreign::nginx_behind().await;
    let mut view = gateway_to(behind.address);
    view.clusters[0].sends_proxy_header = Some(ProxyVersion::V2);
    let proxy = Proxy::running(&view).await;
    let mut clients = [proxy.client().await, proxy.client().await];
    for _ in 0..3 {
        for client in &mut clients {
            let own = client.local_address().unwrap();
            let told = client.ask(GET).await.unwrap().text();
            assert_eq!(told, format!("{own} {}", proxy.address));
        }
    }
}

#[tokio::test]
async fn what_haproxy_tells_is_passed_on() {
    let behind = Foreign::haproxy_behind().await;
    for how in ["send-proxy", "send-proxy-v2"] {
        let view = expecting(announcing(behind.address, ProxyVersion::V2));
        let proxy = Proxy::running(&view).await;
        let in_front = Foreign::haproxy_in_front_of(proxy.address, how).await;
        let mut client = testkit::raw::RawClient::connect(in_front.address)
            .await
            .unwrap();
        let own = client.local_address().unwrap();
        let told = client.ask(GET).await.unwrap().text();
        assert_eq!(told, format!("{own} {}", in_front.address), "{how}");
    }
}

#[tokio::test]
async fn a_check_of_haproxys_own_is_a_connection_like_others() {
    let backend = Backend::answering(|_| with_status(200, "ok"))
        .await
        .unwrap();
    let proxy = Proxy::running(&expecting(gateway_to(backend.address))).await;
    let how = "send-proxy-v2 check-send-proxy check inter 20ms";
    let in_front = Foreign::haproxy_in_front_of(proxy.address, how).await;
    until("requests pass while checks do", async || {
        let client = testkit::raw::RawClient::connect(in_front.address).await;
        client
            .unwrap()
            .ask(GET)
            .await
            .is_ok_and(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test]
async fn where_a_header_is_expected_nothing_else_is_answered() {
    let backend = Backend::answering(|_| with_status(200, "ok"))
        .await
        .unwrap();
    let proxy = Proxy::running(&expecting(gateway_to(backend.address))).await;
    for bad in [
        GET,
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\nGET / HTTP/1.1\r\nHost: crystal.local\r\n\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nGET / HTTP/1.1\r\nHost: crystal.local\r\n\r\n",
        "\r\n\r\n\0\r\nQUIT\n\u{22}",
    ] {
        let mut client = proxy.client().await;
        client.send(bad).await.unwrap();
        // It may be gone already.
        drop(client.finish().await);
        let answer = testkit::within("the end", client.read_to_end()).await;
        assert_eq!(answer, b"", "{bad:?}");
    }
    assert_eq!(backend.requests(), 0);
    let mut client = proxy.client().await;
    for piece in ["PRO", "XY TCP4 1.2.3.4 1.2.3.4 1 2\r", "\nGET / HTT"] {
        client.send(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let rest = "P/1.1\r\nHost: crystal.local\r\n\r\n";
    assert_eq!(client.ask(rest).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_header_that_is_not_expected_is_no_request() {
    let raw = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let proxy = Proxy::running(&gateway_to(raw.address)).await;
    let answer = proxy
        .ask(format!("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n{GET}"))
        .await;
    assert_eq!(answer.status, 505, "its line is taken for a request's");
    assert_eq!(raw.seen(), Vec::<String>::new());
}
