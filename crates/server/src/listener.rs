//! The API's door: accepts connections, in TLS where it is configured, and serves HTTP/1.1 or HTTP/2 on them.
//!
//! HTTP/2 is what proxies speak, by ALPN or, in clear text, by its preface.
//! No client can hold the server up. A handshake, the head of a request and the silence between two
//! requests end by a time-out ([`activity`]), a client that does not read its answer is cut off by the
//! kernel, and beyond a number of connections the next one waits. Bodies have their own limits ([`crate::api`]).

mod activity;
mod preface;
pub(crate) mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_service::Service;

use crate::configuration::Limits;
use activity::Activity;
use tls::Tls;

/// A request's line and headers together.
const LARGEST_HEAD: usize = 64 * 1024;

/// Fields of a request's head.
const MOST_HEADERS: usize = 100;

/// Requests at once on an HTTP/2 connection: a proxy needs one.
const MOST_STREAMS: u32 = 16;

/// An HTTP/2 connection without traffic is asked for a sign of life so often.
const PING: Duration = Duration::from_secs(15);

/// How long the kernel keeps trying to send to a client that takes nothing.
const UNREAD_LIMIT: Duration = Duration::from_secs(30);

/// Before accepting again when the process has no file descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Who is on the other side of a connection, as an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) limits: Limits,
}

impl Listener {
    /// Answers until told to stop, then lets requests in flight end, for as long as the limits allow.
    pub(crate) async fn serve(self, router: Router, stopped: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.limits.connections.get() as usize));
        let graceful = GracefulShutdown::new();
        // Those that are left at the end are cut off when this is dropped.
        let mut connections = JoinSet::new();
        let mut stop = stopped.clone();
        loop {
            let next = async {
                // The semaphore is never closed.
                let slot = Arc::clone(&slots).acquire_owned().await.ok();
                (slot, self.socket.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                accepted = next => accepted,
                Some(_) = connections.join_next() => continue,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_if_exhausted(error).await;
                    continue;
                }
            };
            let connection = Connection {
                peer,
                limits: self.limits,
                tls: self.tls.clone(),
                router: router.clone(),
                stopped: stopped.clone(),
            };
            let watcher = graceful.watcher();
            connections.spawn(async move {
                connection.serve(stream, watcher).await;
                drop(slot);
            });
        }
        drop(self.socket);
        let ended = timeout(self.limits.stop_time.0, graceful.shutdown()).await;
        if ended.is_err() {
            tracing::warn!(
                "requests in flight were cut off: they took longer than limits.stopTime"
            );
        }
    }
}

struct Connection {
    peer: SocketAddr,
    limits: Limits,
    tls: Option<Arc<Tls>>,
    router: Router,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream, watcher: Watcher) {
        cut_off_when_unread(&stream);
        let Some(tls) = self.tls.take() else {
            let seen = timeout(self.limits.head_time.0, preface::is_http2(&stream));
            let seen = tokio::select! {
                seen = seen => seen,
                _ = self.stopped.wait_for(|stop| *stop) => return,
            };
            return match seen {
                Ok(Ok(is_http2)) => self.converse(stream, is_http2, watcher).await,
                _ => tracing::debug!(peer = %self.peer, "a connection said nothing"),
            };
        };
        let handshake = timeout(self.limits.handshake_time.0, tls.accept(stream));
        // Nothing was asked yet, so a stop need not wait.
        let stream = tokio::select! {
            stream = handshake => stream,
            _ = self.stopped.wait_for(|stop| *stop) => return,
        };
        match stream {
            Ok(Ok(stream)) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.converse(stream, is_http2, watcher).await;
            }
            _ => tracing::debug!(peer = %self.peer, "a TLS handshake failed"),
        }
    }

    /// Answers one request after the other; a stop lets the one in flight end.
    async fn converse<S>(self, stream: S, is_http2: bool, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            peer,
            router,
            limits,
            ..
        } = self;
        let activity = Activity::default();
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            let (under_way, answer) = (activity.begin(), router.clone().call(request));
            async move { answer.await.map(|answer| under_way.until_read(answer)) }
        });
        let stream = TokioIo::new(stream);
        let served = if is_http2 {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(MOST_STREAMS)
                .max_header_list_size(LARGEST_HEAD as u32)
                .keep_alive_interval(PING)
                .serve_connection(stream, service);
            tokio::select! {
                served = watcher.watch(connection) => served,
                () = activity.silence(limits.head_time.0) => return,
            }
        } else {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.head_time.0)
                .max_buf_size(LARGEST_HEAD)
                .max_headers(MOST_HEADERS)
                .serve_connection(stream, service);
            watcher.watch(connection).await
        };
        if let Err(error) = served {
            tracing::debug!(%peer, %error, "a connection broke off");
        }
    }
}

/// A client that takes nothing of what is sent would otherwise keep its connection for ever.
fn cut_off_when_unread(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let set = socket
        .set_tcp_user_timeout(Some(UNREAD_LIMIT))
        .and_then(|()| socket.set_tcp_nodelay(true));
    if let Err(error) = set {
        tracing::debug!(%error, "could not set up a connection");
    }
}

/// A connection that was given up before it was accepted is nobody's concern; a process without file
/// descriptors must not spin.
async fn pause_if_exhausted(error: io::Error) {
    let is_gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !is_gone {
        tracing::error!(%error, "could not accept a connection");
        tokio::time::sleep(EXHAUSTED_PAUSE).await;
    }
}
