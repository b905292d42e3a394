//! Whether a canary is worse than the stable version: sequential tests over counts, and a verdict with
//! its reasons.
//!
//! The mesh owns the coin: every request's arm was drawn at random with a share we know. So "did the
//! failures land on the canary more often than our own coin explains" has an exact answer under load
//! spikes, shared incidents and changing shares, however often one looks ([`arm_test`]); and the same
//! coin makes the difference of the two versions estimable without bias ([`certificate`]).
//!
//! [`State::absorb`] folds one [`Batch`] of counts and decides; [`State::verdict`] explains. Both are
//! pure: no clock, no randomness, and logarithms from `libm`, compiled in rather than the platform's,
//! so the same batches give the same bits on every machine ([`replay()`]).
//!
//! What speaks against a canary comes in families ([`Family`]): failures, latency, 4xx answers,
//! requests that do not end, restarts, and what its tasks use of processor and memory. They share the
//! risk of a false rollback by a weighted mean of e-values.

pub mod arm_test;
mod bake;
pub mod certificate;
mod config;
mod counts;
mod exposure;
mod family;
mod forecast;
mod guard;
mod histogram;
mod interval;
mod latency;
mod mixture;
mod nats;
mod reference;
mod replay;
mod resources;
mod sample_ratio;
mod sentence;
mod share;
mod slowdown;
mod slowness;
mod state;
mod verdict;

pub use bake::Bake;
pub use config::{Config, ConfigError, Settings};
pub use counts::{Arm, Batch, Cell, Counts, Latencies, Level, Tally};
pub use exposure::{Exposure, next_share};
pub use family::{Family, FamilyEvidence, Weights};
pub use forecast::{Detection, Forecast};
pub use histogram::{Bin, Histogram};
pub use interval::{Interval, Rate, interval};
pub use replay::{Replay, replay};
pub use resources::{ResourceEvidence, ResourceUsage, Used, Window};
pub use share::{BasisPoints, Share, ShareError};
pub use slowness::Alternative;
pub use state::{Decision, State};
pub use verdict::{
    Evidence, Hold, LatencyEvidence, Quantiles, RatioEvidence, TryEvidence, Verdict,
};
