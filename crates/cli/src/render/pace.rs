//! How often progress is worth a line where nothing can be repainted.

use std::time::{Duration, Instant};

use server::api::types::EventLine;

use super::progress::Progress;
use crate::line::Line;

/// While requests are measured, and before.
const PERIOD: Duration = Duration::from_secs(2);
const QUIET_PERIOD: Duration = Duration::from_secs(10);

/// Lets a line through now and then, and the last one of each share.
#[derive(Debug, Default)]
pub struct Pace {
    /// When the last line was let through, or the first held back.
    since: Option<Instant>,
    /// The newest line, if it was held back.
    held: Option<Line>,
    shown: Option<Line>,
}

impl Pace {
    /// The progress as a line, if it is worth one now.
    pub fn line(&mut self, progress: &Progress<'_>, now: Instant) -> Option<Line> {
        let period = match progress.is_measured() {
            true => PERIOD,
            false => QUIET_PERIOD,
        };
        let line = Line::new().plain(" ".repeat(11)).then(progress.sentence());
        let since = *self.since.get_or_insert(now);
        if self.shown.as_ref() == Some(&line) || now.duration_since(since) < period {
            self.held =
                (progress.is_measured() && self.shown.as_ref() != Some(&line)).then_some(line);
            return None;
        }
        self.since = Some(now);
        self.held = None;
        self.shown = Some(line.clone());
        Some(line)
    }

    /// What was measured last, before an event ends the share that it was measured at.
    pub fn before(&mut self, event: &EventLine) -> Option<Line> {
        match event.event.as_str() {
            "shareSet" | "decided" => self.last(),
            _ => None,
        }
    }

    /// The newest line, if it was held back.
    pub fn last(&mut self) -> Option<Line> {
        self.since = None;
        self.held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn event(name: &str) -> EventLine {
        EventLine {
            release: "crystal-2".to_owned(),
            sequence: 1,
            at: String::new(),
            event: name.to_owned(),
            text: String::new(),
            data: serde_json::Value::Null,
        }
    }

    #[test]
    fn a_line_comes_through_every_two_seconds_and_before_the_share_changes() {
        let start = crate::clock::now();
        let service = samples::service();
        let now = "2026-11-22T12:00:12Z".parse().unwrap();
        let mut pace = Pace::default();
        let shown = |pace: &mut Pace, after: u64, requests: u64| {
            let mut release = samples::release();
            release.evidence.stable.requests = requests;
            let progress = Progress::at(now, &release, &service);
            pace.line(&progress, start + Duration::from_millis(after))
                .is_some()
        };
        assert!(
            !shown(&mut pace, 0, 10),
            "the events have told how it begins"
        );
        assert!(!shown(&mut pace, 1_900, 20), "too soon");
        assert!(shown(&mut pace, 2_000, 30), "two seconds later");
        assert!(!shown(&mut pace, 5_000, 30), "nothing is new");
        assert!(pace.before(&event("shareSet")).is_none(), "it was shown");
        assert!(!shown(&mut pace, 5_100, 40), "too soon");
        assert!(pace.before(&event("observed")).is_none());
        let last = pace.before(&event("decided")).unwrap().paint(false);
        assert!(last.contains("vanilla 0 of 40 failed"), "{last}");
        assert!(pace.before(&event("decided")).is_none(), "once is enough");
    }

    #[test]
    fn before_anything_is_measured_lines_are_rare() {
        let start = crate::clock::now();
        let service = samples::service();
        let mut release = samples::release();
        release.share.requests = 0;
        let now = "2026-11-22T12:00:12Z".parse().unwrap();
        let progress = Progress::at(now, &release, &service);
        let mut pace = Pace::default();
        assert!(pace.line(&progress, start).is_none());
        assert!(
            pace.line(&progress, start + Duration::from_secs(9))
                .is_none()
        );
        assert!(pace.before(&event("shareSet")).is_none());
        assert!(
            pace.line(&progress, start + Duration::from_secs(9))
                .is_none()
        );
        assert!(
            pace.line(&progress, start + Duration::from_secs(19))
                .is_some()
        );
    }
}
