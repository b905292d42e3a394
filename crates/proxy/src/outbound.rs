//! Opening a connection to an endpoint: TCP, then TLS where the cluster asks for it, within one time-out.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::stream::Stream;
use crate::tls::Connector;

pub(crate) async fn connect(
    address: SocketAddr,
    timeout: Duration,
    tls: Option<&Connector>,
) -> io::Result<Stream> {
    let connecting = async {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        match tls {
            None => Ok(Stream::Plain(tcp)),
            // In a box, so that connections in plain text keep no room for it.
            Some(tls) => Box::pin(tls.connect(tcp, address)).await.map(Stream::Tls),
        }
    };
    let connected = tokio::time::timeout(timeout, connecting).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
