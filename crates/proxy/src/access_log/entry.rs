//! One request's line, from what was kept of it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_local;

use super::Flags;
use super::file::{Chunk, File, Files};
use super::format::{Format, Operator, Piece, Shape};
use crate::clock::{self, Instant};
use crate::reply::Reply;

/// A worker hands its lines over when there are as many bytes of them, or after this time.
const CHUNK: usize = 32 * 1024;
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// A listener's log, as one worker has it.
#[derive(Debug)]
pub(crate) struct Log {
    format: Arc<Format>,
    buffer: Rc<Buffer>,
}

#[derive(Debug)]
struct Buffer {
    file: Arc<File>,
    chunk: RefCell<Chunk>,
}

/// Becomes a line when it is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    log: Rc<Log>,
    started: Instant,
    started_at: SystemTime,
    /// In the order of the format's.
    request: Vec<Option<Box<str>>>,
    response: Vec<Option<Box<str>>>,
    answered: Option<Instant>,
    /// None where bytes have no meaning.
    pub(crate) protocol: Option<&'static str>,
    pub(crate) client: Option<SocketAddr>,
    pub(crate) status: Option<u16>,
    pub(crate) grpc_status: Option<u8>,
    pub(crate) flags: Flags,
    /// Of the bodies.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) cluster: Option<String>,
    pub(crate) route: Option<String>,
}

enum Value<'a> {
    Missing,
    Number(u64),
    Text(Cow<'a, str>),
}

impl Log {
    /// On a worker's thread.
    pub(crate) fn open(
        format: Arc<Format>,
        path: &str,
        files: &Files,
    ) -> std::io::Result<Rc<Self>> {
        let buffer = Rc::new(Buffer {
            file: files.at(path)?,
            chunk: RefCell::default(),
        });
        let held = Rc::downgrade(&buffer);
        spawn_local(async move {
            while let Some(buffer) = held.upgrade() {
                buffer.hand_over();
                drop(buffer);
                tokio::time::sleep(LONGEST_WAIT).await;
            }
        });
        Ok(Rc::new(Self { format, buffer }))
    }

    /// `field` knows the request's fields by their names in lower case, and `:method` and the like.
    pub(crate) fn begin<'a>(
        self: &Rc<Self>,
        started: Instant,
        protocol: Option<&'static str>,
        field: impl Fn(&str) -> Option<Cow<'a, str>>,
    ) -> Box<Entry> {
        let request = self.format.request.iter().map(|name| keep(field(name)));
        Box::new(Entry {
            log: Rc::clone(self),
            started,
            started_at: clock::wall(),
            request: request.collect(),
            response: Vec::new(),
            answered: None,
            protocol,
            client: None,
            status: None,
            grpc_status: None,
            flags: Flags::default(),
            received: 0,
            sent: 0,
            upstream: None,
            cluster: None,
            route: None,
        })
    }
}

fn keep(value: Option<Cow<'_, str>>) -> Option<Box<str>> {
    value.map(|value| value.into_owned().into_boxed_str())
}

impl Buffer {
    fn hand_over(&self) {
        let chunk = self.chunk.take();
        if chunk.lines > 0 {
            self.file.hand(chunk);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.hand_over();
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let log = Rc::clone(&self.log);
        let mut chunk = log.buffer.chunk.borrow_mut();
        self.write(&log.format, clock::now(), &mut chunk.bytes);
        chunk.lines += 1;
        let is_full = chunk.bytes.len() >= CHUNK;
        drop(chunk);
        if is_full {
            log.buffer.hand_over();
        }
    }
}

impl Entry {
    /// The response's head has come; `field` as in [`Log::begin`].
    pub(crate) fn answered<'a>(
        &mut self,
        status: u16,
        now: Instant,
        field: impl Fn(&str) -> Option<Cow<'a, str>>,
    ) {
        self.status = Some(status);
        self.answered = Some(now);
        let fields = self.log.format.response.iter();
        self.response = fields.map(|name| keep(field(name))).collect();
    }

    /// The proxy answers by itself.
    pub(crate) fn answered_here(&mut self, reply: &Reply, flags: Flags) {
        self.status = Some(reply.status);
        self.sent = reply.text().len() as u64;
        self.flags = flags;
    }

    fn write(&self, format: &Format, now: Instant, out: &mut Vec<u8>) {
        match &format.shape {
            Shape::Text(pieces) => out.extend_from_slice(self.text(pieces, now).as_bytes()),
            Shape::Json(fields) => {
                let mut separator = b'{';
                for (key, pieces) in fields {
                    out.push(separator);
                    separator = b',';
                    quote(key, out);
                    out.push(b':');
                    self.write_json(pieces, now, out);
                }
                out.extend_from_slice(if fields.is_empty() { b"{}\n" } else { b"}\n" });
            }
        }
    }

    fn text(&self, pieces: &[Piece], now: Instant) -> String {
        let mut line = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => line.push_str(text),
                Piece::Value { operator, longest } => match self.value(operator, *longest, now) {
                    Value::Missing => line.push('-'),
                    Value::Number(number) => line.push_str(&number.to_string()),
                    Value::Text(text) => line.push_str(&text),
                },
            }
        }
        line
    }

    /// An operator on its own keeps its type, as with Envoy.
    fn write_json(&self, pieces: &[Piece], now: Instant, out: &mut Vec<u8>) {
        let [Piece::Value { operator, longest }] = pieces else {
            return quote(&self.text(pieces, now), out);
        };
        match self.value(operator, *longest, now) {
            Value::Missing => out.extend_from_slice(b"null"),
            Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Text(text) => quote(&text, out),
        }
    }

    fn value(&self, operator: &Operator, longest: Option<usize>, now: Instant) -> Value<'_> {
        let text = |text: Option<Cow<'_, str>>| match text {
            Some(text) => Value::Text(match (text, longest) {
                (text, Some(longest)) if text.len() > longest => {
                    let mut fitting = (0..=longest).rev();
                    let end = fitting.find(|&at| text.is_char_boundary(at)).unwrap_or(0);
                    Cow::Owned(text[..end].to_owned())
                }
                (text, _) => Cow::Owned(text.into_owned()),
            }),
            None => Value::Missing,
        };
        let borrowed = |value: Option<&str>| text(value.map(Cow::Borrowed));
        let owned = |value: Option<String>| text(value.map(Cow::Owned));
        let milliseconds = |from: Instant, to: Instant| {
            let passed = to.duration_since(from).as_millis();
            Value::Number(u64::try_from(passed).unwrap_or(u64::MAX))
        };
        match operator {
            Operator::StartTime(format) => owned(format.format(self.started_at)),
            Operator::Protocol => borrowed(self.protocol),
            // Envoy writes 0 where nobody was answered.
            Operator::ResponseCode => Value::Number(self.status.unwrap_or_default().into()),
            // Envoy writes its dash even where nothing is null.
            Operator::ResponseFlags => {
                owned(Some(self.flags.text().unwrap_or_else(|| "-".to_owned())))
            }
            Operator::BytesReceived => Value::Number(self.received),
            Operator::BytesSent => Value::Number(self.sent),
            Operator::Duration => milliseconds(self.started, now),
            Operator::ResponseDuration | Operator::UpstreamServiceTime => match self.answered {
                Some(answered) => milliseconds(self.started, answered),
                None => Value::Missing,
            },
            Operator::ResponseTxDuration => match self.answered {
                Some(answered) => milliseconds(answered, now),
                None => Value::Missing,
            },
            Operator::UpstreamHost => owned(self.upstream.map(|address| address.to_string())),
            Operator::UpstreamCluster => borrowed(self.cluster.as_deref()),
            Operator::RouteName => borrowed(self.route.as_deref()),
            Operator::RemoteAddress { with_port } => owned(self.client.map(|address| {
                if *with_port {
                    address.to_string()
                } else {
                    address.ip().to_string()
                }
            })),
            Operator::Hostname(name) => borrowed(name.as_deref()),
            Operator::GrpcStatus => match self.grpc_status {
                Some(status) => Value::Number(status.into()),
                None => Value::Missing,
            },
            Operator::Request(places) => borrowed(first(&self.request, places)),
            Operator::Response(places) => borrowed(first(&self.response, places)),
        }
    }
}

fn first<'a>(kept: &'a [Option<Box<str>>], places: &[usize]) -> Option<&'a str> {
    places.iter().find_map(|&place| kept.get(place)?.as_deref())
}

/// A JSON string (RFC 8259 section 7).
fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
