//! A response read line by line, as it comes.

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Error;

#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    /// Received, and not handed out yet.
    received: BytesMut,
    url: String,
}

impl Lines {
    pub(super) fn new(body: Incoming, url: &str) -> Self {
        Self {
            body,
            received: BytesMut::new(),
            url: url.to_owned(),
        }
    }

    /// The next line without its end; none when the response is over. May be dropped and asked again:
    /// nothing received is lost.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line = self.received.split_to(end + 1);
                return Ok(Some(text(&line[..end])));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.received.extend_from_slice(data);
                    }
                }
                Some(Err(source)) => {
                    return Err(Error::Exchange {
                        url: self.url.clone(),
                        source,
                    });
                }
                None if self.received.is_empty() => return Ok(None),
                None => return Ok(Some(text(&self.received.split()))),
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}
