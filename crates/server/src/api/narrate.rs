//! A release's events as sentences.

use judge::Tally;
use release::ReleaseId;
use release::coverage::Row;
use release::journal::{Ending, Event, Order, Record};

use super::render::{policy, time};
use super::types::EventLine;

pub(super) fn line(release: &ReleaseId, sequence: u64, record: &Record) -> EventLine {
    let mut data = serde_json::json!(record.event);
    let event = data
        .as_object_mut()
        .and_then(|fields| fields.remove("event"));
    EventLine {
        release: release.to_string(),
        sequence,
        at: time(record.at),
        event: event
            .and_then(|name| Some(name.as_str()?.to_owned()))
            .unwrap_or_default(),
        text: sentence(&record.event),
        data,
    }
}

fn sentence(event: &Event) -> String {
    match event {
        Event::Requested { request } => {
            let patches = match request.patches.len() {
                0 => String::new(),
                1 => format!(" with {}", request.patches[0].name),
                several => format!(" with {several} patches"),
            };
            let beside = match &request.baseline {
                Some(baseline) => format!(" beside {}", baseline.tag),
                None => " as the first version".to_owned(),
            };
            let policy = policy(&request.policy);
            format!(
                "release {} of {}{patches}{beside}, policy {policy}",
                request.tag, request.service
            )
        }
        Event::Resumed => "a server goes on with it".to_owned(),
        Event::Began { step } => format!("begin to {step}"),
        Event::Built { version } => format!("built {} ({})", version.tag, short(&version.digest)),
        Event::Joined { virtual_node } => format!("virtual node {virtual_node} joined the mesh"),
        Event::TasksStarted => "tasks are starting".to_owned(),
        Event::TasksHealthy => "all tasks are healthy".to_owned(),
        Event::ShareSet { share, reason, .. } => format!("share set to {share}: {reason}"),
        Event::Ordered { order, by } => match order {
            Order::Rollback => format!("roll back, ordered by {by}"),
            order => format!("{order}, ordered by {by}"),
        },
        Event::Observed { batch, .. } => {
            let count = |of: fn(&Tally) -> u64| {
                batch
                    .levels
                    .iter()
                    .map(|level| of(&level.tally))
                    .sum::<u64>()
            };
            format!(
                "canary {}, {} failed; stable {}, {} failed",
                of(count(|tally| tally.canary.requests()), "request"),
                count(|tally| tally.canary.failures),
                of(count(|tally| tally.stable.requests()), "request"),
                count(|tally| tally.stable.failures),
            )
        }
        Event::Covered { rows } => {
            let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
            format!(
                "{} of requests, answered {} by the canary and {} by stable",
                of(rows.len() as u64, "case"),
                of(sum(|row| row.canary), "time"),
                of(sum(|row| row.stable), "time"),
            )
        }
        Event::Decided { ending, reason, .. } => match ending {
            Ending::Promote => format!("promote: {reason}"),
            Ending::RollBack => format!("roll back: {reason}"),
        },
        Event::Left { virtual_node } => format!("virtual node {virtual_node} left the mesh"),
        Event::Retired { version } => format!("the tasks of {version} are stopped"),
        Event::Ended { outcome, reason } => format!("{outcome}: {reason}"),
    }
}

/// `1 request`, `2 requests`.
fn of(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// As much of a digest as people compare.
fn short(digest: &str) -> &str {
    const SHORT: usize = "sha256:".len() + 12;
    digest.get(..SHORT).unwrap_or(digest)
}
