//! Asks a task whether it is well: one `GET`, or one connection where no path is given.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::driver::HealthProbe;

/// For a set that has no probe of its own.
const CONNECT_INTERVAL: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_FAILURES: u32 = 3;

/// How long a probe that has its verdict reads on, so that the task need not see its answer cut off.
const FAREWELL: Duration = Duration::from_millis(100);

/// `HTTP/1.1 200`
const STATUS_LENGTH: usize = 12;

/// How often to probe and how many results in a row decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub interval: Duration,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
}

impl Pace {
    pub(super) fn of(health: Option<&HealthProbe>) -> Self {
        match health {
            Some(health) => Self {
                interval: health.interval,
                healthy_threshold: health.healthy_threshold,
                unhealthy_threshold: health.unhealthy_threshold,
            },
            None => Self {
                interval: CONNECT_INTERVAL,
                healthy_threshold: 1,
                unhealthy_threshold: CONNECT_FAILURES,
            },
        }
    }
}

/// An error says in words why the probe failed.
pub(super) async fn probe(address: SocketAddr, health: Option<HealthProbe>) -> Result<(), String> {
    match health {
        Some(health) => get(address, &health.path, health.timeout).await,
        None => within(CONNECT_TIMEOUT, connect(address)).await.map(drop),
    }
}

async fn get(address: SocketAddr, path: &str, limit: Duration) -> Result<(), String> {
    let (mut stream, status) = within(limit, async {
        let mut stream = connect(address).await?;
        let status = ask(&mut stream, address, path)
            .await
            .map_err(|error| format!("GET {path} failed: {error}"))?;
        Ok((stream, status))
    })
    .await
    .map_err(|reason| format!("{reason} (GET {path})"))?;
    let verdict = match parse_status(&status) {
        Some(200..=299) => Ok(()),
        Some(code) => Err(format!("GET {path} answered {code}")),
        None => Err(format!("GET {path} was not answered in HTTP/1")),
    };
    let mut rest = tokio::io::sink();
    let farewell = tokio::io::copy(&mut stream, &mut rest);
    // Whether the rest of the answer comes does not matter any more.
    drop(timeout(FAREWELL, farewell).await);
    verdict
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(address)
        .await
        .map_err(|error| format!("could not connect to {address}: {error}"))
}

async fn ask(
    stream: &mut TcpStream,
    address: SocketAddr,
    path: &str,
) -> std::io::Result<[u8; STATUS_LENGTH]> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: serin-health\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; STATUS_LENGTH];
    stream.read_exact(&mut status).await?;
    Ok(status)
}

fn parse_status(line: &[u8]) -> Option<u16> {
    let digits = match line.strip_prefix(b"HTTP/1.")? {
        [b'0'..=b'9', b' ', digits @ ..] => digits,
        _ => return None,
    };
    let all_digits = digits.len() == 3 && digits.iter().all(u8::is_ascii_digit);
    all_digits.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_of_http_1_counts() {
        for (line, status) in [
            ("HTTP/1.1 200", Some(200)),
            ("HTTP/1.0 204", Some(204)),
            ("HTTP/1.1 +20", None),
            ("HTTP/1.1  20", None),
            ("HTTP/2.0 200", None),
            ("SSH-2.0-Open", None),
        ] {
            assert_eq!(parse_status(line.as_bytes()), status, "{line}");
        }
    }

    /// Answers every connection with `answer` and lets it hang open afterwards where `hangs`.
    async fn answering(answer: &'static str, hangs: bool) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                if hangs {
                    open.push(stream);
                }
            }
        });
        address
    }

    fn health(path: &str) -> Option<HealthProbe> {
        Some(HealthProbe {
            path: path.to_owned(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            healthy_threshold: 1,
            unhealthy_threshold: 1,
        })
    }

    #[tokio::test]
    async fn a_probe_says_why_it_failed() {
        let good = "HTTP/1.1 204 No Content\r\n\r\n";
        let bad = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
        for (answer, hangs, verdict) in [
            (good, false, Ok(())),
            (good, true, Ok(())),
            (bad, false, Err("GET /ready answered 503".to_owned())),
            (
                "220 mail.example ready\r\n",
                false,
                Err("GET /ready was not answered in HTTP/1".to_owned()),
            ),
        ] {
            let address = answering(answer, hangs).await;
            assert_eq!(probe(address, health("/ready")).await, verdict);
        }
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_fails_both_probes() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(probe(address, None).await, Ok(()));
        drop(listener);
        for health in [None, health("/")] {
            let reason = probe(address, health).await.unwrap_err();
            assert!(reason.contains("could not connect"), "{reason}");
        }
    }

    #[tokio::test]
    async fn silence_fails_after_the_timeout() {
        let address = answering("", true).await;
        let mut health = health("/").unwrap();
        health.timeout = Duration::from_millis(50);
        let reason = probe(address, Some(health)).await.unwrap_err();
        assert_eq!(reason, "no answer within 50ms (GET /)");
    }
}
