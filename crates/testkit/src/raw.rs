//! Bytes on a socket, without anybody's idea of HTTP in between: to say what no library would say, and
//! to see exactly what arrived.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::wait::within;

/// A client that sends what it is told.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    /// Read, but not yet asked for.
    unread: Vec<u8>,
}

/// One HTTP/1.1 response, read by `Content-Length`, chunks or the connection's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    pub status: u16,
    /// From the status line to the empty line.
    pub head: String,
    /// As it came, chunk framing included.
    pub body: Vec<u8>,
}

impl RawResponse {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl RawClient {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            unread: Vec::new(),
        })
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        within("sending", self.stream.write_all(bytes.as_ref())).await
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Tells the server that nothing more will come.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Everything until the server closes; a reset is an end as well.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_more().await {}
        std::mem::take(&mut self.unread)
    }

    /// Reads until `end` has come, and returns everything up to and with it.
    pub async fn read_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.unread, end) {
                let rest = self.unread.split_off(at + end.len());
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            self.more().await?;
        }
    }

    pub async fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            self.more().await?;
        }
        let rest = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    /// The next response; `to_head` if it answers `HEAD` and so has no body.
    pub async fn response(&mut self, to_head: bool) -> io::Result<RawResponse> {
        let head = String::from_utf8_lossy(&self.read_until(b"\r\n\r\n").await?).into_owned();
        let status = head
            .get(9..12)
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0);
        let mut response = RawResponse {
            status,
            head,
            body: Vec::new(),
        };
        let length = response
            .header("content-length")
            .and_then(|length| length.parse().ok());
        response.body = match length {
            _ if to_head || matches!(status, 100..=199 | 204 | 304) => Vec::new(),
            Some(length) => self.read_exactly(length).await?,
            None if response.header("transfer-encoding").is_some() => {
                self.read_until(b"\r\n0\r\n\r\n").await?
            }
            None => self.read_to_end().await,
        };
        Ok(response)
    }

    /// Sends a request and reads its response.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> io::Result<RawResponse> {
        let request = request.as_ref();
        self.send(request).await?;
        self.response(request.starts_with(b"HEAD ")).await
    }

    async fn more(&mut self) -> io::Result<()> {
        if self.read_more().await {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    async fn read_more(&mut self) -> bool {
        let read = within("reading", self.stream.read_buf(&mut self.unread)).await;
        matches!(read, Ok(1..))
    }
}

/// What a server saw on its connections, in the order they were opened.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// What to do with what has come on a connection so far.
#[derive(Clone, Debug)]
pub enum Reaction {
    Wait,
    /// Send this, forget what has come, go on.
    Send(Vec<u8>),
    /// Send this and close.
    SendAndClose(Vec<u8>),
}

type React = Arc<dyn Fn(&[u8]) -> Reaction + Send + Sync>;

/// A server that sends what it is told and keeps every byte it got.
#[derive(Debug)]
pub struct RawServer {
    pub address: SocketAddr,
    seen: Seen,
    serving: AbortHandle,
}

impl RawServer {
    /// `react` is given what has come on a connection since its last reaction.
    pub async fn start(
        react: impl Fn(&[u8]) -> Reaction + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Seen::default();
        let serving = tokio::spawn(accept(listener, Arc::new(react), Arc::clone(&seen)));
        Ok(Self {
            address,
            seen,
            serving: serving.abort_handle(),
        })
    }

    /// Answers every head with `response`, whatever follows it.
    pub async fn answering(response: &str) -> io::Result<Self> {
        let response = response.as_bytes().to_vec();
        Self::start(move |come| match find(come, b"\r\n\r\n") {
            Some(_) => Reaction::Send(response.clone()),
            None => Reaction::Wait,
        })
        .await
    }

    /// What came, connection by connection.
    pub fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, react: React, seen: Seen) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(Vec::new());
            seen.len() - 1
        };
        connections.spawn(converse(
            stream,
            Arc::clone(&react),
            Arc::clone(&seen),
            number,
        ));
    }
}

/// Ends when either side closes; what goes wrong on the way is for the test to notice.
async fn converse(
    mut stream: TcpStream,
    react: React,
    seen: Seen,
    number: usize,
) -> io::Result<()> {
    let mut come = Vec::new();
    loop {
        let before = come.len();
        if stream.read_buf(&mut come).await? == 0 {
            return Ok(());
        }
        seen.lock().unwrap_or_else(PoisonError::into_inner)[number]
            .extend_from_slice(&come[before..]);
        match react(&come) {
            Reaction::Wait => {}
            Reaction::Send(answer) => {
                come.clear();
                stream.write_all(&answer).await?;
            }
            Reaction::SendAndClose(answer) => {
                stream.write_all(&answer).await?;
                return stream.shutdown().await;
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
