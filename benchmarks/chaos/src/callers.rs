//! Callers: keep-alive connections that ask at a fixed rate, some over TLS. Every request that does not get
//! a whole answer with status 200 is a failure and is told with its reason.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_rustls::TlsConnector;

use crate::authority::SERVER_NAME;

const REQUEST: &[u8] = b"GET /crystal HTTP/1.1\r\nHost: both.chaos.local\r\n\r\n";
/// A caller over TLS connects anew after so many requests, to see the certificate of the day.
const REQUESTS_OF_A_TLS_CONNECTION: u32 = 50;
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Tally {
    pub answered: AtomicU64,
    pub certificates: std::sync::Mutex<BTreeMap<Vec<u8>, u64>>,
}

/// A request that failed, as its caller saw it.
#[derive(Debug)]
pub struct Failure {
    pub at: Instant,
    pub reason: String,
}

pub struct Callers {
    pub tally: Arc<Tally>,
    pub failures: mpsc::UnboundedReceiver<Failure>,
    running: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// Where callers call: in clear text, or over TLS with what they trust.
#[derive(Clone)]
pub struct Door {
    pub address: SocketAddr,
    pub tls: Option<Arc<ClientConfig>>,
}

impl Callers {
    /// So many callers at each door, and so many requests a second from all of them.
    pub fn start(doors: &[Door], each: usize, rate: f64) -> Self {
        let tally = Arc::new(Tally::default());
        let (told, failures) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let interval = Duration::from_secs_f64((each * doors.len()) as f64 / rate);
        let mut running = JoinSet::new();
        for door in doors {
            for _ in 0..each {
                let caller = Caller {
                    door: door.clone(),
                    tally: Arc::clone(&tally),
                    told: told.clone(),
                    stopped: stopped.clone(),
                };
                running.spawn(caller.run(interval));
            }
        }
        Self {
            tally,
            failures,
            running,
            stop,
        }
    }

    /// After the requests under way.
    pub async fn stop(&mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

struct Caller {
    door: Door,
    tally: Arc<Tally>,
    told: mpsc::UnboundedSender<Failure>,
    stopped: watch::Receiver<bool>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Connection {
    stream: Box<dyn Stream>,
    requests: u32,
}

impl Caller {
    async fn run(self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connection = None;
        while !*self.stopped.borrow() {
            ticks.tick().await;
            let asked = tokio::time::timeout(PATIENCE, self.ask(&mut connection)).await;
            let reason = match asked {
                Ok(Ok(())) => {
                    self.tally.answered.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "no answer in time".to_owned(),
            };
            connection = None;
            let at = Instant::now();
            if self.told.send(Failure { at, reason }).is_err() {
                return;
            }
        }
    }

    async fn ask(&self, kept: &mut Option<Connection>) -> anyhow::Result<()> {
        let is_kept = kept.is_some();
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect().await.context("connecting failed")?,
        };
        let answered = exchange(&mut connection).await;
        // A server may end an idle connection just when a request is on its way to it: HTTP's clients
        // ask again on another connection then (RFC 9112, section 9.3.1).
        let answer = match answered {
            Err(error) if is_kept && error.kind() == io::ErrorKind::ConnectionAborted => {
                connection = self.connect().await.context("connecting again failed")?;
                exchange(&mut connection).await?
            }
            answered => answered?,
        };
        anyhow::ensure!(
            answer.status == 200,
            "status {}: {}",
            answer.status,
            answer.body
        );
        let is_worn =
            self.door.tls.is_some() && connection.requests >= REQUESTS_OF_A_TLS_CONNECTION;
        if !answer.closes && !is_worn {
            *kept = Some(connection);
        }
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.door.address).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.door.tls {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::try_from(SERVER_NAME)?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name, stream).await?;
                let shown = stream.get_ref().1.peer_certificates();
                if let Some(certificate) = shown.and_then(<[_]>::first)
                    && let Ok(mut certificates) = self.tally.certificates.lock()
                {
                    *certificates.entry(certificate.to_vec()).or_default() += 1;
                }
                Box::new(stream)
            }
        };
        Ok(Connection {
            stream,
            requests: 0,
        })
    }
}

struct Answer {
    status: u16,
    body: String,
    closes: bool,
}

/// `ConnectionAborted` is an end before the first byte of an answer.
async fn exchange(connection: &mut Connection) -> io::Result<Answer> {
    connection.requests += 1;
    let mut received = Vec::with_capacity(1024);
    let sent = connection.stream.write_all(REQUEST).await;
    let head = loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let read = match &sent {
            Ok(()) => connection.stream.read_buf(&mut received).await.unwrap_or(0),
            Err(_) => 0,
        };
        if read == 0 {
            return Err(match received.len() {
                0 => io::Error::new(io::ErrorKind::ConnectionAborted, "the connection ended"),
                _ => io::Error::other("the connection ended within a head"),
            });
        }
    };
    let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let length: usize = field("content-length:")
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| io::Error::other("an answer without a length"))?;
    while received.len() < head + length {
        if connection.stream.read_buf(&mut received).await? == 0 {
            return Err(io::Error::other("the connection ended within a body"));
        }
    }
    Ok(Answer {
        status: status.unwrap_or(0),
        closes: field("connection:") == Some("close"),
        body: String::from_utf8_lossy(&received[head..]).trim().to_owned(),
    })
}
