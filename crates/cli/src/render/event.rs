//! A release's events, a line each, with the time since it was asked for.
//!
//! The reason of a decision stands in the events that carry it out as well; it is told once.

use server::api::types::EventLine;

use super::{moment, verdict};
use crate::line::Line;

/// Tells the events of one release after another, each from its beginning.
#[derive(Debug, Default)]
pub struct Teller {
    requested_at: String,
    /// Why the release ends as it does, once that was told.
    decision: Option<String>,
}

impl Teller {
    /// The event's line; none for what people read elsewhere.
    pub fn line(&mut self, event: &EventLine) -> Option<Line> {
        let field = |name: &str| event.data.get(name).and_then(|value| value.as_str());
        let reason = field("reason");
        let line = Line::new();
        let line = match event.event.as_str() {
            // The raw evidence: the progress shows it in sum.
            "observed" | "covered" => return None,
            // The others are short, and their ends are told.
            "began" if field("step") != Some("build") => return None,
            "requested" => {
                self.requested_at.clone_from(&event.at);
                self.decision = None;
                line.plain(&event.text)
            }
            "shareSet" => line.canary(self.unless_told(&event.text, reason)),
            "decided" => {
                self.decision = reason.map(str::to_owned);
                line.strong(verdict::reason(&event.text))
            }
            "ended" => line.strong(self.unless_told(&event.text, reason)),
            _ => line.plain(&event.text),
        };
        let elapsed = moment::since(&self.requested_at, &event.at).unwrap_or_default();
        let time = Line::new().faint(format!("{:>9}  ", moment::duration(elapsed)));
        Some(time.hang().then(line))
    }

    /// The text without a reason that was told before.
    fn unless_told<'a>(&self, text: &'a str, reason: Option<&str>) -> &'a str {
        let told = reason.filter(|reason| self.decision.as_deref() == Some(*reason));
        let short = told.and_then(|reason| text.strip_suffix(reason)?.strip_suffix(": "));
        short.unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[(&str, &str, &str, serde_json::Value)]) -> Vec<String> {
        let mut teller = Teller::default();
        let lines = events.iter().filter_map(|(at, event, text, data)| {
            teller.line(&EventLine {
                release: "crystal-2".to_owned(),
                sequence: 1,
                at: format!("2026-11-22T12:00:{at}Z"),
                event: (*event).to_owned(),
                text: (*text).to_owned(),
                data: data.clone(),
            })
        });
        lines.map(|line| line.paint(false)).collect()
    }

    #[test]
    fn a_reason_is_told_once_and_raw_evidence_never() {
        let because = |reason: &str| serde_json::json!({ "reason": reason });
        let nothing = serde_json::json!({});
        assert_eq!(
            told(&[
                (
                    "00",
                    "requested",
                    "release epoch of crystal",
                    nothing.clone()
                ),
                (
                    "00.1",
                    "began",
                    "begin to build",
                    serde_json::json!({ "step": "build" })
                ),
                (
                    "03",
                    "began",
                    "begin to start tasks",
                    serde_json::json!({ "step": "start tasks" })
                ),
                (
                    "04",
                    "shareSet",
                    "share set to 5 %: within the budget",
                    because("within the budget")
                ),
                ("05", "observed", "canary 5 requests", nothing),
                (
                    "06",
                    "decided",
                    "promote: it is well",
                    because("it is well")
                ),
                (
                    "06.5",
                    "shareSet",
                    "share set to 100 %: it is well",
                    because("it is well")
                ),
                ("12", "ended", "promoted: it is well", because("it is well")),
                (
                    "13",
                    "decided",
                    "roll back: the build failed:\nno such file",
                    because("x")
                ),
            ]),
            [
                "    0.0 s  release epoch of crystal",
                "    0.1 s  begin to build",
                "    4.0 s  share set to 5 %: within the budget",
                "    6.0 s  promote: it is well",
                "    6.5 s  share set to 100 %",
                "     12 s  promoted",
                "     13 s  roll back: the build failed:",
            ]
        );
    }
}
