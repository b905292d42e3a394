//! `serin plan` for people.

use crate::commands::plan::{AtShare, Bound, Outlook, Running};
use crate::line::Line;

use super::{number, table, verdict};

pub fn lines(outlook: &Outlook) -> Vec<Line> {
    let mut lines = vec![traffic(outlook)];
    lines.extend(outlook.running.as_ref().map(running));
    lines.extend(outlook.holds_above.map(|share| {
        Line::new().bad(format!(
            "An auto release holds while more than {} fail: it neither gets more traffic nor is promoted",
            percent(share)
        ))
    }));
    lines.push(Line::new());
    lines.push(Line::new().plain(heading(outlook)));
    let mut rows = vec![
        [
            "share",
            "found after",
            "requests",
            "extra failures",
            "a good one certified after",
        ]
        .map(|title| Line::new().faint(title))
        .to_vec(),
    ];
    rows.extend(outlook.shares.iter().map(row));
    lines.extend(table::columns(rows));
    let bounds = [
        outlook.budget.as_ref().map(budget),
        outlook.deadline.as_ref().map(deadline),
    ];
    lines.extend(bounds.into_iter().flatten());
    lines.push(Line::new());
    let means = "These are means: half of the releases take longer, few three times as long.";
    lines.push(Line::new().faint(means));
    let settings =
        "They hold for the judge's default settings where none are given here, latencies aside.";
    lines.push(Line::new().faint(settings));
    lines
}

fn traffic(outlook: &Outlook) -> Line {
    let line = match &outlook.service {
        Some(service) => Line::new().strong(service).plain(": "),
        None => Line::new(),
    };
    let line = line.plain(format!(
        "{} requests",
        number::rate(outlook.requests_per_second)
    ));
    match outlook.none_failed_of {
        Some(requests) => line.plain(format!(
            ", none of {} failed; {} is assumed",
            number::count(requests),
            percent(outlook.failing)
        )),
        None => line.plain(format!(", {} fail", percent(outlook.failing))),
    }
}

/// The release that runs now comes first.
fn running(running: &Running) -> Line {
    let state = if running.held { " is held" } else { " runs" };
    Line::new()
        .strong(&running.release)
        .plain(format!("{state} now: {}", verdict::reason(&running.now)))
}

fn heading(outlook: &Outlook) -> String {
    let failing = percent(outlook.canary_failing);
    match outlook.beyond_all {
        _ if outlook.canary_failing <= outlook.failing => format!(
            "A version that fails in {failing} of its requests is as good: there is nothing to find."
        ),
        Some(times) => format!(
            "A version that fails in all of its requests ({times} times as often would be more than all):"
        ),
        None => format!("A version that fails in {failing} of its requests:"),
    }
}

fn row(at: &AtShare) -> Vec<Line> {
    let certified = at
        .certified_after_seconds
        .map_or_else(|| "never".to_owned(), duration);
    let cells = match at.found {
        Some(found) => [
            at.share.clone(),
            duration(found.after_seconds),
            number::count(found.requests.ceil() as u64),
            format!("{:.1}", found.extra_failures),
            certified,
        ],
        None => [
            at.share.clone(),
            "never".to_owned(),
            "-".to_owned(),
            "-".to_owned(),
            certified,
        ],
    };
    cells.map(|cell| Line::new().plain(cell)).to_vec()
}

fn budget(bound: &Bound) -> Line {
    let limit = format!("{} extra failures", bound.limit);
    match bound.share.as_ref().and_then(|at| Some((at, at.found?))) {
        Some((at, found)) => Line::new()
            .plain(format!("Within {limit}: at most "))
            .strong(&at.share)
            .plain(format!(", found after {}", duration(found.after_seconds))),
        None => Line::new().bad(format!("No share keeps it within {limit}")),
    }
}

fn deadline(bound: &Bound) -> Line {
    let limit = duration(bound.limit);
    match bound.share.as_ref().and_then(|at| Some((at, at.found?))) {
        Some((at, found)) => Line::new()
            .plain(format!("Found within {limit}: at least "))
            .strong(&at.share)
            .plain(format!(", {:.1} extra failures", found.extra_failures)),
        None => Line::new().bad(format!("No share finds it within {limit}")),
    }
}

/// With two digits, however small.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.1.. => number::percent(percent),
        0.001.. => format!("{percent:.3} %"),
        _ => format!("{percent:.1e} %"),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        10.0..120.0 => format!("{seconds:.0} s"),
        120.0..7200.0 => format!("{:.0} min", seconds / 60.0),
        7200.0..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{AtShare, Bound, Outlook, Running, lines};
    use crate::commands::plan::Found;

    #[test]
    fn the_table_is_one_that_people_understand() {
        let at = |share: &str, found| AtShare {
            share: share.to_owned(),
            found,
            certified_after_seconds: Some(70.2),
        };
        let found = Found {
            after_seconds: 264.0,
            requests: 26_400.4,
            canary_requests: 1320.0,
            extra_failures: 6.42,
        };
        let outlook = Outlook {
            service: Some("crystal".to_owned()),
            requests_per_second: 100.2,
            failing: 0.001,
            none_failed_of: None,
            canary_failing: 0.005,
            beyond_all: None,
            holds_above: None,
            running: None,
            shares: vec![at("5 %", Some(found)), at("0 %", None)],
            budget: Some(Bound {
                limit: 8.0,
                share: Some(at("5 %", Some(found))),
            }),
            deadline: Some(Bound {
                limit: 1.0,
                share: None,
            }),
        };
        let text: Vec<String> = lines(&outlook)
            .iter()
            .map(|line| line.paint(false))
            .collect();
        let expected = "\
crystal: 100/s requests, 0.10 % fail

A version that fails in 0.50 % of its requests:
share  found after  requests  extra failures  a good one certified after
5 %    4 min        26,401    6.4             70 s
0 %    never        -         -               70 s
Within 8 extra failures: at most 5 %, found after 4 min
No share finds it within 1.0 s

These are means: half of the releases take longer, few three times as long.
They hold for the judge's default settings where none are given here, latencies aside.";
        assert_eq!(text.join("\n"), expected);
        let words = |outlook: &Outlook| {
            let lines = lines(outlook);
            lines[..4]
                .iter()
                .map(|line| line.paint(false))
                .collect::<Vec<_>>()
        };
        let held = Outlook {
            failing: 0.4,
            canary_failing: 1.0,
            beyond_all: Some(5.0),
            holds_above: Some(0.02),
            running: Some(Running {
                release: "crystal-2".to_owned(),
                held: true,
                now: "on hold".to_owned(),
            }),
            ..outlook.clone()
        };
        assert_eq!(
            words(&held)[1..3],
            [
                "crystal-2 is held now: on hold",
                "An auto release holds while more than 2.0 % fail: it neither gets more traffic nor is promoted",
            ]
        );
        let good = Outlook {
            canary_failing: 0.001,
            ..outlook
        };
        assert_eq!(
            words(&good)[2],
            "A version that fails in 0.10 % of its requests is as good: there is nothing to find."
        );
    }
}
