//! A proxy on hyper with its best known settings: a `current_thread` runtime and a `SO_REUSEPORT` listener
//! for each worker, hyper-util's pooled client, no logs. TCP is tokio's copy in both directions.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use setup::{Certificate, Protocol, Setup};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

type Failure = Box<dyn Error + Send + Sync>;
type Body = Either<Incoming, Empty<Bytes>>;

const TCP_BUFFER: usize = 64 << 10;

fn main() -> Result<(), Failure> {
    let setup = Arc::new(Setup::from_arguments()?);
    // Another peer of this workspace brings another provider along.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .install_default()
        .map_err(|_| "there is a provider already")?;
    let workers: Vec<_> = (0..setup.workers)
        .map(|_| {
            let setup = Arc::clone(&setup);
            std::thread::spawn(move || work(&setup))
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    Ok(())
}

fn work(setup: &Setup) -> Result<(), Failure> {
    let acceptor = setup
        .tls
        .as_ref()
        .map(|tls| acceptor(setup, tls))
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let proxy = Rc::new(Proxy {
        client: client(setup),
        total: setup.total_weight(),
        setup: setup.clone(),
    });
    LocalSet::new().block_on(&runtime, async {
        let listener = listen(setup.listen)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (proxy, acceptor) = (Rc::clone(&proxy), acceptor.clone());
            tokio::task::spawn_local(async move {
                // Whatever ends a connection, the load generator is who tells an error from an end.
                let _ended = match acceptor {
                    None => proxy.serve(stream).await,
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => proxy.serve(stream).await,
                        Err(error) => Err(error.into()),
                    },
                };
            });
        }
    })
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(TcpListener::from_std(socket.into())?)
}

fn acceptor(setup: &Setup, certificate: &Certificate) -> Result<TlsAcceptor, Failure> {
    let chain = CertificateDer::pem_file_iter(&certificate.chain)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&certificate.key)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = match setup.downstream {
        Protocol::Http2 => vec![b"h2".to_vec()],
        Protocol::Http1 | Protocol::Tcp => vec![b"http/1.1".to_vec()],
    };
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn client(setup: &Setup) -> Client<HttpConnector, Incoming> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(1)));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .http2_only(setup.upstream == Protocol::Http2)
        .build(connector)
}

struct Proxy {
    setup: Setup,
    total: u32,
    client: Client<HttpConnector, Incoming>,
}

impl Proxy {
    fn draw(&self) -> SocketAddr {
        self.setup.drawn(fastrand::u32(0..self.total))
    }

    async fn serve(
        self: Rc<Self>,
        mut stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    ) -> Result<(), Failure> {
        if self.setup.downstream == Protocol::Tcp {
            let mut upstream = TcpStream::connect(self.draw()).await?;
            upstream.set_nodelay(true)?;
            copy_bidirectional_with_sizes(&mut stream, &mut upstream, TCP_BUFFER, TCP_BUFFER)
                .await?;
            return Ok(());
        }
        let is_http2 = self.setup.downstream == Protocol::Http2;
        let answer = service_fn(move |request| {
            let proxy = Rc::clone(&self);
            async move { Ok::<_, Infallible>(proxy.exchange(request).await) }
        });
        let stream = TokioIo::new(stream);
        if is_http2 {
            hyper::server::conn::http2::Builder::new(LocalExecutor)
                .serve_connection(stream, answer)
                .await?;
        } else {
            hyper::server::conn::http1::Builder::new()
                .serve_connection(stream, answer)
                .await?;
        }
        Ok(())
    }

    async fn exchange(&self, mut request: Request<Incoming>) -> Response<Body> {
        match self.forward(&mut request) {
            Ok(()) => {}
            Err(_) => return refusal(StatusCode::BAD_REQUEST),
        }
        match self.client.request(request).await {
            Ok(mut response) => {
                response.headers_mut().remove(CONNECTION);
                *response.version_mut() = Version::default();
                response.map(Either::Left)
            }
            Err(_) => refusal(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// The request as its upstream shall have it.
    fn forward(&self, request: &mut Request<Incoming>) -> Result<(), Failure> {
        let path = request
            .uri()
            .path_and_query()
            .ok_or("a request has a path")?;
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.draw().to_string())
            .path_and_query(path.clone())
            .build()?;
        if let Some(authority) = request.uri().authority() {
            let host = authority.as_str().parse()?;
            request.headers_mut().insert(HOST, host);
        }
        *request.uri_mut() = uri;
        request.headers_mut().remove(CONNECTION);
        *request.version_mut() = match self.setup.upstream {
            Protocol::Http2 => Version::HTTP_2,
            Protocol::Http1 | Protocol::Tcp => Version::HTTP_11,
        };
        Ok(())
    }
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = status;
    response
}

#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
