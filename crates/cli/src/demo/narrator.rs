//! Tells the scenes of the demo: a live picture on a terminal, plain lines elsewhere, or JSON lines.

use std::collections::VecDeque;

use super::load::Seen;
use super::proof::Proof;
use super::scene::Scene;
use crate::clock;
use crate::line::Line;
use crate::render::progress::Progress;
use crate::render::{diffstat, number, table, verdict, why};
use crate::terminal::{Terminal, Unwritable};
use crate::watch::Watch;

/// Lines of a build's output that stay in sight.
const BUILD_LINES: usize = 4;

#[derive(Debug)]
pub struct Narrator<'a> {
    terminal: &'a mut Terminal,
    watch: Watch,
    build: VecDeque<String>,
}

impl<'a> Narrator<'a> {
    pub fn new(terminal: &'a mut Terminal) -> Self {
        Self {
            terminal,
            watch: Watch::default(),
            build: VecDeque::new(),
        }
    }

    pub fn tell(&mut self, scene: &Scene<'_>) -> Result<(), Unwritable> {
        if self.terminal.is_json() {
            return self.tell_programs(scene);
        }
        match scene {
            Scene::Setting {
                example,
                choice,
                directory,
                state,
            } => self.setting(example, choice, directory, state),
            Scene::Act { number, title } => {
                self.watch.settle(self.terminal)?;
                self.build.clear();
                let title = Line::new().faint(format!("{number}  ")).strong(title);
                self.terminal.say_all([Line::new(), title])
            }
            Scene::BuildLog { line } => self.build_log(line),
            Scene::Event { event } => {
                self.build.clear();
                self.watch.event(event, self.terminal)
            }
            Scene::Standing {
                release,
                service,
                load,
            } => self.standing(
                &Progress::at(clock::today(), release, service),
                load.as_ref(),
            ),
            Scene::Serving {
                url,
                text,
                requests_per_second,
            } => self.terminal.say_all([
                indented(Line::new().plain(format!(
                    "{requests_per_second} requests a second, every answer is read"
                ))),
                indented(Line::new().strong(format!("curl {url}"))),
                indented(quoted(text)),
            ]),
            Scene::Change { patch, plan } => {
                let patch = Line::new()
                    .plain(patch)
                    .faint(" changes a copy of the source:");
                self.terminal.say(indented(patch))?;
                self.terminal
                    .say_all(diffstat::lines(&plan.files).into_iter().map(indented))
            }
            Scene::Proof {
                proof,
                story,
                requested_at,
                ..
            } => {
                self.terminal.clear()?;
                self.terminal
                    .say_all(told(proof).into_iter().map(indented))?;
                self.terminal.say(Line::new())?;
                self.terminal.say_all(why::story(story, requested_at))
            }
            Scene::Encore { commands, log } => self.encore(commands, log),
        }
    }

    fn tell_programs(&mut self, scene: &Scene<'_>) -> Result<(), Unwritable> {
        if let Scene::Standing {
            release, service, ..
        } = scene
        {
            let progress = Progress::at(clock::today(), release, service);
            if !self.watch.is_due(&progress) {
                return Ok(());
            }
        }
        self.terminal.json(scene)
    }

    fn setting(
        &mut self,
        example: &str,
        choice: &str,
        directory: &str,
        state: &str,
    ) -> Result<(), Unwritable> {
        let title = Line::new()
            .strong("serin demo")
            .plain(": the crystal service is released as a canary, on this machine");
        let rows = [
            (
                "example",
                Line::new().strong(example).plain(format!(": {choice}")),
            ),
            ("source", Line::new().plain(directory)),
            (
                "watch",
                Line::new()
                    .plain(format!("serin --state {state} status --watch"))
                    .faint(" in another terminal"),
            ),
        ];
        let rows = rows
            .map(|(name, value)| vec![Line::new().faint(format!("   {name}")), value])
            .to_vec();
        self.terminal.say(title)?;
        self.terminal.say_all(table::columns(rows))
    }

    fn build_log(&mut self, line: &str) -> Result<(), Unwritable> {
        if !self.terminal.is_live() {
            return self.terminal.say(built(line));
        }
        if self.build.len() == BUILD_LINES {
            self.build.pop_front();
        }
        self.build.push_back(line.to_owned());
        Ok(())
    }

    fn standing(&mut self, progress: &Progress<'_>, load: Option<&Seen>) -> Result<(), Unwritable> {
        let mut picture: Vec<Line> = self.build.iter().map(|line| built(line)).collect();
        picture.extend(progress.picture());
        picture.extend(load.map(client));
        self.watch.standing(progress, picture, self.terminal)
    }

    fn encore(&mut self, commands: &[String], log: &str) -> Result<(), Unwritable> {
        let log = Line::new()
            .plain("The server's log is ")
            .plain(log)
            .plain(". Go on by yourself:");
        self.terminal.say_all([Line::new(), log])?;
        self.terminal.say_all(
            commands
                .iter()
                .map(|command| indented(Line::new().strong(command))),
        )
    }
}

fn told(proof: &Proof) -> Vec<Line> {
    let heading = [
        "version",
        "the client saw",
        "the proxy counted",
        "of these failed",
    ];
    let mut rows = vec![heading.map(|cell| Line::new().faint(cell)).to_vec()];
    for (tag, answered) in proof.tags.iter().zip(proof.seen.answered) {
        let count = proof.counted.of(tag);
        rows.push(vec![
            Line::new().plain(tag),
            Line::new().plain(format!("{} answers", number::count(answered))),
            Line::new().plain(number::of(count.requests, "request")),
            Line::new().plain(number::count(count.failures)),
        ]);
    }
    let mut lines = table::columns(rows);
    lines.push(match proof.agrees() {
        true => Line::new().good("✓ ").plain("client and proxy agree"),
        false => Line::new().bad("✗ ").plain("client and proxy do not agree"),
    });
    lines.push(failures(&proof.seen));
    let outcome = Line::new()
        .strong(&proof.release)
        .plain(" was ")
        .strong(verdict::outcome(&proof.ended.outcome));
    let outcome = outcome.plain(format!(": {}", verdict::reason(&proof.ended.reason)));
    lines.push(match proof.ended.outcome == proof.wanted {
        true => Line::new().good("✓ ").then(outcome),
        false => Line::new().bad("✗ ").then(outcome),
    });
    let texts = proof.tags.iter().zip(&proof.seen.texts);
    lines.extend(
        texts.map(|(tag, text)| Line::new().faint(format!("{tag} says ")).then(quoted(text))),
    );
    lines
}

fn failures(seen: &Seen) -> Line {
    let requests = number::of(seen.requests(), "request");
    if seen.failures() == 0 {
        return Line::new()
            .good("✓ ")
            .plain(format!("none of {requests} failed or was cut"));
    }
    let share = number::percent(seen.failures() as f64 / seen.requests() as f64 * 100.0);
    let line = Line::new()
        .plain("  ")
        .strong(number::count(seen.failures()))
        .plain(format!(" of {requests} failed ({share})"));
    match (seen.cut, seen.strange) {
        (0, 0) => line.plain(": each was answered with an error, none was cut"),
        (cut, strange) => line.plain(format!(
            ": {} answered with an error, {} cut, {} with a text of no version",
            number::count(seen.failed),
            number::count(cut),
            number::count(strange),
        )),
    }
}

fn client(seen: &Seen) -> Line {
    let [old, new] = seen.answered.map(number::count);
    let failures = number::count(seen.failures());
    let line = Line::new().faint(format!("{:>11}  ", "client"));
    line.plain(format!(
        "{old} answers of the old, {new} of the new, {failures} failed"
    ))
}

fn built(line: &str) -> Line {
    Line::new().faint(format!("{:>11}  {line}", "|"))
}

fn indented(line: Line) -> Line {
    Line::new().plain("   ").hang().then(line)
}

/// An answer's text on one line.
fn quoted(text: &str) -> Line {
    Line::new().stable(text.split_whitespace().collect::<Vec<_>>().join(" "))
}
