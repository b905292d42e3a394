//! What happens to a connection before its first request: a PROXY header, TLS, then the protocol that is
//! spoken in it.
//!
//! A listener in plain text has nothing to do here: its connections are served at once. Handshakes under
//! way are limited in number for each worker, and in time.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use view::Protocol;

use crate::connection;
use crate::http2;
use crate::listener::Listener;
use crate::moving::Move;
use crate::overload::Admitted;
use crate::proxy_protocol::{self, Ends, Header};
use crate::stream::Stream;
use crate::tcp;
use crate::tls::PeerIdentity;
use crate::worker::Worker;

/// Under way at once on one worker; the rest waits. A handshake is the work of many requests.
pub(crate) const MAX_HANDSHAKES: usize = 256;
/// How long a handshake keeps its turn. Most end sooner; where the client is slower the handshake waits for
/// bytes and not for a processor, and nobody has to wait for it.
const TURN: Duration = Duration::from_secs(1);
/// More than it takes to tell TLS from plain text.
const FIRST_BYTES: usize = 4096;

/// A connection that is ready to be served.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) stream: Stream,
    /// What was read from the stream already.
    pub(crate) early: Vec<u8>,
    pub(crate) peer: Peer,
    pub(crate) moves: Move,
    pub(crate) admitted: Admitted,
}

/// Who is on the other side.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) remote: SocketAddr,
    /// The connection as a relay in between says it was made.
    relayed: Option<Ends>,
    /// `None` in plain text.
    pub(crate) tls: Option<Rc<PeerIdentity>>,
}

impl Peer {
    fn new(remote: SocketAddr) -> Self {
        Self {
            remote,
            relayed: None,
            tls: None,
        }
    }

    /// What the next hop is to be told of who connected to whom. `local`: the end of the connection here.
    pub(crate) fn ends(&self, local: SocketAddr) -> Ends {
        self.relayed.unwrap_or(Ends {
            source: self.remote,
            destination: local,
        })
    }
}

pub(crate) fn welcome(
    worker: &Rc<Worker>,
    listener: &Rc<Listener>,
    admitted: Admitted,
    tcp: TcpStream,
    remote: SocketAddr,
) {
    let (worker, listener) = (Rc::clone(worker), Rc::clone(listener));
    if listener.tls().is_none() && !listener.expects_proxy_header() {
        let inbound = Inbound {
            stream: Stream::Plain(tcp),
            early: Vec::new(),
            peer: Peer::new(remote),
            moves: Move::of_new(&listener),
            admitted,
        };
        match listener.protocol() {
            Protocol::Http => spawn_local(connection::serve(worker, listener, inbound)),
            Protocol::Http2 | Protocol::Grpc => {
                spawn_local(http2::serve(worker, listener, inbound))
            }
            Protocol::Tcp => spawn_local(tcp::serve(worker, listener, inbound)),
        };
        return;
    }
    spawn_local(async move {
        // In a box that is given back before the first request.
        match Box::pin(prepare(&worker, &listener, admitted, tcp, remote)).await {
            Ok(inbound) => match listener.protocol() {
                Protocol::Tcp => tcp::serve(worker, listener, inbound).await,
                Protocol::Http if inbound.stream.alpn() != Some(b"h2") => {
                    connection::serve(worker, listener, inbound).await;
                }
                Protocol::Http | Protocol::Http2 | Protocol::Grpc => {
                    http2::serve(worker, listener, inbound).await;
                }
            },
            Err(error) => {
                let address = listener.address;
                tracing::debug!(%address, %remote, %error, "a connection was closed before its first request");
            }
        }
    });
}

async fn prepare(
    worker: &Rc<Worker>,
    listener: &Rc<Listener>,
    admitted: Admitted,
    mut tcp: TcpStream,
    remote: SocketAddr,
) -> io::Result<Inbound> {
    // What it comes under, however long it takes to begin.
    let (tls, moves) = (listener.tls(), Move::of_new(listener));
    let timer = worker.timers.timer();
    // Counts among the listener's connections, so that draining waits for it and cuts it.
    let _entered = listener.enter(&timer);
    let cut = poll_fn(|cx| {
        timer.wakes(cx.waker());
        if listener.is_cut() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    let handshake = async {
        let mut peer = Peer::new(remote);
        if listener.expects_proxy_header()
            && let Header::Relayed(ends) = proxy_protocol::receive(&mut tcp).await?
        {
            peer.remote = ends.source;
            peer.relayed = Some(ends);
        }
        let Some(tls) = tls else {
            return Ok(Inbound {
                stream: Stream::Plain(tcp),
                early: Vec::new(),
                peer,
                moves,
                admitted,
            });
        };
        // Who says nothing takes nobody's turn.
        tcp.readable().await?;
        let secured = async {
            let mut early = Vec::new();
            if tls.is_permissive() {
                early = first_bytes(&tcp).await?;
                if !begins_tls(&early).unwrap_or(false) {
                    let stream = Stream::Plain(tcp);
                    return Ok(Inbound {
                        stream,
                        early,
                        peer,
                        moves,
                        admitted,
                    });
                }
            }
            let (stream, identity) = tls.accept(tcp, early).await?;
            peer.tls = Some(Rc::new(identity));
            Ok(Inbound {
                stream: Stream::Tls(stream),
                early: Vec::new(),
                peer,
                moves,
                admitted,
            })
        };
        in_turn(&worker.handshakes, secured).await
    };
    tokio::select! {
        biased;
        () = cut => Err(io::ErrorKind::ConnectionAborted.into()),
        secured = tokio::time::timeout(worker.limits.handshake_timeout, handshake) => {
            secured.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
    }
}

/// Carries a handshake out when its turn has come. It gives the turn back where it takes long, and goes on.
async fn in_turn<T>(
    turns: &Semaphore,
    handshake: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let turn = turns.acquire().await.map_err(io::Error::other)?;
    let mut handshake = pin!(handshake);
    if let Ok(ended) = tokio::time::timeout(TURN, handshake.as_mut()).await {
        return ended;
    }
    drop(turn);
    handshake.await
}

/// Reads until it is clear whether this is TLS; an end before that is for whoever serves plain text.
async fn first_bytes(tcp: &TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FIRST_BYTES);
    loop {
        tcp.readable().await?;
        match tcp.try_read_buf(&mut bytes) {
            Ok(0) => return Ok(bytes),
            Ok(_) if begins_tls(&bytes).is_some() => return Ok(bytes),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether these are the first bytes of a TLS handshake; `None` while they may be. The record's type, its
/// version, its length and the message's type, which no request begins with.
fn begins_tls(bytes: &[u8]) -> Option<bool> {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    let fits = |(position, byte): (usize, &u8)| match position {
        0 => *byte == HANDSHAKE,
        1 => *byte == 3,
        2 => *byte <= 4,
        5 => *byte == CLIENT_HELLO,
        _ => true,
    };
    if !bytes.iter().enumerate().take(6).all(fits) {
        return Some(false);
    }
    (bytes.len() >= 6).then_some(true)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::clock;

    #[tokio::test(start_paused = true)]
    async fn a_slow_handshake_gives_its_turn_back_and_goes_on() {
        let turns = Semaphore::new(1);
        let (finish, finished) = oneshot::channel();
        let slow = in_turn(&turns, async { finished.await.map_err(io::Error::other) });
        let began = clock::now();
        let others = async {
            for _ in 0..3 {
                in_turn(&turns, async { Ok(()) }).await.unwrap();
            }
            finish.send(7).unwrap();
            clock::now() - began
        };
        let (slow, waited) = tokio::join!(slow, others);
        assert_eq!((slow.unwrap(), waited), (7, Duration::from_secs(1)));
        assert_eq!(turns.available_permits(), 1);
    }
}
