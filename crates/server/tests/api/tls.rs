//! The API in TLS: certificates that change, handshakes that do not end, and this machine's own door.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use testkit::raw::RawClient;
use testkit::{until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::server::{MESHES, Server, get};

const TLS: &str = "tls: { certificate: tls.crt, key: tls.key }\nlimits: { handshakeTime: 200ms }";

struct Pair {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
}

impl Pair {
    fn new() -> Self {
        let names = vec!["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Self {
            certificate: cert.der().clone(),
            certificate_pem: cert.pem(),
            key_pem: signing_key.serialize_pem(),
        }
    }

    fn write(&self, directory: &Path) {
        write_secret(&directory.join("tls.key"), &self.key_pem);
        std::fs::write(directory.join("tls.crt"), &self.certificate_pem).unwrap();
    }
}

fn write_secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn served(pair: &Pair) -> Server {
    let directory = tempfile::tempdir().unwrap();
    pair.write(directory.path());
    Server::start_in(directory, TLS).await
}

/// The answer to one request, of a server that shows this certificate.
async fn ask(server: &Server, trusted: &Pair) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let request = get(MESHES).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn is_served(server: &Server, trusted: &Pair) -> bool {
    ask(server, trusted)
        .await
        .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_while_the_server_runs() {
    let [first, second, third] = [Pair::new(), Pair::new(), Pair::new()];
    let server = served(&first).await;
    assert!(server.daemon.url().starts_with("https://"));
    assert!(is_served(&server, &first).await);
    assert!(
        !is_served(&server, &second).await,
        "it shows another certificate"
    );

    let directory = server.directory.path();
    second.write(directory);
    until("the second certificate", async || {
        is_served(&server, &second).await
    })
    .await;

    // Nonsense may be seen in between.
    std::fs::write(directory.join("tls.crt"), "nonsense").unwrap();
    third.write(directory);
    until("the third certificate", async || {
        is_served(&server, &third).await
    })
    .await;
}

#[tokio::test]
async fn whoever_does_not_shake_hands_is_let_go() {
    let pair = Pair::new();
    let server = served(&pair).await;
    let mut silent = server.connect().await;
    assert!(
        within("the end of the time-out", silent.read_to_end())
            .await
            .is_empty()
    );
    let mut plain = server.connect().await;
    plain.send(get(MESHES)).await.unwrap();
    let said = plain.read_to_end().await;
    assert!(!said.starts_with(b"HTTP/1.1"), "{said:?}");
    assert!(is_served(&server, &pair).await);
}

#[tokio::test]
async fn commands_of_this_machine_have_a_door_of_their_own() {
    let server = served(&Pair::new()).await;
    let presence = server.directory.path().join("state/server.json");
    let presence: server::Presence =
        serde_json::from_slice(&std::fs::read(presence).unwrap()).unwrap();
    let own = presence.api.strip_prefix("http://127.0.0.1:").unwrap();
    let own = format!("127.0.0.1:{own}").parse().unwrap();
    let mut client = RawClient::connect(own).await.unwrap();
    let request = format!(
        "GET /v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        presence.token
    );
    assert_eq!(client.ask(request).await.unwrap().status, 200);
    assert_eq!(client.ask(get(MESHES)).await.unwrap().status, 404);
    assert_eq!(client.ask(get("/metrics")).await.unwrap().status, 404);
}

#[tokio::test]
async fn files_that_are_no_pair_are_refused_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (Pair::new(), Pair::new());
    one.write(directory.path());
    write_secret(&directory.path().join("tls.key"), &other.key_pem);
    let error = crate::server::start(directory.path(), TLS)
        .await
        .unwrap_err();
    assert!(matches!(error, server::Error::Tls(_)), "{error:?}");

    one.write(directory.path());
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(directory.path().join("tls.key"), everybody).unwrap();
    let error = crate::server::start(directory.path(), TLS)
        .await
        .unwrap_err();
    assert!(matches!(error, server::Error::Tls(_)), "{error:?}");
}
