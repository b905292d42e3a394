//! Where a release stands: a picture that is repainted in place, and the same as one line.

use std::time::Duration;

use jiff::Timestamp;
use server::api::types::{
    ArmCounts, Evidence, ReleaseStatus, Role, ServiceStatus, ShareStatus, VersionStatus,
};

use super::{gauge, moment, number, resources, verdict};
use crate::line::Line;

const BAR: usize = 40;
const LABEL: usize = 11;

/// A release and what is known of its service.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    pub release: &'a ReleaseStatus,
    pub service: &'a ServiceStatus,
    /// Since the release was asked for.
    pub elapsed: Duration,
}

impl<'a> Progress<'a> {
    pub fn at(now: Timestamp, release: &'a ReleaseStatus, service: &'a ServiceStatus) -> Self {
        Self {
            release,
            service,
            elapsed: moment::elapsed(&release.requested_at, now),
        }
    }

    /// The live picture.
    pub fn picture(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.release.baseline.is_some() {
            lines.push(self.split());
        }
        if self.is_measured() {
            lines.push(self.measured());
        }
        if !self.service.versions.is_empty() {
            lines.push(self.tasks());
        }
        if self.has_evidence() {
            lines.push(self.failing());
            lines.push(evidence(&self.release.evidence));
            let coverage = self.release.coverage.as_ref();
            lines.extend(coverage.map(|coverage| label("coverage").plain(&coverage.sentence)));
            lines.extend(self.resources());
        }
        let elapsed = format!("  {}", moment::duration(self.elapsed));
        lines.push(
            label("now")
                .plain(verdict::reason(&self.release.now))
                .faint(elapsed),
        );
        lines
    }

    /// The same, short, for where nothing can be repainted.
    pub fn sentence(&self) -> Line {
        let release = self.release;
        if !self.has_evidence() {
            return Line::new().plain(&release.now);
        }
        let evidence = &release.evidence;
        Line::new()
            .canary(format!("{} gets {}", release.tag, release.share.set))
            .plain(format!(" ({}) · ", measured(&release.share)))
            .plain(format!("{} failed · ", arm(&release.tag, evidence.canary)))
            .plain(format!(
                "{} failed · ",
                arm(self.stable_tag(), evidence.stable)
            ))
            .plain(format!(
                "evidence {:.1} of {:.1}",
                evidence.log_evidence.max(0.0),
                evidence.log_threshold
            ))
            .plain(missing(evidence))
    }

    /// The share in force has met its first request.
    pub fn is_measured(&self) -> bool {
        self.release.share.requests > 0
    }

    fn has_evidence(&self) -> bool {
        self.release.evidence.canary.requests + self.release.evidence.stable.requests > 0
    }

    fn stable_tag(&self) -> &str {
        self.release.baseline.as_deref().unwrap_or("nothing")
    }

    fn split(&self) -> Line {
        let share = percent_of(&self.release.share.set);
        let (filled, left) = gauge::split(share / 100.0, BAR);
        label("share")
            .canary(&self.release.tag)
            .plain(" ")
            .canary(filled)
            .stable("░".repeat(left))
            .plain(" ")
            .stable(self.stable_tag())
            .plain("  ")
            .strong(&self.release.share.set)
            .plain(if self.release.held { " held" } else { "" })
    }

    fn measured(&self) -> Line {
        label("").plain(measured(&self.release.share))
    }

    fn tasks(&self) -> Line {
        let dots = self.service.versions.iter().map(|version| {
            let line = match version.role {
                Role::Canary => Line::new().canary(&version.tag),
                Role::Stable | Role::Former => Line::new().stable(&version.tag),
            };
            line.plain(" ").then(dots(version)).plain("  ")
        });
        dots.fold(label("tasks"), Line::then)
    }

    fn resources(&self) -> Option<Line> {
        let used = self.release.evidence.resources.as_ref()?;
        let words = resources::in_words(used, &self.release.tag, self.stable_tag());
        Some(label("resources").plain(words))
    }

    fn failing(&self) -> Line {
        let rate = self
            .service
            .versions
            .iter()
            .map(|version| version.requests_per_second)
            .sum();
        label("failed")
            .canary(arm(&self.release.tag, self.release.evidence.canary))
            .plain(" · ")
            .stable(arm(self.stable_tag(), self.release.evidence.stable))
            .faint(format!(" · {}", number::rate(rate)))
    }
}

/// How strongly the evidence speaks against the canary, from nothing to what it takes to roll back.
fn evidence(evidence: &Evidence) -> Line {
    let strength = evidence.log_evidence.max(0.0);
    let (filled, left) = gauge::split(strength / evidence.log_threshold, BAR / 2);
    let line = label("evidence")
        .bad(filled)
        .faint("░".repeat(left))
        .plain(format!(
            " {strength:.1} of {:.1} against it",
            evidence.log_threshold
        ));
    line.faint(missing(evidence))
}

/// How far promotion is.
fn missing(evidence: &Evidence) -> String {
    match evidence.missing_requests {
        Some(missing @ 1..) => format!(" · {} to promote", number::of(missing, "request")),
        _ => String::new(),
    }
}

fn label(text: &str) -> Line {
    Line::new().faint(format!("{text:>LABEL$}  "))
}

fn dots(version: &VersionStatus) -> Line {
    version
        .tasks
        .iter()
        .fold(Line::new(), |line, task| match task.state.as_str() {
            "healthy" => line.good("●"),
            "starting" => line.faint("○"),
            "stopping" => line.faint("◌"),
            _ => line.bad("✗"),
        })
}

/// `epoch 0 of 1,266`.
fn arm(tag: &str, counts: ArmCounts) -> String {
    format!(
        "{tag} {} of {}",
        number::count(counts.failures),
        number::count(counts.requests)
    )
}

/// What the coin really did.
pub fn measured(share: &ShareStatus) -> String {
    match (share.measured, share.low, share.high) {
        (Some(measured), Some(low), Some(high)) => format!(
            "measured {}, {} to {}, of {}",
            number::percent(measured),
            number::percent(low),
            number::percent(high),
            number::of(share.requests, "request")
        ),
        _ => "nothing measured yet".to_owned(),
    }
}

/// `12.5 %` as a number; 0 of what is no percentage.
pub fn percent_of(share: &str) -> f64 {
    let number = share.trim_end_matches('%').trim();
    number.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn shown(release: &ReleaseStatus) -> Vec<String> {
        let now = "2026-11-22T12:00:12Z".parse().unwrap();
        let service = samples::service();
        let picture = Progress::at(now, release, &service).picture();
        picture
            .iter()
            .map(|line| line.paint(false).trim_end().to_owned())
            .collect()
    }

    #[test]
    fn the_picture_shows_share_tasks_failures_and_evidence() {
        assert_eq!(
            shown(&samples::release()),
            [
                "      share  epoch █████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ vanilla  12.5 %",
                "             measured 12.4 %, 11.8 % to 13.1 %, of 10,204 requests",
                "      tasks  vanilla ●●●  epoch ●○✗",
                "     failed  epoch 1 of 1,266 · vanilla 0 of 8,938 · 300/s",
                "   evidence  ██████████░░░░░░░░░░ 2.3 of 4.6 against it · 1,200 requests to promote",
                "   coverage  covers 93 % of production's mix; not yet: POST /orders (7 %)",
                "  resources  epoch 310 µs of processor a request and 212 MiB a task, vanilla 300 µs and 101 MiB",
                "        now  the evidence grows  12 s",
            ]
        );
    }

    #[test]
    fn before_the_first_request_there_is_no_evidence_to_show() {
        let mut release = samples::release();
        release.evidence.canary = ArmCounts::default();
        release.evidence.stable = ArmCounts::default();
        release.share.set = "0 %".to_owned();
        release.share.measured = None;
        release.share.requests = 0;
        release.held = true;
        let lines = shown(&release);
        assert_eq!(
            lines,
            [
                format!("      share  epoch {} vanilla  0 % held", "░".repeat(BAR)),
                "      tasks  vanilla ●●●  epoch ●○✗".to_owned(),
                "        now  the evidence grows  12 s".to_owned(),
            ]
        );
    }

    #[test]
    fn evidence_in_favour_is_none_against() {
        let mut release = samples::release();
        release.evidence.log_evidence = -3.0;
        release.evidence.missing_requests = Some(0);
        assert_eq!(
            shown(&release)[4],
            "   evidence  ░░░░░░░░░░░░░░░░░░░░ 0.0 of 4.6 against it"
        );
    }

    #[test]
    fn the_sentence_says_the_same_on_one_line() {
        let (release, service) = (samples::release(), samples::service());
        let now = "2026-11-22T12:00:12Z".parse().unwrap();
        assert_eq!(
            Progress::at(now, &release, &service)
                .sentence()
                .paint(false),
            "epoch gets 12.5 % (measured 12.4 %, 11.8 % to 13.1 %, of 10,204 requests) · epoch 1 of 1,266 failed · \
             vanilla 0 of 8,938 failed · evidence 2.3 of 4.6 · 1,200 requests to promote"
        );
    }

    #[test]
    fn a_share_is_read_as_it_is_written() {
        assert_eq!(
            ["12.5 %", "0 %", "100 %", "?"].map(percent_of),
            [12.5, 0.0, 100.0, 0.0]
        );
    }
}
