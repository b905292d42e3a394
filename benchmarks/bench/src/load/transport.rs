//! A non-blocking connection, with or without TLS. Writes are tried at once; what does not fit waits for
//! the socket.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// The name in the certificate of every peer.
pub const SERVER_NAME: &str = "bench.local";

pub(super) struct Transport {
    pub(super) socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    unsent: VecDeque<Chunk>,
}

struct Chunk {
    bytes: Rc<[u8]>,
    sent: usize,
}

impl Transport {
    pub(super) fn accepted(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            tls: None,
            unsent: VecDeque::new(),
        })
    }

    /// A connection in the making, from one of several loopback addresses: one has too few ports for
    /// thousands of connections a second.
    pub(super) fn connecting(
        to: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        number: usize,
    ) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let own = Ipv4Addr::new(127, 0, 1, 1 + (number % 250) as u8);
        socket.bind(&SocketAddr::new(IpAddr::V4(own), 0).into())?;
        match socket.connect(&to.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(error);
            }
            _ => {}
        }
        let tls = match tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
                let client = ClientConnection::new(Arc::clone(config), name);
                Some(Box::new(client.map_err(io::Error::other)?))
            }
        };
        Ok(Self {
            socket: socket.into(),
            tls,
            unsent: VecDeque::new(),
        })
    }

    /// Ends the connection without leaving a waiting state behind.
    pub(super) fn reset(self) {
        let socket = socket2::SockRef::from(&self.socket);
        // A socket that cannot be set so is closed in the usual way.
        let _set = socket.set_linger(Some(std::time::Duration::ZERO));
    }

    /// Hands what has arrived to `take`. Reads until a read is short; on to the very end if `ending`.
    /// Returns whether the other side has ended the connection.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        ending: bool,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        if self.tls.is_some() {
            return self.receive_tls(scratch, take);
        }
        loop {
            let length = match self.socket.read(scratch) {
                Ok(0) => return Ok(true),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            take(&scratch[..length])?;
            if length < scratch.len() && !ending {
                return Ok(false);
            }
        }
    }

    fn receive_tls(
        &mut self,
        scratch: &mut [u8],
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            return Ok(false);
        };
        let ended = loop {
            match tls.read_tls(&mut self.socket) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
                Err(error) => return Err(error),
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            loop {
                match tls.reader().read(scratch) {
                    Ok(0) => return Ok(true),
                    Ok(length) => take(&scratch[..length])?,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        };
        self.flush()?;
        Ok(ended)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes)?;
            return self.flush();
        }
        let sent = if self.unsent.is_empty() {
            put(&self.socket, bytes)?
        } else {
            0
        };
        if sent < bytes.len() {
            self.unsent.push_back(Chunk {
                bytes: bytes[sent..].into(),
                sent: 0,
            });
        }
        Ok(())
    }

    /// The same for bytes that need no copy to wait.
    pub(super) fn send_shared(&mut self, bytes: &Rc<[u8]>) -> io::Result<()> {
        if self.tls.is_some() {
            return self.send(bytes);
        }
        let sent = if self.unsent.is_empty() {
            put(&self.socket, bytes)?
        } else {
            0
        };
        if sent < bytes.len() {
            self.unsent.push_back(Chunk {
                bytes: Rc::clone(bytes),
                sent,
            });
        }
        Ok(())
    }

    /// Sends what has waited for room, and what TLS itself has to say.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(error) if is_unready(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        }
        while let Some(chunk) = self.unsent.front_mut() {
            chunk.sent += put(&self.socket, &chunk.bytes[chunk.sent..])?;
            if chunk.sent < chunk.bytes.len() {
                return Ok(());
            }
            self.unsent.pop_front();
        }
        Ok(())
    }
}

/// A socket that is still connecting takes nothing, just as one that is full.
fn is_unready(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}

fn put(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match socket.write(bytes) {
        Err(error) if is_unready(&error) => Ok(0),
        written => written,
    }
}
