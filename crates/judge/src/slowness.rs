//! Evidence that the canary is slower: bets on how long requests take.
//!
//! Given how long a request took, its arm is still our coin if the version makes no difference; so the ratio
//! of [`arm_test`](crate::arm_test) may depend on the latency `y`. For every function `r` of it,
//!
//! ```text
//! e = r(y)^[canary] / (1 - w + w r(y))
//! ```
//!
//! has the mean 1, whatever the latencies are like. If `r` does not fall as `y` grows, the mean is at most 1 for
//! every canary that is stochastically faster, because such a canary only moves its requests to smaller `e`.
//! So every bet is a rising `r` made from earlier requests, and their mean is evidence by Ville's inequality.
//!
//! Each bet supposes that a share of the canary's requests takes `k` times as long ([`Alternative`]). With
//! `f0` the recent latencies of the stable version and `f1` what they were if this were so, `r = f1 / f0` grows
//! fastest; cells in which it would fall are merged (`reference.rs`). This is predictable two-sample
//! betting (Lhéritier and Cazals 2018; Shekhar and Ramdas 2021) made one-sided. A test that only asks "slower
//! than `t`?" uses at most two thirds of the information in a shift of everything; bands around the whole
//! distribution (Howard and Ramdas 2022) do not see a change of the slowest hundredth at all.
//!
//! A canary may be slower by what is tolerated: its latencies are reduced by that before they are looked at.
//!
//! A task that stalls is one event, however many requests wait for its end. So within half a second, in which
//! those who waited are heard of, each bet wins at most `1 / w`, the most that the coin of a single request can
//! bring, and no more than 4: a version stalls as often at a small share as at a large one. A bet that wins less
//! than it could is still a bet, and a canary that is slower in earnest is so in the next half second too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    counts::Latencies,
    histogram::{Bin, Histogram},
    mixture::log_mean,
    nats::Nats,
    reference::Reference,
    share::Share,
};

/// A supposed difference: `share` of the canary's requests take `times` as long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    pub share: f64,
    pub times: f64,
}

/// What is supposed, with weights that add up to 1: all requests a little slower, or few a lot.
const ALTERNATIVES: [(f64, f64, f64); 11] = [
    (0.04, 1.0, 1.05),
    (0.35, 1.0, 1.1),
    (0.03, 1.0, 1.2),
    (0.06, 1.0, 1.5),
    (0.06, 1.0, 3.0),
    (0.06, 0.2, 2.0),
    (0.06, 0.1, 5.0),
    (0.04, 0.02, 3.0),
    (0.22, 0.01, 10.0),
    (0.04, 0.003, 10.0),
    (0.04, 0.01, 100.0),
];

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Slowness {
    /// The evidence for each of [`ALTERNATIVES`].
    log_es: [Nats; ALTERNATIVES.len()],
    #[serde(default, skip_serializing_if = "Window::is_new")]
    window: Window,
}

/// The one that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Window {
    open_for: Duration,
    /// The evidence that came in it.
    log_es: [Nats; ALTERNATIVES.len()],
}

impl Window {
    const LENGTH: Duration = Duration::from_millis(500);

    /// What a bet may win in it, times what it was.
    const MOST: f64 = 4.0;

    fn is_new(&self) -> bool {
        *self == Self::default()
    }
}

impl Slowness {
    /// Notes the time since the last bets. An unknown one is long enough.
    pub(crate) fn pass(&mut self, time: Option<Duration>) {
        let time = time.unwrap_or(Window::LENGTH);
        self.window.open_for = self.window.open_for.saturating_add(time);
        if self.window.open_for >= Window::LENGTH {
            self.window = Window::default();
        }
    }

    /// Bets on requests that ended while one share was in force.
    pub(crate) fn absorb(
        &mut self,
        config: &Config,
        reference: &Reference,
        share: Share,
        latencies: &Latencies,
    ) {
        let canary = tolerated(config, &latencies.canary);
        let canary = reference.by_cell(&canary);
        let stable = reference.by_cell(&latencies.stable);
        let share = share.as_f64();
        let most = libm::log(share.recip().min(Window::MOST));
        let evidence = self.log_es.iter_mut().zip(&mut self.window.log_es);
        for ((log_e, in_window), (_, part, times)) in evidence.zip(ALTERNATIVES) {
            let mut sum = 0.0;
            for (cell, ratio) in reference.ratios(part, times).into_iter().enumerate() {
                let requests = canary[cell] + stable[cell];
                if canary[cell] > 0 {
                    sum += canary[cell] as f64 * libm::log(ratio);
                }
                if requests > 0 {
                    sum -= requests as f64 * libm::log(1.0 + share * (ratio - 1.0));
                }
            }
            let sum = sum.min(most - in_window.get());
            log_e.add(sum);
            in_window.add(sum);
        }
    }

    /// The logarithm of the evidence: the mean over [`ALTERNATIVES`].
    pub(crate) fn log_e(&self) -> f64 {
        let logs = self.log_es.iter().zip(ALTERNATIVES);
        log_mean(logs.map(|(log_e, (weight, ..))| (weight, log_e.get())))
    }

    /// What explains the latencies best.
    pub(crate) fn best(&self) -> Alternative {
        let logs = self.log_es.iter().zip(ALTERNATIVES);
        let best = logs.max_by(|(one, _), (other, _)| one.get().total_cmp(&other.get()));
        best.map_or(
            Alternative {
                share: 0.0,
                times: 1.0,
            },
            |(_, (_, share, times))| Alternative { share, times },
        )
    }
}

/// The latencies, less what a canary may be slower by.
fn tolerated(config: &Config, latencies: &Histogram) -> Histogram {
    let delay = config.tolerated_delay.as_secs_f64() * 1e6;
    let mut reduced = Histogram::default();
    for (bin, count) in latencies.bins() {
        let middle = 0.5 * (bin.low() + bin.end()) as f64;
        let micros = (middle / (1.0 + config.tolerated_slowdown) - delay).max(0.0);
        reduced.add(Bin::of_micros(micros as u64), count);
    }
    reduced
}

#[cfg(test)]
mod tests;
