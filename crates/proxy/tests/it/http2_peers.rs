//! HTTP/2 on the `h2` crate, in front of a proxy and behind it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use testkit::within;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// A message that has come whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.as_ref()?.get(name)?.to_str().ok()
    }
}

/// One connection of a client.
#[derive(Clone, Debug)]
pub(crate) struct Http2Client {
    pub(crate) sender: SendRequest<Bytes>,
    _driver: Arc<Driver>,
}

#[derive(Debug)]
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Http2Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        let driver = tokio::spawn(async move { drop(connection.await) });
        Self {
            sender,
            _driver: Arc::new(Driver(driver.abort_handle())),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path), None).await.unwrap()
    }

    /// Sends a request with this body, in pieces, and these trailers.
    pub(crate) async fn ask(
        &self,
        request: Request<()>,
        body: Option<(&[u8], Option<HeaderMap>)>,
    ) -> Result<Answer, h2::Error> {
        let mut sender = within("room for a stream", self.sender.clone().ready()).await?;
        let (response, mut stream) = sender.send_request(request, body.is_none())?;
        let upload = async {
            let Some((body, trailers)) = body else {
                return Ok(());
            };
            for piece in body.chunks(10_000) {
                send(&mut stream, piece).await?;
            }
            match trailers {
                Some(trailers) => stream.send_trailers(trailers),
                None => stream.send_data(Bytes::new(), true),
            }
        };
        let download = async { collect(within("a response", response).await?).await };
        let (uploaded, answer) = tokio::join!(upload, download);
        // A server may answer, and stop reading, before it has read everything.
        match uploaded {
            Err(error) if answer.is_err() => Err(error),
            _ => answer,
        }
    }
}

pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(format!("http://crystal.local{path}"))
        .body(())
        .unwrap()
}

/// Sends all of `piece`, as the peer has room for it.
pub(crate) async fn send(
    stream: &mut h2::SendStream<Bytes>,
    piece: &[u8],
) -> Result<(), h2::Error> {
    let mut piece = Bytes::copy_from_slice(piece);
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        let room = std::future::poll_fn(|cx| match stream.capacity() {
            0 => stream.poll_capacity(cx),
            room => std::task::Poll::Ready(Some(Ok(room))),
        });
        let Some(room) = within("room for data", room).await else {
            return Err(Reason::CANCEL.into());
        };
        let room = room?.min(piece.len());
        stream.send_data(piece.split_to(room), false)?;
    }
    Ok(())
}

async fn collect(response: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let (parts, body) = response.into_parts();
    let (body, trailers) = read(body).await?;
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        trailers,
    })
}

pub(crate) async fn read(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut read = Vec::new();
    while let Some(piece) = within("data", body.data()).await {
        let piece = piece?;
        read.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    let trailers = within("trailers", body.trailers()).await?;
    Ok((read, trailers))
}

/// A server that gives every request to a closure; stops, with its connections, when dropped.
#[derive(Debug)]
pub(crate) struct Http2Backend {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicU64>,
    serving: AbortHandle,
}

impl Http2Backend {
    pub(crate) async fn serving<F>(
        serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), h2::Error>> + Send + 'static,
    {
        Self::with(h2::server::Builder::new(), serve).await
    }

    pub(crate) async fn with<F>(
        settings: h2::server::Builder,
        serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), h2::Error>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicU64::new(0));
        let serve = Arc::new(serve);
        let opened = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                let (serve, settings) = (Arc::clone(&serve), settings.clone());
                tasks.spawn(async move {
                    let Ok(mut connection) = settings.handshake(stream).await else {
                        return;
                    };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        tokio::spawn(serve(request, respond));
                    }
                });
            }
        });
        Self {
            address,
            connections,
            serving: serving.abort_handle(),
        }
    }

    /// Answers with what came: method and path as headers, body and trailers as they were.
    pub(crate) async fn echoing() -> Self {
        Self::serving(echo).await
    }

    /// Answers once the request has ended, with the names of its trailers in a header, its body, and these
    /// trailers.
    pub(crate) async fn echoing_trailers(trailers: HeaderMap) -> Self {
        Self::serving(move |request, mut respond| {
            let trailers = trailers.clone();
            async move {
                let (body, got) = read(request.into_body()).await?;
                let names = got.map_or("none".to_owned(), |got| {
                    got.keys()
                        .map(|name| name.as_str())
                        .collect::<Vec<_>>()
                        .join(",")
                });
                let response = Response::builder().header("x-got-trailers", names);
                let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
                send(&mut stream, &body).await?;
                stream.send_trailers(trailers)
            }
        })
        .await
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Http2Backend {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn echo(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let (parts, mut body) = request.into_parts();
    let mut response = Response::builder()
        .header("x-method", parts.method.as_str())
        .header("x-target", parts.uri.to_string());
    for (name, value) in &parts.headers {
        response = response.header(format!("x-got-{name}"), value);
    }
    let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
    while let Some(piece) = body.data().await {
        let piece = piece?;
        send(&mut stream, &piece).await?;
        body.flow_control().release_capacity(piece.len())?;
    }
    match body.trailers().await? {
        Some(trailers) => stream.send_trailers(trailers),
        None => stream.send_data(Bytes::new(), true),
    }
}
