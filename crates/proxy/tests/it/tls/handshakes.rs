//! What a client may do to a handshake, and what comes of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};
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

/// More than a worker carries at once, all of which stop in the middle.
#[tokio::test]
async fn slow_handshakes_hold_nobody_up_and_are_not_cut_off_for_it() {
    let authority = Authority::new();
    let backend = Backend::saying("hello").await.unwrap();
    let mut view = gateway_to(backend.address);
    let certificate = authority.certificate("server", &["crystal.local"]);
    secured(&mut view, TlsMode::Strict, certificate);
    let mut options = options();
    options.workers = NonZeroUsize::MIN;
    options.handshake_timeout = Duration::from_secs(20);
    let proxy = Proxy::with(&view, options).await;
    let address = proxy.address;
    let (mut slow, hello) = blocking({
        let mut tls = client(&authority);
        let mut hello = Vec::new();
        tls.write_tls(&mut hello).unwrap();
        move || {
            let begun = |_| {
                let mut socket = TcpStream::connect(address).unwrap();
                socket.write_all(&hello[..10]).unwrap();
                socket
            };
            let slow: Vec<_> = (0..257).map(begun).collect();
            (slow, (tls, hello))
        }
    })
    .await;
    let url = format!("https://{address}/");
    let served = super::foreign::curl(&["-k", &url]).await;
    assert_eq!(served.as_deref(), Ok("hello"));
    // They may go on where they stopped.
    let (mut tls, hello) = hello;
    blocking(move || {
        let mut socket = slow.swap_remove(0);
        socket.write_all(&hello[10..]).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        stream.write_all(get("/").as_bytes()).unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    })
    .await;
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

/// A client with a certificate, whose next connections go on with the session of its first.
fn known_client(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.bundle().as_bytes()).unwrap())
        .unwrap();
    let (chain, key) = authority.issue("client", &["caller.local"], |_| ());
    let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// How the handshake went, and what was answered to a request.
fn asks(config: &Arc<ClientConfig>, address: SocketAddr) -> (Option<HandshakeKind>, String) {
    let name = ServerName::try_from("crystal.local").unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    let mut answer = vec![0; 12];
    let asked = stream.write_all(get("/").as_bytes());
    let answered = asked.and_then(|()| stream.read_exact(&mut answer));
    let answer = match answered {
        Ok(()) => String::from_utf8(answer).unwrap(),
        Err(_) => String::new(),
    };
    (tls.handshake_kind(), answer)
}

#[tokio::test]
async fn a_resumed_session_is_believed_no_longer_than_its_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let backend = Backend::saying("hello").await.unwrap();
    let mut view = gateway_to(backend.address);
    let certificate = authority.certificate("server", &["crystal.local"]);
    let trusted = authority.path("clients.pem");
    std::fs::write(&trusted, authority.bundle()).unwrap();
    let tls = secured(&mut view, TlsMode::Strict, certificate);
    tls.client_trust = Some(Trust::File {
        chain: trusted.clone(),
    });
    let proxy = Proxy::running(&view).await;
    let address = proxy.address;
    let config = known_client(&authority);
    let ask = async || {
        let config = Arc::clone(&config);
        blocking(move || asks(&config, address)).await
    };
    assert_eq!(
        ask().await,
        (Some(HandshakeKind::Full), "HTTP/1.1 200".into())
    );
    assert_eq!(
        ask().await,
        (Some(HandshakeKind::Resumed), "HTTP/1.1 200".into())
    );

    std::fs::write(&trusted, stranger.bundle()).unwrap();
    // The client still goes on with its session, and is turned away.
    testkit::until("the client is no longer believed", async || {
        ask().await.1.is_empty()
    })
    .await;
    assert_eq!(ask().await.1, "");
}
