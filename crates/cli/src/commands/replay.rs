//! `serin replay`: a release's decisions, computed again from its journal.

use server::api::types::Replay;

use crate::args::{Global, Target};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::line::Line;
use crate::render::number;
use crate::terminal::Terminal;

pub async fn run(
    target: &Target,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let replay = super::client(global)?.replay(&target.release).await?;
    match terminal.is_json() {
        true => terminal.json(&replay)?,
        false => terminal.say_all(lines(&replay))?,
    }
    Ok(if replay.same {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn lines(replay: &Replay) -> Vec<Line> {
    let mut lines = Vec::new();
    for decision in &replay.decisions {
        let verdict = if decision.same { "same" } else { "DIFFERENT" };
        lines.push(Line::new().strong(verdict).plain(format!(
            "  evidence {:.2} ({})  {}",
            decision.log_evidence, decision.bits, decision.decision
        )));
        if let Some(again) = &decision.again {
            lines.push(Line::new().plain(format!("      now  {again}")));
        }
    }
    let differ = replay.decisions.iter().filter(|one| !one.same).count();
    let all = replay.decisions.len();
    lines.push(Line::new().plain(match (all, differ) {
        (0, _) => format!("{}: no decision to compute again", replay.release),
        (_, 0) => format!(
            "{}: {} computed again, all the same",
            replay.release,
            number::of(all as u64, "decision")
        ),
        _ => format!(
            "{}: {differ} of {} not the same",
            replay.release,
            number::of(all as u64, "decision")
        ),
    }));
    lines
}

#[cfg(test)]
mod tests {
    use server::api::types::{Replay, ReplayedDecision};

    use super::lines;

    #[test]
    fn what_differs_is_shown_beside_what_was_done() {
        let decision = |same: bool| ReplayedDecision {
            at: "2026-11-23T05:00:00Z".to_owned(),
            decision: "share 5 %: within the budget".to_owned(),
            same,
            again: (!same).then(|| "share 2 %: within the budget".to_owned()),
            log_evidence: 0.5,
            bits: format!("{:016x}", 0.5_f64.to_bits()),
        };
        let replay = Replay {
            release: "crystal-2".to_owned(),
            same: false,
            decisions: vec![decision(true), decision(false)],
        };
        let text: Vec<String> = lines(&replay)
            .iter()
            .map(|line| line.paint(false))
            .collect();
        assert_eq!(
            text,
            [
                "same  evidence 0.50 (3fe0000000000000)  share 5 %: within the budget",
                "DIFFERENT  evidence 0.50 (3fe0000000000000)  share 5 %: within the budget",
                "      now  share 2 %: within the budget",
                "crystal-2: 1 of 2 decisions not the same",
            ]
        );
    }
}
