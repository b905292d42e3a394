//! One health check: a connection, as the cluster's requests would have it, and what its protocol asks.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use view::{HealthCheck, Protocol, ProxyVersion};

use super::http2;
use crate::http1::{MAX_HEAD, fields, response};
use crate::outbound;
use crate::proxy_protocol::{self, Header};
use crate::stream::Stream;
use crate::tls::Connector;

/// The error says what was wrong.
pub(super) async fn probe(
    address: SocketAddr,
    check: &HealthCheck,
    tls: Option<&Connector>,
    proxy_header: Option<ProxyVersion>,
) -> Result<(), String> {
    let header = proxy_header.map(|version| proxy_protocol::header(version, Header::Own));
    let stream = outbound::connect(address, check.timeout, tls, header.as_deref())
        .await
        .map_err(|error| error.to_string())?;
    // What TLS has agreed on is spoken, whatever the check is called.
    let is_http2 = match stream.alpn() {
        Some(agreed) => agreed == b"h2",
        None => check.protocol != Protocol::Http,
    };
    match check.protocol {
        Protocol::Tcp => Ok(()),
        Protocol::Grpc => http2::check_grpc(stream, address).await,
        Protocol::Http | Protocol::Http2 if is_http2 => {
            http2::check_status(stream, address, &check.path).await
        }
        Protocol::Http | Protocol::Http2 => check_http1(stream, address, &check.path).await,
    }
}

async fn check_http1(mut stream: Stream, host: SocketAddr, path: &str) -> Result<(), String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {}\r\nconnection: close\r\n\r\n",
        super::USER_AGENT
    );
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    loop {
        let read = stream
            .read_buf(&mut answer)
            .await
            .map_err(|error| error.to_string())?;
        let mut lines = fields::no_lines();
        match response::parse(&answer, false, &mut lines) {
            Ok(Some(head)) if head.status == 200 => return Ok(()),
            Ok(Some(head)) => return Err(format!("answered {}", head.status)),
            Ok(None) if read > 0 && answer.len() <= MAX_HEAD => {}
            Ok(None) => return Err("the connection closed before the answer".to_owned()),
            Err(malformed) => return Err(malformed.to_string()),
        }
    }
}
