//! The `auto` policy: the judge chooses the share, and promotes with a certificate.
//!
//! In the mode `coverage` the certificate alone is not enough: the canary must also have served as much of
//! production's mix as is wanted. The share stays as small as in `safest` while that comes by itself, and is
//! raised where the rarest case that is still needed would be long in coming.

use std::time::Duration;

use judge::{BasisPoints, Decision, Exposure};
use model::{Share, Timestamp};

use super::{Plan, Step, World, proxies_are_back};
use crate::journal::Ending;
use crate::manifest::Mode;
use crate::state::State;

/// Time from a weight set to evidence of it: proxies report five times a second, one report may be on its way.
pub const LOOP_LATENCY: Duration = Duration::from_millis(500);

/// A share chosen by the judge is left alone until it has had time to show in the evidence.
const LEAST_TIME_AT_SHARE: Duration = Duration::from_secs(1);

/// Where a failure says most.
const SAFEST_FIRST: BasisPoints = BasisPoints::new(100);
const SAFEST: BasisPoints = BasisPoints::new(500);

pub(super) fn follow(
    state: &State,
    world: &World,
    now: Timestamp,
    mode: Mode,
    max_share: Share,
) -> Plan {
    let verdict = state.verdict();
    let lack = match mode {
        Mode::Coverage => Lack::of(state),
        _ => None,
    };
    let why = match (verdict.decision, &lack) {
        // Copies of others' requests prove much, but not that it serves callers.
        (Decision::Promote, None) if state.share_requests == 0 => {
            "good enough, but it has served no caller at this share".to_owned()
        }
        (Decision::Promote, None) => {
            return Step::Decide(Ending::Promote).because(verdict.sentence);
        }
        (Decision::Promote, Some(lack)) => format!("good enough, but {}", lack.words),
        _ => verdict.sentence,
    };
    let limits = &state.request.limits;
    let current = BasisPoints::new(state.share.basis_points().into());
    let largest = BasisPoints::new(max_share.basis_points().into());
    // 5 to 20 % finds faults with the fewest failures for the time it takes, larger shares only hurry the proof.
    // Small ones save up to a third of the failures and take a multiple of the time.
    let (first, cap) = match mode {
        Mode::Balanced => (BasisPoints::new(1000), largest),
        Mode::Safest => (SAFEST_FIRST, largest.min(SAFEST)),
        Mode::Fastest => (largest, largest),
        Mode::Coverage => {
            let rarest = lack.as_ref().and_then(|lack| lack.rarest);
            let needed = rarest.map_or(SAFEST, |rarest| share_to_meet(rarest, world.rate));
            (SAFEST_FIRST, largest.min(needed.max(SAFEST).max(current)))
        }
    };
    let exposure = Exposure {
        budget: limits.failure_budget,
        rate: world.rate,
        loop_latency: LOOP_LATENCY,
        first,
        cap,
    };
    let next = judge::next_share(&limits.judge, &state.judge, &exposure, current);
    let next = u16::try_from(next.get())
        .ok()
        .and_then(|points| Share::from_basis_points(points).ok());
    let next = next.unwrap_or(state.share);
    let budget = limits.failure_budget;
    if next < state.share {
        return Step::SetShare(next).because(format!(
            "the budget of {budget} extra failures allows no more now"
        ));
    }
    let has_shown = now.since(state.share_since) >= LEAST_TIME_AT_SHARE;
    // Without the proxies of before nobody knows what a share costs.
    let may_rise = (state.share == Share::ZERO || has_shown) && proxies_are_back(state, now);
    if next > state.share && may_rise && verdict.hold.is_none() {
        let mut why = format!("within the budget of {budget} extra failures");
        if let Some(lack) = lack.filter(|_| u32::from(next.basis_points()) > SAFEST.get()) {
            why = format!("{why}, since it {}", lack.words);
        }
        return Step::SetShare(next).because(why);
    }
    Step::Wait.because(why)
}

/// What of production's mix the canary has still to serve.
struct Lack {
    words: String,
    /// How often production is asked for the rarest of it; none where the mix is not known.
    rarest: Option<f64>,
}

impl Lack {
    fn of(state: &State) -> Option<Self> {
        let wanted = state.request.limits.coverage;
        let Some(mix) = state.coverage.mix() else {
            return Some(Self {
                words: "nothing is known of production's mix yet".to_owned(),
                rarest: None,
            });
        };
        let rarest = mix.rarest_needed(wanted)?;
        Some(Self {
            words: format!("{mix}; {wanted} are wanted"),
            rarest: Some(rarest),
        })
    }
}

/// The share at which a case that is so rare comes to the canary within a minute, 19 times in 20. One of few, as
/// counts of too many different shares would be kept apart.
fn share_to_meet(rarest: f64, rate: f64) -> BasisPoints {
    const MINUTE: f64 = 60.0;
    /// The chance that none comes is `e^-3`.
    const EXPECTED: f64 = 3.0;
    const SHARES: [u32; 8] = [500, 1000, 1500, 2000, 3000, 5000, 7000, 10_000];
    let needed = EXPECTED / (rarest * rate * MINUTE) * f64::from(BasisPoints::ALL.get());
    let share = SHARES.into_iter().find(|&share| f64::from(share) >= needed);
    share.map_or(BasisPoints::ALL, BasisPoints::new)
}

#[cfg(test)]
mod tests;
