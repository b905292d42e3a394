//! What a release meets: its traffic, how both versions behave, and what lies between the proxies and the
//! judge.
//!
//! A scenario is written as the difference from [`CALM`], so that each line of the grid says what is special
//! about it. Times are in seconds, probabilities between 0 and 1.

use crate::normal;

/// One kind of release.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Requests a second, on average.
    pub(crate) rate: f64,
    pub(crate) tempo: Tempo,
    /// How often a request fails on the stable version.
    pub(crate) failing: f64,
    pub(crate) incident: Option<Incident>,
    /// Failures come in spells that hit both versions.
    pub(crate) spells: Option<Spells>,
    /// Each version's tasks stall now and then, whatever the other's do.
    pub(crate) stalls: Option<Stalls>,
    /// A failed request is sent again by its caller, up to this often, and mostly fails again.
    pub(crate) repeats: u32,
    pub(crate) latency: Latency,
    pub(crate) fault: Fault,
    pub(crate) onset: Onset,
    pub(crate) users: Users,
    /// The share of requests that a header sends to the canary; they fail in one of twenty cases.
    pub(crate) forced: f64,
    /// How long a new task is slow, and how slow.
    pub(crate) cold_start: Option<ColdStart>,
    /// From the end of a request until the judge knows it.
    pub(crate) delay: f64,
    /// The share of reports that never arrive.
    pub(crate) lost: f64,
    /// How many proxies split the traffic; with several, the first takes most and each switches shares at an
    /// instant of its own.
    pub(crate) proxies: u32,
    /// A release without a decision ends here.
    pub(crate) limit: f64,
}

/// How the rate of requests moves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tempo {
    Steady,
    /// A day in half an hour: from a tenth of the mean rate to nearly twice it.
    Diurnal,
    /// Five seconds in each minute have ten times the rate of the others.
    Bursts,
}

/// A dependency of both versions is in trouble.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incident {
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) failing: f64,
}

/// Two-state weather: calm for a while, then a spell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spells {
    pub(crate) calm: f64,
    pub(crate) spell: f64,
    /// How often requests fail in a spell.
    pub(crate) failing: f64,
    /// Whether each version has its own weather, as a single bad task would; else it is shared.
    pub(crate) own: bool,
}

/// A version stands still for a while; requests that arrive meanwhile wait for its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stalls {
    /// How long it runs between two of them, on average.
    pub(crate) apart: f64,
    pub(crate) shortest: f64,
    pub(crate) longest: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Latency {
    /// Every request takes 50 ms.
    Constant,
    /// Log-normal: median 50 ms, sigma 0.6.
    LogNormal,
    /// Nine of ten around 20 ms, the others around 300 ms.
    Bimodal,
}

/// What is wrong with the canary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    None,
    /// Fails with this probability, where that is more than the stable version's.
    Fails(f64),
    /// Fails with this probability more than the stable version.
    FailsMore(f64),
    /// Every request takes this many times as long.
    Slower(f64),
    /// This share of requests takes this many times as long.
    SlowTail(f64, f64),
    /// Fails with this probability more for each minute since the fault began.
    Worsens(f64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Onset {
    Start,
    /// So long after the release began.
    At(f64),
    /// So long after the promotion.
    AfterPromotion(f64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Users {
    pub(crate) count: u32,
    /// A user keeps their version.
    pub(crate) sticky: bool,
    /// The share of users whose requests always fail, on both versions.
    pub(crate) hopeless: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ColdStart {
    pub(crate) lasts: f64,
    pub(crate) times: f64,
}

impl Latency {
    /// The chance that a request takes less.
    pub(crate) fn below(self, millis: f64) -> f64 {
        let log_normal = |median: f64, sigma: f64| normal::above((median / millis).ln() / sigma);
        match self {
            Self::Constant => f64::from(u8::from(millis > 50.0)),
            Self::LogNormal => log_normal(50.0, 0.6),
            Self::Bimodal => 0.9 * log_normal(20.0, 0.3) + 0.1 * log_normal(300.0, 0.3),
        }
    }
}

pub(crate) const CALM: Scenario = Scenario {
    name: "",
    rate: 100.0,
    tempo: Tempo::Steady,
    failing: 0.001,
    incident: None,
    spells: None,
    stalls: None,
    repeats: 0,
    latency: Latency::LogNormal,
    fault: Fault::None,
    onset: Onset::Start,
    users: Users {
        count: 10_000,
        sticky: false,
        hopeless: 0.0,
    },
    forced: 0.0,
    cold_start: None,
    delay: 1.0,
    lost: 0.0,
    proxies: 1,
    limit: 3600.0,
};

impl Scenario {
    pub(crate) fn is_healthy(&self) -> bool {
        self.fault == Fault::None
    }

    /// How often requests of the stable version fail at an instant, but for spells, users and repeats.
    pub(crate) fn failing_at(&self, now: f64) -> f64 {
        match self.incident {
            Some(incident) if (incident.from..incident.until).contains(&now) => {
                self.failing.max(incident.failing)
            }
            _ => self.failing,
        }
    }

    /// How many times the mean rate there is at an instant.
    pub(crate) fn tempo_at(&self, now: f64) -> f64 {
        match self.tempo {
            Tempo::Steady => 1.0,
            Tempo::Diurnal => 1.0 - 0.9 * (now * std::f64::consts::TAU / 1800.0).cos(),
            Tempo::Bursts if now % 60.0 < 5.0 => 600.0 / 105.0,
            Tempo::Bursts => 60.0 / 105.0,
        }
    }

    /// At most [`Scenario::tempo_at`] at any instant.
    pub(crate) fn highest_tempo(&self) -> f64 {
        match self.tempo {
            Tempo::Steady => 1.0,
            Tempo::Diurnal => 1.9,
            Tempo::Bursts => 600.0 / 105.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CALM, Scenario, Tempo};

    #[test]
    fn every_tempo_has_the_mean_rate() {
        for tempo in [Tempo::Steady, Tempo::Diurnal, Tempo::Bursts] {
            let scenario = Scenario { tempo, ..CALM };
            let instants = (0..180_000).map(|step| scenario.tempo_at(f64::from(step) / 100.0));
            let highest = instants.clone().fold(0.0, f64::max);
            let mean = instants.sum::<f64>() / 180_000.0;
            assert!((mean - 1.0).abs() < 0.001, "{tempo:?}: {mean}");
            assert!(highest <= scenario.highest_tempo() + 1e-9, "{tempo:?}");
        }
    }
}
