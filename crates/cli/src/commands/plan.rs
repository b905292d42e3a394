//! `serin plan`: what a release would take at each share, from the traffic of now or as told.

use std::str::FromStr;

use judge::{BasisPoints, Config, Detection, Forecast, Settings};
use model::Share;
use serde::Serialize;
use server::api::types::{ReleaseStatus, Role};

use crate::args::{Global, Plan};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render;
use crate::terminal::Terminal;

/// Shown where no shares are given, in basis points.
const SHARES: [u16; 5] = [100, 500, 1000, 2000, 5000];

/// A percentage that need not be a share of traffic: `0.005%`, `0.1` or `100`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentage(pub f64);

impl FromStr for Percentage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
        match number {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err("write a percentage from 0 to 100, as in 0.5%".to_owned()),
        }
    }
}

/// How many times as often a canary fails: `5` or `5x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times(pub f64);

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_suffix('x').unwrap_or(text).parse::<f64>() {
            Ok(times) if times.is_finite() && times > 1.0 => Ok(Self(times)),
            _ => Err("write a number above 1, as in 5x".to_owned()),
        }
    }
}

/// The forecast as it is shown and printed as JSON. Probabilities are between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// None where the traffic was told.
    pub service: Option<String>,
    pub requests_per_second: f64,
    pub failing: f64,
    /// Nothing failed of so many requests: `failing` is what half a failure would be.
    pub none_failed_of: Option<u64>,
    pub canary_failing: f64,
    /// So many times `failing` would have been more than all requests: all are taken.
    pub beyond_all: Option<f64>,
    pub shares: Vec<AtShare>,
    pub budget: Option<Bound>,
    pub deadline: Option<Bound>,
    /// More of stable's requests fail than this: an auto release neither rises nor promotes.
    pub holds_above: Option<f64>,
    /// The release of the service that runs now.
    pub running: Option<Running>,
}

/// No other release begins before it has ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    pub release: String,
    pub held: bool,
    /// What it does now, or waits for.
    pub now: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AtShare {
    pub share: String,
    /// None: it would not be found.
    pub found: Option<Found>,
    /// Until a version as good as the present one is certified.
    pub certified_after_seconds: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub after_seconds: f64,
    pub requests: f64,
    pub canary_requests: f64,
    pub extra_failures: f64,
}

/// The share that keeps a limit, with what it takes there; none does where it is empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    /// Failures, or seconds.
    pub limit: f64,
    pub share: Option<AtShare>,
}

pub async fn run(plan: &Plan, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let traffic = match (&plan.service, plan.rate) {
        (_, Some(rate)) => Traffic {
            rate,
            failing: plan.failing.map_or(0.001, |failing| failing.0),
            none_failed_of: None,
            running: None,
        },
        (Some(service), None) => measured(service, plan, global).await?,
        (None, None) => {
            let refused = "failed to plan: neither a service nor a rate of requests is given";
            return Err(Failure::new(Exit::Usage, refused)
                .hint("serin plan SERVICE asks the server; serin plan --rate 100 --failing 0.1% asks nobody"));
        }
    };
    let outlook = outlook(plan, &traffic)?;
    match terminal.is_json() {
        true => terminal.json(&outlook)?,
        false => terminal.say_all(render::plan::lines(&outlook))?,
    }
    Ok(Exit::Done)
}

/// What the service's requests are like.
struct Traffic {
    rate: f64,
    failing: f64,
    none_failed_of: Option<u64>,
    running: Option<Running>,
}

async fn measured(service: &str, plan: &Plan, global: &Global) -> Result<Traffic, Failure> {
    let status = super::client(global)?.service(service).await?;
    let stable = status
        .versions
        .iter()
        .find(|version| version.role == Role::Stable);
    let rate = status
        .versions
        .iter()
        .map(|version| version.requests_per_second)
        .sum::<f64>();
    let Some(stable) = stable.filter(|stable| stable.requests > 0 && rate > 0.0) else {
        let refused = format!("failed to plan: no requests reach {service} now");
        return Err(Failure::new(Exit::Failed, refused)
            .hint("say what to expect, as in --rate 100 --failing 0.1%"));
    };
    let requests = stable.requests as f64;
    let failing = match (plan.failing, stable.failures) {
        (Some(failing), _) => failing.0,
        (None, 0) => 0.5 / requests,
        (None, failures) => failures as f64 / requests,
    };
    let none_failed = plan.failing.is_none() && stable.failures == 0;
    Ok(Traffic {
        rate,
        failing,
        none_failed_of: none_failed.then_some(stable.requests),
        running: status.release.as_ref().and_then(running),
    })
}

fn running(release: &ReleaseStatus) -> Option<Running> {
    release.ended.is_none().then(|| Running {
        release: release.id.clone(),
        held: release.held,
        now: release.now.clone(),
    })
}

fn outlook(plan: &Plan, traffic: &Traffic) -> Result<Outlook, Failure> {
    if traffic.failing >= 1.0 {
        let refused = "failed to plan: all requests fail, and no version can fail more often";
        return Err(Failure::new(Exit::Invalid, refused)
            .hint("say how often they fail in better times, as in --failing 0.1%"));
    }
    let defaults = Settings::default();
    let config = Config::new(Settings {
        false_rollback: plan.false_rollback.unwrap_or(defaults.false_rollback),
        allowed_excess: plan
            .allowed_excess
            .map_or(defaults.allowed_excess, |excess| excess.0),
        false_promotion: plan.false_promotion.unwrap_or(defaults.false_promotion),
        ..defaults
    })
    .map_err(|refused| Failure::new(Exit::Invalid, refused))?;
    let forecast = Forecast {
        rate: traffic.rate,
        failing: traffic.failing,
        loop_latency: release::planner::LOOP_LATENCY,
    };
    let (canary_failing, beyond_all) = match plan.canary_failing {
        Some(failing) => (failing.0, None),
        None => match plan.worse.0 * traffic.failing {
            more if more > 1.0 => (1.0, Some(plan.worse.0)),
            failing => (failing, None),
        },
    };
    let at = |share: Share| at_share(&forecast, &config, share, canary_failing);
    let shares: Vec<Share> = match plan.shares.is_empty() {
        true => SHARES
            .iter()
            .filter_map(|&points| Share::from_basis_points(points).ok())
            .collect(),
        false => plan.shares.clone(),
    };
    let ladder: Vec<AtShare> = (1..=5000)
        .filter(|&points| is_round(points))
        .filter_map(|points| Share::from_basis_points(points).ok())
        .map(at)
        .collect();
    let keeps = |found: fn(&Found) -> f64, limit: f64| {
        move |each: &&AtShare| each.found.as_ref().is_some_and(|each| found(each) <= limit)
    };
    // Extra failures grow with the share and time falls, so the first on the way is the one.
    let budget = plan.budget.map(|limit| {
        let cheap = keeps(|found| found.extra_failures, limit);
        let share = ladder.iter().rev().find(cheap).cloned();
        Bound { limit, share }
    });
    let deadline = plan.within.map(|within| {
        let limit = within.0.as_secs_f64();
        let in_time = keeps(|found| found.after_seconds, limit);
        let share = ladder.iter().find(in_time).cloned();
        Bound { limit, share }
    });
    Ok(Outlook {
        service: plan.service.clone(),
        requests_per_second: traffic.rate,
        failing: traffic.failing,
        none_failed_of: traffic.none_failed_of,
        canary_failing,
        beyond_all,
        shares: shares.into_iter().map(at).collect(),
        budget,
        deadline,
        holds_above: (traffic.failing > defaults.failing_share).then_some(defaults.failing_share),
        running: traffic.running.clone(),
    })
}

/// Shares that people would set: two digits at most.
fn is_round(points: u16) -> bool {
    match points {
        ..100 => true,
        100..1000 => points.is_multiple_of(10),
        _ => points.is_multiple_of(100),
    }
}

fn at_share(forecast: &Forecast, config: &Config, share: Share, canary_failing: f64) -> AtShare {
    let part = f64::from(share.basis_points()) / f64::from(BasisPoints::ALL.get());
    let certified = forecast.certification(config, part);
    AtShare {
        share: share.to_string(),
        found: forecast
            .detection(config, part, canary_failing)
            .map(Found::from),
        certified_after_seconds: certified.map(|requests| requests as f64 / forecast.rate),
    }
}

impl From<Detection> for Found {
    fn from(detection: Detection) -> Self {
        Self {
            after_seconds: detection.seconds,
            requests: detection.requests,
            canary_requests: detection.canary_requests,
            extra_failures: detection.extra_failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Percentage, Times, Traffic, outlook};
    use crate::args::{Arguments, Command};
    use clap::Parser;

    fn plan(arguments: &str) -> crate::args::Plan {
        let words = ["serin", "plan"]
            .into_iter()
            .chain(arguments.split_whitespace());
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Plan(plan) => plan,
            other => panic!("{other:?}"),
        }
    }

    fn busy() -> Traffic {
        Traffic {
            rate: 100.0,
            failing: 0.001,
            none_failed_of: None,
            running: None,
        }
    }

    #[test]
    fn what_cannot_get_worse_is_refused_and_what_would_fail_beyond_all_is_capped() {
        let failing = |failing| Traffic { failing, ..busy() };
        assert!(outlook(&plan("--rate 100"), &failing(1.0)).is_err());
        let capped = outlook(&plan("--rate 100"), &failing(0.4)).unwrap();
        assert_eq!(
            (capped.canary_failing, capped.beyond_all, capped.holds_above),
            (1.0, Some(5.0), Some(0.02))
        );
        let usual = outlook(&plan("--rate 100"), &busy()).unwrap();
        assert_eq!((usual.beyond_all, usual.holds_above), (None, None));
    }

    #[test]
    fn a_budget_and_a_deadline_each_find_their_share() {
        let outlook = outlook(&plan("--rate 100 --budget 8 --within 3m"), &busy()).unwrap();
        let within = outlook.budget.unwrap().share.unwrap();
        assert!(within.found.unwrap().extra_failures <= 8.0);
        let in_time = outlook.deadline.unwrap().share.unwrap();
        assert!(in_time.found.unwrap().after_seconds <= 180.0);
        // 20 % costs 9.3 failures and takes 115 s, 5 % 6.9 and six minutes.
        assert_eq!(
            (within.share.as_str(), in_time.share.as_str()),
            ("12 %", "11 %")
        );
    }

    #[test]
    fn what_cannot_be_kept_is_said() {
        let outlook = outlook(&plan("--rate 100 --budget 1 --within 1s"), &busy()).unwrap();
        assert_eq!(outlook.budget.unwrap().share, None);
        assert_eq!(outlook.deadline.unwrap().share, None);
    }

    #[test]
    fn arguments_are_read_as_people_write_them() {
        assert_eq!("0.005%".parse(), Ok(Percentage(0.00005)));
        assert_eq!("5x".parse(), Ok(Times(5.0)));
        assert!("101".parse::<Percentage>().is_err() && "1x".parse::<Times>().is_err());
        let given = plan("crystal --share 1,12.5% --canary-failing 2%");
        assert_eq!(given.shares.len(), 2);
        assert_eq!(given.canary_failing, Some(Percentage(0.02)));
    }
}
