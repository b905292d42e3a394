//! Opening a connection to an endpoint: TCP, then a PROXY header and TLS where the cluster asks for them,
//! within one time-out.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::stream::Stream;
use crate::tls::Connector;

pub(crate) async fn connect(
    address: SocketAddr,
    timeout: Duration,
    tls: Option<&Connector>,
    proxy_header: Option<&[u8]>,
) -> io::Result<Stream> {
    let connecting = async {
        let mut tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        if let Some(header) = proxy_header {
            tcp.write_all(header).await?;
        }
        match tls {
            None => Ok(Stream::Plain(tcp)),
            // In a box, so that connections in plain text keep no room for it.
            Some(tls) => Box::pin(tls.connect(tcp, address)).await.map(Stream::Tls),
        }
    };
    let connected = tokio::time::timeout(timeout, connecting).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
