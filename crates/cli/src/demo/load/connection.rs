//! One keep-alive connection of the load.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An answer that takes longer is none.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Connection {
    to: SocketAddr,
    host: String,
    path: &'static str,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

#[derive(Debug)]
pub struct Answer {
    pub is_success: bool,
    pub text: String,
}

/// No whole answer came.
#[derive(Debug)]
pub struct Cut;

impl Connection {
    pub fn new(to: SocketAddr, host: &str, path: &'static str) -> Self {
        Self {
            to,
            host: host.to_owned(),
            path,
            sender: None,
        }
    }

    /// Asks once, over the same connection as before where it still stands.
    pub async fn ask(&mut self) -> Result<Answer, Cut> {
        let answer = timeout(LIMIT, self.exchange()).await;
        let answer = answer.unwrap_or(Err(Cut));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self) -> Result<Answer, Cut> {
        let request = Request::get(self.path).header("host", &self.host);
        let request = request.body(Empty::new()).map_err(|_| Cut)?;
        let sender = match &mut self.sender {
            Some(sender) if !sender.is_closed() => sender,
            other => other.insert(connect(self.to).await?),
        };
        sender.ready().await.map_err(|_| Cut)?;
        let response = sender.send_request(request).await.map_err(|_| Cut)?;
        let is_success = response.status().is_success();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|_| Cut)?
            .to_bytes();
        Ok(Answer {
            is_success,
            text: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

async fn connect(to: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, Cut> {
    let stream = TcpStream::connect(to).await.map_err(|_| Cut)?;
    stream.set_nodelay(true).map_err(|_| Cut)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Cut)?;
    // Ends when the sender is dropped, or the other side goes.
    tokio::spawn(connection);
    Ok(sender)
}
