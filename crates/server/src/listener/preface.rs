//! Tells HTTP/2 from HTTP/1.1 in clear text by a connection's first bytes, which stay to be read.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// No method of HTTP/1.1 begins like this (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI ";

/// Between two looks at a preface that came in pieces.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) async fn is_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = match stream.peek(&mut first).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => &first[..length],
        };
        if seen == PREFACE {
            return Ok(true);
        }
        if !PREFACE.starts_with(seen) {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn verdict(pieces: &[&[u8]]) -> io::Result<bool> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = TcpStream::connect(listener.local_addr()?).await?;
        client.set_nodelay(true)?;
        let (server, _) = listener.accept().await?;
        let send = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::time::sleep(PAUSE).await;
            }
            client.shutdown().await.unwrap();
        };
        tokio::join!(is_http2(&server), send).0
    }

    #[tokio::test]
    async fn the_first_bytes_tell() {
        assert!(verdict(&[b"PRI * HTTP/2.0\r\n"]).await.unwrap());
        assert!(
            verdict(&[b"P", b"R", b"I ", b"* HTTP/2.0\r\n"])
                .await
                .unwrap()
        );
        assert!(!verdict(&[b"GET / HTTP/1.1\r\n"]).await.unwrap());
        assert!(!verdict(&[b"PR", b"OPFIND / HTTP/1.1\r\n"]).await.unwrap());
        assert!(verdict(&[]).await.is_err());
    }
}
