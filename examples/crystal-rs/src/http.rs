//! HTTP/1.1 as far as the service needs it: reads a request and its body,
//! writes an answer. What is malformed, ambiguous or too long is refused.

use std::io::{self, BufRead, Read, Write};

use crate::backend::Answer;
use crate::encoding::encode;

/// The longest request line and headers together; also the longest trailers.
const LONGEST_HEAD: u64 = 24 * 1024;

#[derive(Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub keep_alive: bool,
    accept_encoding: String,
    length: Option<u64>,
    chunked: bool,
    expects_continue: bool,
}

pub enum Failure {
    /// To be answered with this status.
    Refused(&'static str),
    /// The connection broke, or was silent for too long.
    Broken,
}

const BAD_REQUEST: Failure = Failure::Refused("400 Bad Request");

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl Request {
    /// The next request of a connection; none when the client has closed it.
    pub fn read(reader: &mut impl BufRead) -> Result<Option<Self>, Failure> {
        if reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut head = reader.take(LONGEST_HEAD);
        let mut request = Self::from_line(&line(&mut head)?)?;
        loop {
            let line = line(&mut head)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(BAD_REQUEST)?;
            request.set(name, value.trim_matches([' ', '\t']))?;
        }
        if request.chunked && request.length.is_some() {
            return Err(BAD_REQUEST);
        }
        Ok(Some(request))
    }

    fn from_line(line: &str) -> Result<Self, Failure> {
        let parts: Vec<&str> = line.split(' ').collect();
        let [method, target, version] = parts[..] else {
            return Err(BAD_REQUEST);
        };
        if method.is_empty() || target.is_empty() {
            return Err(BAD_REQUEST);
        }
        let keep_alive = match version {
            "HTTP/1.1" => true,
            "HTTP/1.0" => false,
            _ => return Err(Failure::Refused("505 HTTP Version Not Supported")),
        };
        Ok(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            keep_alive,
            ..Self::default()
        })
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name.to_ascii_lowercase().as_str() {
            "" => return Err(BAD_REQUEST),
            name if name.contains([' ', '\t']) => return Err(BAD_REQUEST),
            "connection" if has_word(value, "close") => self.keep_alive = false,
            "connection" if has_word(value, "keep-alive") => self.keep_alive = true,
            "accept-encoding" => self.accept_encoding = value.to_owned(),
            "expect" => self.expects_continue = value.eq_ignore_ascii_case("100-continue"),
            "content-length" if self.length.is_none() => self.length = Some(number(value, 10)?),
            "content-length" => return Err(BAD_REQUEST),
            "transfer-encoding" if !self.chunked && value.eq_ignore_ascii_case("chunked") => {
                self.chunked = true;
            }
            "transfer-encoding" => return Err(Failure::Refused("501 Not Implemented")),
            _ => {}
        }
        Ok(())
    }

    /// The target without scheme, host and query.
    pub fn path(&self) -> &str {
        let target = match self.target.split_once("://") {
            Some((_, rest)) if !self.target.starts_with('/') => {
                rest.find('/').map_or("/", |start| &rest[start..])
            }
            _ => &self.target,
        };
        target.split('?').next().unwrap_or(target)
    }

    /// Reads past the body: left unread, it would be taken for the next request.
    pub fn skip_body(
        &self,
        reader: &mut impl BufRead,
        mut writer: impl Write,
    ) -> Result<(), Failure> {
        let length = self.length.unwrap_or(0);
        if self.expects_continue && (self.chunked || length > 0) {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if !self.chunked {
            return skip(reader, length);
        }
        loop {
            let size = line(&mut reader.take(LONGEST_HEAD))?;
            let size = size.split(';').next().unwrap_or_default().trim_end();
            let size = number(size, 16)?;
            if size == 0 {
                break;
            }
            skip(reader, size)?;
            if !line(&mut reader.take(2))?.is_empty() {
                return Err(BAD_REQUEST);
            }
        }
        let mut trailers = reader.take(LONGEST_HEAD);
        while !line(&mut trailers)?.is_empty() {}
        Ok(())
    }
}

impl Answer {
    pub fn write(
        self,
        request: &Request,
        keep_alive: bool,
        mut writer: impl Write,
    ) -> io::Result<()> {
        let Self {
            status,
            content_type,
            text,
        } = self;
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let is_head = request.method == "HEAD";
        let accepted = if is_head {
            ""
        } else {
            &request.accept_encoding
        };
        let (encoding, body) = encode(text.into_bytes(), accepted);
        let length = body.len();
        let encoding = encoding.map_or(String::new(), |name| {
            format!("Content-Encoding: {name}\r\n")
        });
        let mut message = format!(
            "HTTP/1.1 {status}\r\n\
             Connection: {connection}\r\n\
             Content-Type: {content_type}\r\n\
             {encoding}\
             Content-Length: {length}\r\n\
             \r\n"
        )
        .into_bytes();
        if !is_head {
            message.extend(body);
        }
        writer.write_all(&message)
    }
}

/// A line without its end, of a reader that holds no more than the line may.
fn line(reader: &mut io::Take<impl BufRead>) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(match reader.limit() {
            0 => Failure::Refused("431 Request Header Fields Too Large"),
            _ => Failure::Broken,
        });
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Err(BAD_REQUEST);
    }
    String::from_utf8(bytes).map_err(|_| BAD_REQUEST)
}

fn skip(reader: &mut impl BufRead, length: u64) -> Result<(), Failure> {
    if io::copy(&mut reader.take(length), &mut io::sink())? == length {
        Ok(())
    } else {
        Err(Failure::Broken)
    }
}

/// Digits only: the standard library's parser would take a sign as well.
fn number(text: &str, radix: u32) -> Result<u64, Failure> {
    if text.starts_with('+') {
        return Err(BAD_REQUEST);
    }
    u64::from_str_radix(text, radix).map_err(|_| BAD_REQUEST)
}

fn has_word(list: &str, word: &str) -> bool {
    list.split(',')
        .any(|item| item.trim().eq_ignore_ascii_case(word))
}
