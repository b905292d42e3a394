//! Why a message is refused: as text for its sender, and as the status a request is answered with.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the head is not HTTP/1.1: {0}")]
    Syntax(httparse::Error),
    #[error("a line of the head does not end in CR LF")]
    LineEnd,
    #[error("the HTTP version is not supported")]
    Version,
    #[error("the request line is too long")]
    RequestLineTooLong,
    #[error("the head is too large")]
    HeadTooLarge,
    #[error("the request target is not valid")]
    Target,
    #[error("the request target's scheme is not http")]
    Scheme,
    #[error("CONNECT says no port, or port 0")]
    Port,
    #[error("the Host header is missing")]
    HostMissing,
    #[error("there is more than one Host header")]
    HostRepeated,
    #[error("the Host header is not valid")]
    Host,
    #[error("Content-Length is not a number")]
    ContentLength,
    #[error("there is more than one Content-Length")]
    ContentLengthRepeated,
    #[error("Content-Length is not allowed here")]
    ContentLengthMisplaced,
    #[error("Transfer-Encoding is not exactly `chunked`")]
    TransferEncoding,
    #[error("Transfer-Encoding is not allowed here")]
    TransferEncodingMisplaced,
    #[error("there is both Content-Length and Transfer-Encoding")]
    FramedTwice,
    #[error("a chunk's size is not valid")]
    ChunkSize,
    #[error("a chunk's extension is not valid or too long")]
    ChunkExtension,
    #[error("a chunk does not end in CR LF")]
    ChunkEnd,
    #[error("the trailers are not valid or too long")]
    Trailers,
    #[error("the HTTP/2 message is not valid")]
    Http2,
    #[error("a field has no place in HTTP/2")]
    Field,
    #[error("there is a body where there can be none")]
    BodyMisplaced,
    #[error("the body is longer than this proxy lets through")]
    BodyTooLong,
    #[error("the connection was switched to another protocol unasked")]
    SwitchedUnasked,
}

impl Malformed {
    /// The status that tells a client what to mend.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::BodyTooLong => 413,
            Self::RequestLineTooLong => 414,
            Self::HeadTooLarge | Self::Syntax(httparse::Error::TooManyHeaders) => 431,
            Self::Version => 505,
            _ => 400,
        }
    }
}

impl From<httparse::Error> for Malformed {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::Version => Self::Version,
            other => Self::Syntax(other),
        }
    }
}
