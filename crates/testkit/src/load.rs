//! Load from a few keep-alive connections: every request is accounted for, none is tried twice.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::raw::RawClient;

/// Requests under way until stopped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    connections: JoinSet<Report>,
}

/// What became of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whole responses by status and text.
    pub responses: BTreeMap<(u16, String), u64>,
    /// Requests that got none, by reason.
    pub failures: BTreeMap<String, u64>,
}

impl Report {
    pub fn total(&self) -> u64 {
        self.responses.values().sum::<u64>() + self.failed()
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Whole responses of this status, whatever their text.
    pub fn with_status(&self, status: u16) -> u64 {
        self.responses
            .iter()
            .filter(|((own, _), _)| *own == status)
            .map(|(_, count)| count)
            .sum()
    }

    /// Whole responses with this text, whatever their status.
    pub fn with_text(&self, text: &str) -> u64 {
        self.responses
            .iter()
            .filter(|((_, own), _)| own == text)
            .map(|(_, count)| count)
            .sum()
    }

    fn add(&mut self, other: Self) {
        for (response, count) in other.responses {
            *self.responses.entry(response).or_default() += count;
        }
        for (failure, count) in other.failures {
            *self.failures.entry(failure).or_default() += count;
        }
    }
}

impl Load {
    /// `rate` requests a second over all `connections`; `None` is as fast as answers come. `request` is
    /// the whole head of a request without body.
    pub fn start(
        address: SocketAddr,
        connections: u32,
        rate: Option<f64>,
        request: impl Into<Vec<u8>>,
    ) -> Self {
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let request: Arc<[u8]> = request.into().into();
        let interval = rate.map(|rate| Duration::from_secs_f64(f64::from(connections) / rate));
        let mut running = JoinSet::new();
        for _ in 0..connections {
            let client = Client {
                address,
                request: Arc::clone(&request),
                interval,
                stop: Arc::clone(&stop),
                sent: Arc::clone(&sent),
            };
            running.spawn(client.run());
        }
        Self {
            stop,
            sent,
            connections: running,
        }
    }

    /// How many requests have been sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends after the requests under way.
    pub async fn stop(mut self) -> Result<Report, JoinError> {
        self.stop.store(true, Ordering::Relaxed);
        let mut report = Report::default();
        while let Some(part) = self.connections.join_next().await {
            report.add(part?);
        }
        Ok(report)
    }
}

struct Client {
    address: SocketAddr,
    request: Arc<[u8]>,
    interval: Option<Duration>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
}

impl Client {
    async fn run(self) -> Report {
        let mut report = Report::default();
        let mut connection = None;
        let mut next = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(interval) = self.interval {
                tokio::time::sleep_until(next).await;
                next += interval;
            }
            self.sent.fetch_add(1, Ordering::Relaxed);
            match self.ask(&mut connection).await {
                Ok(answer) => *report.responses.entry(answer).or_default() += 1,
                Err(error) => {
                    connection = None;
                    *report.failures.entry(error.to_string()).or_default() += 1;
                }
            }
        }
        report
    }

    async fn ask(&self, connection: &mut Option<RawClient>) -> io::Result<(u16, String)> {
        let mut client = match connection.take() {
            Some(client) => client,
            None => RawClient::connect(self.address).await?,
        };
        let response = client.ask(&self.request).await?;
        if response.header("connection") != Some("close") {
            *connection = Some(client);
        }
        Ok((response.status, response.text()))
    }
}
