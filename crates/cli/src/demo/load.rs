//! A bounded load on loopback that reads every answer.
//!
//! Open loop: requests leave by the clock, however slow the answers are, over keep-alive connections. It
//! runs on a thread of its own, so that what else this process does neither delays nor hides an answer.

mod connection;
mod seen;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use connection::{Answer, Connection};
pub use seen::Seen;
use seen::Tally;

pub const REQUESTS_PER_SECOND: u32 = 300;

/// Each carries every so-manieth request; enough for answers that take `CONNECTIONS / rate`.
const CONNECTIONS: u32 = 32;

/// Running load; dropping it ends it too.
#[derive(Debug)]
pub struct Load {
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    finished: oneshot::Receiver<Infallible>,
}

/// What is asked, and the answers that are right: texts naming one of these commits.
#[derive(Clone, Debug)]
pub struct Question {
    pub gateway: SocketAddr,
    pub host: String,
    pub path: &'static str,
    /// Of the old and the new version.
    pub commits: [&'static str; 2],
}

impl Load {
    pub fn start(question: Question) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let tally = Arc::new(Tally::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (done, finished) = oneshot::channel::<Infallible>();
        let load = Self {
            tally: Arc::clone(&tally),
            stop: Arc::clone(&stop),
            finished,
        };
        std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(move || {
                runtime.block_on(run(question, tally, stop));
                drop(done);
            })?;
        Ok(load)
    }

    pub fn seen(&self) -> Seen {
        self.tally.seen()
    }

    /// Sends nothing more, and waits for the answers that are still out.
    pub async fn finish(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        // The thread sends nothing: it is finished when its end is gone.
        drop((&mut self.finished).await);
        self.tally.seen()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn run(question: Question, tally: Arc<Tally>, stop: Arc<AtomicBool>) {
    let period = Duration::from_secs(1) / REQUESTS_PER_SECOND;
    let start = Instant::now();
    let workers = (0..CONNECTIONS).map(|index| {
        let worker = Worker {
            connection: Connection::new(question.gateway, &question.host, question.path),
            commits: question.commits,
            tally: Arc::clone(&tally),
            stop: Arc::clone(&stop),
        };
        worker.run(start + period * index, period * CONNECTIONS)
    });
    let mut running: tokio::task::JoinSet<()> = workers.collect();
    while running.join_next().await.is_some() {}
}

struct Worker {
    connection: Connection,
    commits: [&'static str; 2],
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
}

impl Worker {
    async fn run(mut self, mut next: Instant, period: Duration) {
        loop {
            tokio::time::sleep_until(next).await;
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            next += period;
            match self.connection.ask().await {
                Ok(answer) => self.count(&answer),
                Err(_) => self.tally.cut(),
            }
        }
    }

    fn count(&self, answer: &Answer) {
        let commit = commit_of(&answer.text);
        let version = self.commits.iter().position(|known| Some(*known) == commit);
        match version {
            Some(version) if answer.is_success => self.tally.answered(version, &answer.text),
            _ if answer.is_success => self.tally.strange(),
            _ => self.tally.failed(),
        }
    }
}

/// The commit that an answer names.
fn commit_of(text: &str) -> Option<&str> {
    let (_, after) = text
        .strip_prefix("Crystal backend: Hello! from ")?
        .split_once(" commit ")?;
    after.split_whitespace().next()
}

#[cfg(test)]
mod tests;
