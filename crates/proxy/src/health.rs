//! Active health checks: one task for each endpoint of the data plane, whatever the number of workers.
//!
//! As with Envoy, an endpoint is not used before its first check has passed, that check comes at once
//! and decides alone; afterwards it takes the thresholds to change the verdict.

mod http2;
mod probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use view::{HealthCheck, ProxyVersion};

use crate::clock::{self, Instant};
use crate::discovery::is_same;
use crate::endpoint::Shared;
use crate::tls::Connector;

pub(crate) const USER_AGENT: &str = "serin health check";

/// Increases whenever an endpoint comes, goes or changes its health; workers look again when it does.
pub(crate) type Generation = Arc<AtomicU64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// The cluster has no health check: every endpoint is used.
    Unchecked,
    /// No check has finished yet.
    Unknown,
    Healthy,
    Unhealthy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) status: HealthStatus,
    /// When it became so.
    pub(crate) since: Instant,
    /// Why the last check failed.
    pub(crate) reason: Option<String>,
    /// Checks in a row that spoke against the status.
    against: u32,
}

impl Health {
    pub(crate) fn new(status: HealthStatus) -> Self {
        Self {
            status,
            since: clock::now(),
            reason: None,
            against: 0,
        }
    }

    /// The same, taken to be healthy until a check says otherwise.
    pub(crate) fn trusted(self) -> Self {
        Self {
            status: HealthStatus::Healthy,
            ..self
        }
    }

    pub(crate) fn is_usable(&self) -> bool {
        matches!(self.status, HealthStatus::Unchecked | HealthStatus::Healthy)
    }

    fn after(self, result: Result<(), String>, check: &HealthCheck) -> Self {
        let reason = result.err();
        let (verdict, threshold) = match &reason {
            None => (HealthStatus::Healthy, check.healthy_threshold),
            Some(_) => (HealthStatus::Unhealthy, check.unhealthy_threshold),
        };
        let against = if verdict == self.status {
            0
        } else {
            self.against + 1
        };
        let is_first = self.status == HealthStatus::Unknown;
        if is_first || against >= threshold {
            Self {
                reason,
                ..Self::new(verdict)
            }
        } else {
            Self {
                reason,
                against,
                ..self
            }
        }
    }
}

/// How endpoints of a cluster are checked.
#[derive(Clone, Debug)]
pub(crate) struct Checking {
    pub(crate) check: HealthCheck,
    pub(crate) tls: Option<Arc<Connector>>,
    pub(crate) proxy_header: Option<ProxyVersion>,
}

impl Checking {
    /// Whether a checker of the one may go on for the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.check == other.check
            && self.proxy_header == other.proxy_header
            && is_same(&self.tls, &other.tls)
    }
}

/// Checks an endpoint for ever. `room`: how many checks may be under way at once, whosever they are.
pub(crate) async fn watch(
    endpoint: Arc<Shared>,
    checking: Checking,
    generation: Generation,
    room: Arc<Semaphore>,
) {
    let Checking {
        check,
        tls,
        proxy_header,
    } = checking;
    let mut address = endpoint.address;
    if let Some(port) = check.port {
        address.set_port(port);
    }
    let mut rng = fastrand::Rng::new();
    loop {
        let under_way = room.acquire().await;
        let probing = probe::probe(address, &check, tls.as_deref(), proxy_header);
        let result = match tokio::time::timeout(check.timeout, probing).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {:?}", check.timeout)),
        };
        drop(under_way);
        let before = endpoint.health();
        let health = before.clone().after(result, &check);
        if health.status != before.status {
            tracing::info!(
                endpoint = %endpoint.address, from = ?before.status, to = ?health.status,
                reason = health.reason, "health changed"
            );
        }
        if endpoint.set_health(health) {
            generation.fetch_add(1, Ordering::Release);
        }
        tokio::time::sleep(jittered(check.interval, &mut rng)).await;
    }
}

/// Up to a tenth more or less, so that checks of many endpoints spread.
fn jittered(interval: Duration, rng: &mut fastrand::Rng) -> Duration {
    interval.mul_f64(0.9 + 0.2 * rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthStatus::*;
    use view::Protocol;

    fn check() -> HealthCheck {
        HealthCheck {
            protocol: Protocol::Http,
            path: "/health".into(),
            port: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        }
    }

    fn after(start: HealthStatus, checks: &str) -> HealthStatus {
        checks
            .chars()
            .fold(Health::new(start), |health, result| {
                let result = if result == '+' {
                    Ok(())
                } else {
                    Err("down".to_owned())
                };
                health.after(result, &check())
            })
            .status
    }

    #[test]
    fn the_first_check_decides_alone_and_thresholds_decide_later() {
        for (start, checks, expected) in [
            (Unknown, "", Unknown),
            (Unknown, "+", Healthy),
            (Unknown, "-", Unhealthy),
            (Healthy, "--", Healthy),
            (Healthy, "---", Unhealthy),
            (Healthy, "--+--", Healthy),
            (Healthy, "--+---", Unhealthy),
            (Unhealthy, "+", Unhealthy),
            (Unhealthy, "++", Healthy),
            (Unhealthy, "+-+", Unhealthy),
        ] {
            assert_eq!(after(start, checks), expected, "{start:?} {checks}");
        }
    }

    #[test]
    fn intervals_spread_by_a_tenth() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..1000 {
            let interval = jittered(Duration::from_secs(10), &mut rng);
            assert!((9.0..=11.0).contains(&interval.as_secs_f64()));
        }
    }
}
