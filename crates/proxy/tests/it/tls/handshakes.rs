//! What a client may do to a handshake, and what comes of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use testkit::Backend;
use view::*;

use super::authority::Authority;
use super::listeners::secured;
use crate::mesh::{Proxy, gateway_to, get, options};

fn client(authority: &Authority) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.bundle().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("crystal.local").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// Each byte in a segment of its own.
fn trickle(socket: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        socket.write_all(&[*byte]).unwrap();
    }
}

async fn listening(mode: TlsMode, handshake_timeout: Duration) -> (Authority, Backend, Proxy) {
    let authority = Authority::new();
    let backend = Backend::saying("hello").await.unwrap();
    let mut view = gateway_to(backend.address);
    let certificate = authority.certificate("server", &["crystal.local"]);
    secured(&mut view, mode, certificate);
    let mut options = options();
    options.handshake_timeout = handshake_timeout;
    let proxy = Proxy::with(&view, options).await;
    (authority, backend, proxy)
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

#[tokio::test]
async fn tls_and_plain_text_are_told_apart_however_slowly_they_come() {
    let (authority, _backend, proxy) =
        listening(TlsMode::Permissive, Duration::from_secs(20)).await;
    let address = proxy.address;
    blocking(move || {
        let mut plain = TcpStream::connect(address).unwrap();
        plain.set_nodelay(true).unwrap();
        trickle(&mut plain, get("/").as_bytes());
        let mut answer = [0; 15];
        plain.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");

        let mut tls = client(&authority);
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut hello = Vec::new();
        tls.write_tls(&mut hello).unwrap();
        trickle(&mut socket, &hello);
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(get("/").as_bytes()).unwrap();
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    })
    .await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut_off() {
    for mode in [TlsMode::Strict, TlsMode::Permissive] {
        let (_authority, _backend, proxy) = listening(mode, Duration::from_millis(300)).await;
        let address = proxy.address;
        let took = blocking(move || {
            let started = tokio::time::Instant::now();
            let mut socket = TcpStream::connect(address).unwrap();
            // The beginning of a record that promises more.
            socket.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();
            let mut rest = Vec::new();
            drop(socket.read_to_end(&mut rest));
            started.elapsed()
        })
        .await;
        assert!(took >= Duration::from_millis(300), "{took:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[tokio::test]
async fn nonsense_is_answered_with_an_alert_and_harms_nobody() {
    let (authority, _backend, proxy) = listening(TlsMode::Strict, Duration::from_secs(20)).await;
    let address = proxy.address;
    blocking(move || {
        for nonsense in [
            &b"GET / HTTP/1.1\r\nHost: crystal.local\r\n\r\n"[..],
            &[22, 3, 1, 0, 4, 1, 0, 0, 0],
            &[22, 3, 1, 255, 255],
            &[23, 3, 3, 0, 1, 0],
        ] {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.write_all(nonsense).unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            drop(socket.read_to_end(&mut answer));
            assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        }
        let mut socket = TcpStream::connect(address).unwrap();
        let mut tls = client(&authority);
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(get("/").as_bytes()).unwrap();
        // A record that was changed on its way ends the connection.
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        socket.write_all(&[23, 3, 3, 0, 20]).unwrap();
        socket.write_all(&[7; 20]).unwrap();
        let mut rest = Vec::new();
        drop(socket.read_to_end(&mut rest));
    })
    .await;
    let sane = super::foreign::curl(&["-k", &format!("https://{address}/")]).await;
    assert_eq!(sane.as_deref(), Ok("hello"));
}
