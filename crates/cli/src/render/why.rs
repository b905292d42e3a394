//! `serin why`: the story of a release, told from its journal.

use jiff::Timestamp;
use server::api::types::{ArmCounts, Evidence, StoryLine, Why};

use super::event::Teller;
use super::{moment, number, resources, table, verdict};
use crate::line::Line;

pub fn lines(why: &Why, now: Timestamp) -> Vec<Line> {
    let mut lines = vec![title(why, now)];
    lines.extend(log(why));
    lines.push(Line::new());
    let mut teller = Teller::default();
    lines.extend(why.events.iter().filter_map(|event| teller.line(event)));
    lines.push(Line::new());
    lines.extend(story(&why.story, &why.release.requested_at));
    if let Some(StoryLine { evidence, .. }) = why.story.last() {
        lines.push(families(evidence));
        lines.extend(tries(evidence));
        lines.extend(evidence.resources.as_ref().map(|used| {
            let words = resources::in_words(used, "the canary's tasks used", "stable's");
            Line::new().faint(format!("    {words}"))
        }));
    }
    let coverage = why.release.coverage.as_ref();
    lines.extend(
        coverage.map(|coverage| Line::new().faint(format!("    the canary {}", coverage.sentence))),
    );
    lines
}

/// What each family of evidence said in the end.
fn families(evidence: &Evidence) -> Line {
    let words = evidence.families.iter().map(|family| {
        let log = family.log_evidence + family.weight.ln();
        format!("{} {log:.1}", verdict::family(&family.family))
    });
    let words: Vec<String> = words.collect();
    Line::new().faint(format!("    evidence by family: {}", words.join(", ")))
}

/// How many requests of each version another try saved, if any.
fn tries(evidence: &Evidence) -> Option<Line> {
    let Evidence { canary, stable, .. } = evidence;
    let any = canary.retried > 0 || stable.retried > 0;
    any.then(|| {
        let of = |arm: &ArmCounts| {
            let (retried, requests) = (number::count(arm.retried), number::count(arm.requests));
            format!("{retried} of {requests}")
        };
        Line::new().faint(format!(
            "    needed another try: {} canary requests, {} stable ones",
            of(canary),
            of(stable)
        ))
    })
}

fn title(why: &Why, now: Timestamp) -> Line {
    let release = &why.release;
    let line = Line::new()
        .strong(&release.id)
        .plain(format!(" ({}) ", release.tag));
    match &release.ended {
        Some(ended) => line
            .plain("was ")
            .strong(verdict::outcome(&ended.outcome))
            .plain(format!(
                " {}: {}",
                moment::ago(&ended.at, now),
                verdict::reason(&ended.reason)
            )),
        None => line.plain(format!("goes on: {}", release.now)),
    }
}

/// The end of the log of a build that failed is a part of the reason.
fn log(why: &Why) -> impl Iterator<Item = Line> {
    let reason = why
        .release
        .ended
        .iter()
        .flat_map(|ended| ended.reason.lines().skip(1));
    reason.map(|row| Line::new().plain("  ").plain(row))
}

/// What the judge knew at the end of each share.
pub fn story(story: &[StoryLine], requested_at: &str) -> Vec<Line> {
    let heading = [
        "    until",
        "share",
        "canary failed",
        "stable failed",
        "evidence",
        "extra failures",
    ];
    let mut rows = vec![heading.map(|cell| Line::new().faint(cell)).to_vec()];
    let next = story.iter().skip(1).map(Some).chain([None]);
    for (line, next) in story.iter().zip(next) {
        if next.is_none_or(|next| next.share != line.share) {
            rows.push(chapter(line, requested_at));
        }
    }
    table::columns(rows)
}

fn chapter(line: &StoryLine, requested_at: &str) -> Vec<Line> {
    let evidence = &line.evidence;
    let elapsed = moment::since(requested_at, &line.at).unwrap_or_default();
    let arm =
        |failures, requests| format!("{} of {}", number::count(failures), number::count(requests));
    let cells = [
        format!("{:>9}", moment::duration(elapsed)),
        line.share.clone(),
        arm(evidence.canary.failures, evidence.canary.requests),
        arm(evidence.stable.failures, evidence.stable.requests),
        format!(
            "{:.1} of {:.1}",
            evidence.log_evidence.max(0.0),
            evidence.log_threshold
        ),
        evidence
            .excess_bound
            .map_or("-".to_owned(), |bound| format!("< {bound:.2} points")),
    ];
    cells.map(|cell| Line::new().plain(cell)).to_vec()
}

#[cfg(test)]
mod tests {
    use server::api::types::Ended;

    use super::super::samples;
    use super::*;

    #[test]
    fn the_story_has_a_line_for_each_share() {
        let line = |second: u32, share: &str| StoryLine {
            at: format!("2026-11-22T12:00:{second:02}Z"),
            share: share.to_owned(),
            evidence: Evidence {
                canary: ArmCounts {
                    retried: 38,
                    ..samples::release().evidence.canary
                },
                ..samples::release().evidence
            },
        };
        let mut release = samples::release();
        release.ended = Some(Ended {
            outcome: "rolledBack".to_owned(),
            reason: "it fails more often\nas its log tells".to_owned(),
            at: "2026-11-22T12:00:30Z".to_owned(),
        });
        let why = Why {
            release,
            cases: Vec::new(),
            events: Vec::new(),
            story: vec![line(3, "0 %"), line(9, "12.5 %"), line(12, "12.5 %")],
        };
        let now = "2026-11-22T12:01:00Z".parse().unwrap();
        let text: Vec<String> = lines(&why, now)
            .iter()
            .map(|line| line.paint(false))
            .collect();
        assert_eq!(
            text,
            [
                "crystal-2 (epoch) was rolled back 30 s ago: it fails more often",
                "  as its log tells",
                "",
                "",
                "    until  share   canary failed  stable failed  evidence    extra failures",
                "    3.0 s  0 %     1 of 1,266     0 of 8,938     2.3 of 4.6  < 0.61 points",
                "     12 s  12.5 %  1 of 1,266     0 of 8,938     2.3 of 4.6  < 0.61 points",
                "    evidence by family: failures 2.3, 4xx -3.0",
                "    needed another try: 38 of 1,266 canary requests, 0 of 8,938 stable ones",
                "    the canary's tasks used 310 µs of processor a request and 212 MiB a task, stable's 300 µs and 101 MiB",
                "    the canary covers 93 % of production's mix; not yet: POST /orders (7 %)",
            ]
        );
    }
}
