//! Clients side by side, the time of each of their calls, and a line of the table for all of them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::Outcome;
use crate::client::Client;

pub(crate) mod clock {
    use std::time::Instant;

    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }
}

/// How long each call of one kind took.
pub(crate) struct Timed {
    what: &'static str,
    clients: usize,
    sorted: Vec<Duration>,
}

pub(crate) fn report_heading() {
    println!("| call | clients | calls | p50 | p99 | p99.9 | max |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
}

impl Timed {
    pub(crate) fn new(what: &'static str, clients: usize, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self {
            what,
            clients,
            sorted: times,
        }
    }

    pub(crate) fn report(&self) {
        let (what, clients, calls) = (self.what, self.clients, self.sorted.len());
        let [median, p99, p999, max] =
            [500, 990, 999, 1000].map(|per_mille| self.quantile(per_mille));
        println!("| {what} | {clients} | {calls} | {median} | {p99} | {p999} | {max} |");
    }

    /// In milliseconds: at least so many of a thousand calls took no longer.
    fn quantile(&self, per_mille: usize) -> String {
        let rank = (self.sorted.len() * per_mille).div_ceil(1000).max(1);
        let time = self.sorted.get(rank - 1).copied().unwrap_or_default();
        format!("{:.3} ms", time.as_secs_f64() * 1000.0)
    }
}

/// Makes a call for each number, so many at a time, and reports how long they took.
pub(crate) async fn measure<F>(
    client: &Arc<Client>,
    what: &'static str,
    at_once: usize,
    numbers: Range<usize>,
    call: impl Fn(Arc<Client>, usize) -> F + Copy + Send + 'static,
) -> Outcome<()>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    let mut callers = JoinSet::new();
    for first in 0..at_once {
        let (client, share) = (
            Arc::clone(client),
            numbers.clone().skip(first).step_by(at_once),
        );
        callers.spawn(async move {
            let mut times = Vec::new();
            for number in share {
                let start = clock::now();
                call(Arc::clone(&client), number).await?;
                times.push(start.elapsed());
            }
            Outcome::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = callers.join_next().await {
        times.extend(ended??);
    }
    Timed::new(what, at_once, times).report();
    Ok(())
}

pub(crate) fn timed<T>(action: impl FnOnce() -> T) -> (Duration, T) {
    let start = clock::now();
    let outcome = action();
    (start.elapsed(), outcome)
}
