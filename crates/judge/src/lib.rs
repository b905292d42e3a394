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
//! A further family of evidence (latency, sample ratio) adds its counts to [`Arm`] or [`Level`], runs
//! [`arm_test`] on its own bad events, and shares the risk of a false rollback with the others by a
//! weighted mean of e-values, which is again an e-value whatever the dependence between them.

pub mod arm_test;
pub mod certificate;
mod config;
mod counts;
mod exposure;
mod histogram;
mod interval;
mod mixture;
mod replay;
mod sentence;
mod share;
mod state;
mod verdict;

pub use config::{Config, ConfigError, Settings};
pub use counts::{Arm, Batch, Cell, Counts, Latencies, Level, Tally};
pub use exposure::{Exposure, next_share};
pub use histogram::{Bin, Histogram};
pub use interval::{Interval, Rate, interval};
pub use replay::{Replay, replay};
pub use share::{BasisPoints, Share, ShareError};
pub use state::{Decision, State};
pub use verdict::{Evidence, Hold, RatioEvidence, Verdict};
