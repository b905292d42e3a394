//! Upstreams: what the proxy connects to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;

use setup::Protocol;

use super::http1::{self, Requests};
use super::http2::Responder;
use super::transport::Transport;

/// The letter of the first upstream; the others follow in the alphabet.
const FIRST_LETTER: u8 = b'a';

/// Which upstream gave a body that begins so.
pub(super) fn of_letter(letter: u8) -> usize {
    usize::from(letter.wrapping_sub(FIRST_LETTER))
}

/// One upstream's listener and what it answers.
pub(super) struct Upstream {
    pub(super) listener: TcpListener,
    letter: u8,
    protocol: Protocol,
    /// A whole HTTP/1.1 response.
    response: Rc<[u8]>,
    body: Rc<[u8]>,
}

impl Upstream {
    pub(super) fn listen(number: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        // Room for a proxy that opens all its connections at once.
        rustix::net::listen(&listener, 4096)?;
        Ok(Self {
            listener,
            letter: FIRST_LETTER + number as u8,
            protocol: Protocol::Http1,
            response: Rc::new([]),
            body: Rc::new([]),
        })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What connections from now on are answered.
    pub(super) fn answer_with(&mut self, protocol: Protocol, length: usize) {
        self.protocol = protocol;
        self.response = http1::response(self.letter, length);
        self.body = vec![self.letter; length].into();
    }

    pub(super) fn serve(&self, socket: TcpStream) -> io::Result<Served> {
        let mut served = Served {
            transport: Transport::accepted(socket)?,
            response: Rc::clone(&self.response),
            letter: self.letter,
            speech: match self.protocol {
                Protocol::Http1 => Speech::Http1(Requests::default()),
                Protocol::Http2 => Speech::Http2(Responder::new(Rc::clone(&self.body))),
                Protocol::Tcp => Speech::Echo,
            },
        };
        served.say()?;
        Ok(served)
    }
}

/// A connection from the proxy.
pub(super) struct Served {
    pub(super) transport: Transport,
    response: Rc<[u8]>,
    letter: u8,
    speech: Speech,
}

enum Speech {
    Http1(Requests),
    Http2(Responder),
    Echo,
}

impl Served {
    /// Answers what has arrived. Returns whether the proxy has ended the connection.
    pub(super) fn receive(&mut self, scratch: &mut [u8], ending: bool) -> io::Result<bool> {
        let Self {
            transport,
            response,
            letter,
            speech,
        } = self;
        let (mut requests, mut echoed) = (0, 0);
        let ended = transport.receive(scratch, ending, |bytes| {
            match speech {
                Speech::Http1(reader) => requests += reader.count(bytes),
                Speech::Http2(responder) => responder.take(bytes)?,
                Speech::Echo => echoed += bytes.len(),
            }
            Ok(())
        })?;
        for _ in 0..requests {
            transport.send_shared(response)?;
        }
        if echoed > 0 {
            let echo = &mut scratch[..echoed];
            echo.fill(*letter);
            transport.send(echo)?;
        }
        self.say()?;
        Ok(ended)
    }

    fn say(&mut self) -> io::Result<()> {
        if let Speech::Http2(responder) = &mut self.speech
            && !responder.out.is_empty()
        {
            self.transport.send(&responder.out)?;
            responder.out.clear();
        }
        Ok(())
    }
}
