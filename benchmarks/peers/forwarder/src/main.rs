//! The limit: what remains of a proxy that understands nothing. Bytes pass from each client connection to
//! one upstream connection of its own and back, by `read` and `write` on one scratch buffer (`copy`) or
//! through a pipe in the kernel (`splice`).
//!
//! `forwarder-peer SETUP copy|splice`. One worker, edge-triggered epoll, a write before every wait.

mod splice;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use setup::Setup;
use splice::Pipe;

/// As large as Serin's, whose bodies are read into it.
const SCRATCH: usize = 256 << 10;
const LISTENER: u64 = u64::MAX;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let setup = Setup::from_arguments()?;
    let splices = std::env::args().nth(2).as_deref() == Some("splice");
    Ok(Forwarder::new(setup, splices)?.run()?)
}

struct Forwarder {
    setup: Setup,
    total: u32,
    splices: bool,
    epoll: OwnedFd,
    listener: TcpListener,
    pairs: Vec<Option<Pair>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
}

/// A client's connection and its upstream's: sides 0 and 1.
struct Pair {
    sockets: [TcpStream; 2],
    /// What a side has sent and the other has not taken yet.
    unsent: [Unsent; 2],
    /// That side has ended its sending.
    ended: [bool; 2],
}

enum Unsent {
    Copied { bytes: Vec<u8>, sent: usize },
    Piped(Pipe),
}

impl Forwarder {
    fn new(setup: Setup, splices: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(setup.listen)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let data = EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, data, EventFlags::IN)?;
        Ok(Self {
            total: setup.total_weight(),
            setup,
            splices,
            epoll,
            listener,
            pairs: Vec::new(),
            free: Vec::new(),
            scratch: vec![0; SCRATCH],
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(256);
        loop {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    token => self.act(token, event.flags)?,
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((client, _)) => self.pair(client)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn pair(&mut self, client: TcpStream) -> io::Result<()> {
        let upstream = connect(self.setup.drawn(fastrand::u32(0..self.total)))?;
        client.set_nonblocking(true)?;
        client.set_nodelay(true)?;
        upstream.set_nodelay(true)?;
        let number = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        for (side, socket) in [&client, &upstream].into_iter().enumerate() {
            let data = EventData::new_u64((number * 2 + side) as u64);
            epoll::add(&self.epoll, socket, data, flags)?;
        }
        let unsent = || -> io::Result<Unsent> {
            Ok(if self.splices {
                Unsent::Piped(Pipe::new()?)
            } else {
                Unsent::Copied {
                    bytes: Vec::new(),
                    sent: 0,
                }
            })
        };
        self.pairs[number] = Some(Pair {
            sockets: [client, upstream],
            unsent: [unsent()?, unsent()?],
            ended: [false; 2],
        });
        Ok(())
    }

    fn act(&mut self, token: u64, flags: EventFlags) -> io::Result<()> {
        let (number, side) = ((token / 2) as usize, (token % 2) as usize);
        let Some(pair) = &mut self.pairs[number] else {
            return Ok(());
        };
        let ending = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        let mut alive = true;
        if flags.contains(EventFlags::OUT) && pair.waits(1 - side) {
            alive = pair.forward(1 - side, true, &mut self.scratch).is_ok();
        }
        if alive && (flags.contains(EventFlags::IN) || ending) {
            alive = pair.forward(side, ending, &mut self.scratch).is_ok();
        }
        if !alive || pair.ended == [true; 2] {
            self.pairs[number] = None;
            self.free.push(number);
        }
        Ok(())
    }
}

impl Pair {
    fn waits(&self, from: usize) -> bool {
        match &self.unsent[from] {
            Unsent::Copied { bytes, .. } => !bytes.is_empty(),
            Unsent::Piped(pipe) => pipe.held > 0,
        }
    }

    /// Passes on what side `from` sends until it has no more or the other takes no more. A short read is
    /// the last, unless the connection is `ending`: then its end is to be read as well.
    fn forward(&mut self, from: usize, ending: bool, scratch: &mut [u8]) -> io::Result<()> {
        let [client, upstream] = &self.sockets;
        let (source, sink) = if from == 0 {
            (client, upstream)
        } else {
            (upstream, client)
        };
        let ended = match &mut self.unsent[from] {
            Unsent::Piped(pipe) => pipe.forward(source, sink)?,
            Unsent::Copied { bytes, sent } => copy(source, sink, bytes, sent, ending, scratch)?,
        };
        if ended {
            self.ended[from] = true;
            sink.shutdown(std::net::Shutdown::Write)?;
        }
        Ok(())
    }
}

/// Whether the source has ended.
fn copy(
    mut source: &TcpStream,
    mut sink: &TcpStream,
    unsent: &mut Vec<u8>,
    sent: &mut usize,
    ending: bool,
    scratch: &mut [u8],
) -> io::Result<bool> {
    if !unsent.is_empty() {
        *sent += put(&mut sink, &unsent[*sent..])?;
        if *sent < unsent.len() {
            return Ok(false);
        }
        unsent.clear();
        *sent = 0;
    }
    loop {
        let length = match source.read(scratch) {
            Ok(0) => return Ok(true),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let written = put(&mut sink, &scratch[..length])?;
        if written < length {
            unsent.extend_from_slice(&scratch[written..length]);
            return Ok(false);
        }
        if length < scratch.len() && !ending {
            return Ok(false);
        }
    }
}

/// How much of it was taken at once.
fn put(sink: &mut &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match sink.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error)
            if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            Err(error)
        }
        _ => Ok(socket.into()),
    }
}
