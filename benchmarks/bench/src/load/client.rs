//! One connection of the load generator to the proxy.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use setup::Protocol;

use super::echo::Echoes;
use super::http1::Answers;
use super::http2::Requester;
use super::plan::Plan;
use super::transport::Transport;

/// A whole answer.
pub(super) struct Answer {
    /// The HTTP/2 stream; 0 where one request at a time is under way.
    pub(super) stream: u32,
    pub(super) status: u16,
    /// The body's first byte, and so whose it is.
    pub(super) letter: Option<u8>,
    pub(super) length: usize,
}

pub(super) struct Client {
    pub(super) transport: Transport,
    speech: Speech,
    /// Requests under way, with when they were due.
    pub(super) under_way: VecDeque<(u32, Instant)>,
}

enum Speech {
    Http1(Answers),
    Http2(Requester),
    Echo(Echoes),
}

/// Requests, ready to be sent, in turn.
pub(super) struct Requests {
    paths: Vec<String>,
    encoded: Vec<Rc<[u8]>>,
    next: usize,
    is_secure: bool,
}

impl Requests {
    pub(super) fn new(plan: &Plan) -> Self {
        let encode = |path: &String| match plan.protocol {
            Protocol::Tcp => vec![b'?'; plan.body].into(),
            Protocol::Http1 | Protocol::Http2 => super::http1::request(path),
        };
        Self {
            encoded: plan.paths.iter().map(encode).collect(),
            paths: plan.paths.clone(),
            next: 0,
            is_secure: plan.tls.is_some(),
        }
    }

    fn next(&mut self) -> usize {
        let at = self.next;
        self.next = (at + 1) % self.paths.len();
        at
    }
}

impl Client {
    pub(super) fn connect(plan: &Plan, number: usize) -> io::Result<Self> {
        Ok(Self {
            transport: Transport::connecting(plan.proxy, plan.tls.as_ref(), number)?,
            speech: match plan.protocol {
                Protocol::Http1 => Speech::Http1(Answers::default()),
                Protocol::Http2 => Speech::Http2(Requester::new()),
                Protocol::Tcp => Speech::Echo(Echoes::new(plan.body)),
            },
            under_way: VecDeque::new(),
        })
    }

    /// Prepares a request; several together leave with `flush`.
    pub(super) fn ask(&mut self, requests: &mut Requests, due: Instant) -> io::Result<()> {
        let request = requests.next();
        let stream = match &mut self.speech {
            Speech::Http2(requester) => {
                requester.request(&requests.paths[request], requests.is_secure)
            }
            Speech::Http1(_) | Speech::Echo(_) => {
                self.transport.send_shared(&requests.encoded[request])?;
                0
            }
        };
        self.under_way.push_back((stream, due));
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Speech::Http2(requester) = &mut self.speech
            && !requester.out.is_empty()
        {
            self.transport.send(&requester.out)?;
            requester.out.clear();
        }
        Ok(())
    }

    /// Whether the proxy has ended the connection.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        ending: bool,
        answers: &mut Vec<Answer>,
    ) -> io::Result<bool> {
        let speech = &mut self.speech;
        self.transport
            .receive(scratch, ending, |bytes| match speech {
                Speech::Http1(reader) => reader.take(bytes, answers),
                Speech::Http2(requester) => requester.take(bytes, answers),
                Speech::Echo(echoes) => {
                    echoes.take(bytes, answers);
                    Ok(())
                }
            })
    }

    /// When the answered request was due.
    pub(super) fn finish(&mut self, stream: u32) -> Option<Instant> {
        let at = self.under_way.iter().position(|(own, _)| *own == stream)?;
        self.under_way.remove(at).map(|(_, due)| due)
    }
}
