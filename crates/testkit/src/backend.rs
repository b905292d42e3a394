//! A real HTTP/1.1 server (hyper) that answers as a closure says.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

type Answer = Arc<dyn Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync>;

/// Runs on the runtime it was started on; stops, with all its connections, when dropped.
#[derive(Debug)]
pub struct Backend {
    pub address: SocketAddr,
    requests: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    serving: AbortHandle,
}

impl Backend {
    /// Answers every request with 200 and `text`.
    pub async fn saying(text: &str) -> io::Result<Self> {
        let text = Bytes::copy_from_slice(text.as_bytes());
        Self::answering(move |_| Response::new(text.clone())).await
    }

    /// Answers every request with this status and nothing else.
    pub async fn failing(status: u16) -> io::Result<Self> {
        Self::answering(move |_| with_status(status, "")).await
    }

    pub async fn answering(
        answer: impl Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let connections = Arc::new(AtomicU64::new(0));
        let serving = tokio::spawn(serve(
            listener,
            Arc::new(answer),
            Arc::clone(&requests),
            Arc::clone(&connections),
        ));
        Ok(Self {
            address,
            requests,
            connections,
            serving: serving.abort_handle(),
        })
    }

    /// How many requests it has answered.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many connections were opened to it.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A response of this status and text; an unknown status becomes 500.
pub fn with_status(status: u16, text: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(text.as_bytes()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

async fn serve(
    listener: TcpListener,
    answer: Answer,
    requests: Arc<AtomicU64>,
    opened: Arc<AtomicU64>,
) {
    // Dropped, and its connections with it, when this task is aborted.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        opened.fetch_add(1, Ordering::Relaxed);
        connections.spawn(serve_connection(
            stream,
            Arc::clone(&answer),
            Arc::clone(&requests),
        ));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, answer: Answer, requests: Arc<AtomicU64>) {
    let service = service_fn(|request: Request<Incoming>| {
        let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
        async move {
            let (parts, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => return Ok::<_, Infallible>(with_status(400, "").map(Full::new)),
            };
            requests.fetch_add(1, Ordering::Relaxed);
            Ok(answer(Request::from_parts(parts, body)).map(Full::new))
        }
    });
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let connection = hyper::server::conn::http1::Builder::new();
    // A peer that goes away in the middle is its own affair.
    drop(
        connection
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}
