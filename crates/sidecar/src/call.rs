//! The stream to the server: gRPC over HTTP/2, both ways at once.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use link::{Code, Decoder, Downward, FrameError, Upward};

use crate::server::Server;

/// Connecting, the handshake of TLS and the head of the answer, each.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the server may leave unread what it is told.
const SILENCE: Duration = Duration::from_secs(45);

/// A connection without traffic is asked for a sign of life so often.
const PING: Duration = Duration::from_secs(15);

/// Messages that wait for the server to read them.
const WAITING: usize = 8;

/// Why there is no stream, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("could not connect")]
    Connect(#[source] io::Error),
    #[error("the connection broke")]
    Connection(#[from] hyper::Error),
    #[error("the server did not answer in time")]
    Late,
    #[error("the server answers {0}, and not in gRPC: is it one of serin's?")]
    Foreign(StatusCode),
    #[error("the server ended the stream: {message} (gRPC status {})", code.number())]
    Ended { code: Code, message: String },
    #[error("the server says what this version does not understand")]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Misfit(#[from] link::Misfit),
    #[error("could not put the call together")]
    Request(#[from] http::Error),
    #[error("the server reads no more")]
    Unread,
}

pub(crate) struct Call {
    pub(crate) mouth: Mouth,
    pub(crate) ear: Ear,
}

/// What is said to the server.
pub(crate) struct Mouth(Sender<Bytes>);

/// What the server says.
pub(crate) struct Ear {
    from: Incoming,
    decoder: Decoder,
}

impl Call {
    /// Calls the server; `first` goes with the call.
    pub(crate) async fn begin(server: &Server, first: &Upward) -> Result<Self, Broken> {
        let wire = timely(server.connect()).await?.map_err(Broken::Connect)?;
        let (mut requests, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(wire))
            .await?;
        // Ends with the stream, the last user of the connection.
        tokio::spawn(connection);

        let (to, body) = Channel::<Bytes>::new(WAITING);
        let mut request = Request::post(server.uri(link::PATH)?)
            .header(CONTENT_TYPE, link::CONTENT_TYPE)
            .header(TE, "trailers")
            .body(body)?;
        if let Some(value) = server.authorization() {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let mut mouth = Mouth(to);
        mouth.say(first).await?;
        let response = timely(requests.send_request(request)).await??;
        if response.status() != StatusCode::OK {
            return Err(Broken::Foreign(response.status()));
        }
        if let Some(ended) = ended(response.headers()) {
            return Err(ended);
        }
        let ear = Ear {
            from: response.into_body(),
            decoder: Decoder::default(),
        };
        Ok(Self { mouth, ear })
    }
}

impl Mouth {
    pub(crate) async fn say(&mut self, message: &Upward) -> Result<(), Broken> {
        let frame = link::encode(message)?;
        let said = tokio::time::timeout(SILENCE, self.0.send_data(frame)).await;
        said.map_err(|_| Broken::Unread)?
            .map_err(|_| Broken::Unread)
    }
}

impl Ear {
    /// The next message. Nothing is lost where the wait for it is given up.
    pub(crate) async fn hear(&mut self) -> Result<Downward, Broken> {
        loop {
            if let Some(message) = self.decoder.take()? {
                return Ok(message);
            }
            let Some(frame) = self.from.frame().await else {
                let message = "without a word".to_owned();
                let code = Code::Unavailable;
                return Err(Broken::Ended { code, message });
            };
            let frame = frame?;
            if let Some(bytes) = frame.data_ref() {
                self.decoder.push(bytes);
            } else if let Some(ended) = frame.trailers_ref().and_then(ended) {
                return Err(ended);
            }
        }
    }
}

fn ended(headers: &HeaderMap) -> Option<Broken> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let number = text("grpc-status")?.parse().unwrap_or(2);
    Some(Broken::Ended {
        code: Code::of(number),
        message: text("grpc-message").unwrap_or_default().to_owned(),
    })
}

async fn timely<T>(step: impl Future<Output = T>) -> Result<T, Broken> {
    tokio::time::timeout(PATIENCE, step)
        .await
        .map_err(|_| Broken::Late)
}
