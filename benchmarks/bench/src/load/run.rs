//! One run's state, apart from its connections.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::client::{Answer, Client, Requests};
use super::outcome::Outcome;
use super::plan::{Pace, Plan};
use super::upstream;

pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) requests: Requests,
    pub(super) outcome: Outcome,
    pub(super) answers: Vec<Answer>,
    /// Numbers of clients with room for another request, where the pace is fixed.
    pub(super) ready: VecDeque<usize>,
    /// When requests were due that wait for a client.
    pub(super) overdue: VecDeque<Instant>,
    /// New requests follow the answers.
    pub(super) continues: bool,
    /// So many connections have been opened.
    pub(super) opened: usize,
}

/// What becomes of a client after an event.
pub(super) enum Next {
    Keep,
    /// Its end is no failure: another takes its place.
    Replace,
}

impl Run {
    pub(super) fn new(plan: &Plan, upstreams: usize) -> anyhow::Result<Self> {
        Ok(Self {
            requests: Requests::new(plan),
            outcome: Outcome::new(upstreams)?,
            answers: Vec::new(),
            ready: VecDeque::new(),
            overdue: VecDeque::new(),
            continues: true,
            opened: 0,
            plan: plan.clone(),
        })
    }

    /// The first requests of a new connection.
    pub(super) fn begin(&mut self, number: usize, client: &mut Client) -> io::Result<()> {
        let now = Instant::now();
        for _ in 0..self.plan.streams {
            match self.plan.pace {
                Pace::Saturated => client.ask(&mut self.requests, now)?,
                Pace::Fixed(_) => self.ready.push_back(number),
            }
        }
        client.flush()
    }

    /// Counts the answers that `client` has received, and asks again.
    pub(super) fn answered(&mut self, number: usize, client: &mut Client) -> io::Result<Next> {
        if self.answers.is_empty() {
            client.flush()?;
            return Ok(Next::Keep);
        }
        let now = Instant::now();
        let mut answers = std::mem::take(&mut self.answers);
        for answer in answers.drain(..) {
            let due = client
                .finish(answer.stream)
                .ok_or_else(|| io::Error::other("an answer to no request"))?;
            self.count(&answer, due, now);
            if !self.continues || self.plan.fresh_connections {
                continue;
            }
            match self.plan.pace {
                Pace::Saturated => client.ask(&mut self.requests, now)?,
                Pace::Fixed(_) => self.ready.push_back(number),
            }
        }
        self.answers = answers;
        client.flush()?;
        Ok(if self.plan.fresh_connections {
            Next::Replace
        } else {
            Next::Keep
        })
    }

    fn count(&mut self, answer: &Answer, due: Instant, now: Instant) {
        let upstream = answer.letter.map(upstream::of_letter);
        match upstream {
            Some(upstream) if answer.status == 200 && answer.length == self.plan.body => {
                self.outcome.answer(upstream, now - due);
            }
            _ => self.outcome.failure(format!(
                "status {} with {} bytes",
                answer.status, answer.length
            )),
        }
    }

    /// A client has gone: its requests under way have failed, for this reason.
    pub(super) fn lost(&mut self, client: &Client, reason: &str) {
        for _ in &client.under_way {
            self.outcome.failure(reason.to_owned());
        }
    }
}
