//! The tries of one request, and whether there is another.
//!
//! A request goes out again only while nobody has seen any of its response and all that came of it is
//! at hand; without a policy, only where it certainly or harmlessly was not processed: on a pooled
//! connection that turned out to be closed. Retries have a budget.

use std::rc::Rc;
use std::time::Duration;

use view::RetryPolicy;

use super::failure::Failure;
use crate::admission::Exchange;
use crate::budget::Retrying;
use crate::cluster::LocalCluster;
use crate::endpoint::Endpoint;

/// The tries of one request.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    pub(super) retries: u32,
    /// Where the last try went.
    pub(super) endpoint: Option<Rc<Endpoint>>,
    /// Endpoints that have failed this request.
    pub(super) failed: Vec<Rc<Endpoint>>,
    /// The pool has let this request down once; it gets a connection of its own.
    pub(super) shuns_pool: bool,
    /// The last try took its connection from the pool.
    pub(super) was_pooled: bool,
    /// Its place in the retry budget, once it has needed one.
    retrying: Option<Retrying>,
    /// The client has seen part of a response.
    pub(crate) has_answered: bool,
}

impl Tries {
    /// Whether a response is thrown away for another try.
    pub(crate) fn retries_answer(
        &mut self,
        exchange: &Exchange,
        status: u16,
        grpc_status: Option<u8>,
        says_overloaded: impl FnOnce() -> bool,
    ) -> bool {
        let by_policy = |policy: &RetryPolicy| {
            self.retries < policy.max_retries
                && (policy.on.status_codes.contains(&status)
                    || grpc_status.is_some_and(|status| policy.on.grpc_status.contains(&status)))
        };
        exchange.is_replayable()
            && !self.has_answered
            && exchange.retry().is_some_and(by_policy)
            && !says_overloaded()
            && self.is_within_budget(exchange)
    }

    /// A request that is being retried keeps its place in the budget to its end.
    fn is_within_budget(&mut self, exchange: &Exchange) -> bool {
        if self.retrying.is_none() {
            self.retrying = exchange.cluster().and_then(LocalCluster::begin_retry);
        }
        self.retrying.is_some()
    }

    /// Whether a policy would have allowed another try, had there not been so many.
    pub(super) fn are_used_up(&self, exchange: &Exchange) -> bool {
        let most = exchange.retry().map(|policy| policy.max_retries);
        most.is_some_and(|most| most > 0 && self.retries >= most)
    }

    /// Whether to try again, and after what pause.
    pub(super) fn after(
        &mut self,
        failure: &Failure,
        exchange: &Exchange,
        jitter: f64,
    ) -> Option<Duration> {
        if let Some(endpoint) = self.endpoint.take() {
            self.failed.push(endpoint);
        }
        if self.has_answered || !exchange.is_replayable() {
            return None;
        }
        if let Failure::Broken { unsent } = failure
            && self.was_pooled
            && (*unsent || exchange.is_idempotent)
        {
            self.shuns_pool = true;
            return Some(Duration::ZERO);
        }
        let policy = exchange.retry()?;
        if self.retries >= policy.max_retries
            || !failure.is_retried_by(policy)
            || (failure.was_work() && !self.is_within_budget(exchange))
        {
            return None;
        }
        let pause = policy
            .backoff_base
            .saturating_mul(1 << self.retries.min(16));
        self.retries += 1;
        Some(pause.min(policy.backoff_max).mul_f64(jitter))
    }
}

#[cfg(test)]
mod tests {
    use view::observe::Outcome;

    use super::{Failure, Tries};

    #[test]
    fn a_try_counts_against_the_version_unless_its_connection_was_closed_at_rest() {
        let retried = |status, outcome| Failure::RetriedStatus { status, outcome };
        for (failure, is_new, is_pooled) in [
            (Failure::Broken { unsent: true }, true, false),
            (Failure::Broken { unsent: false }, true, true),
            (Failure::Refused, true, true),
            (Failure::TryTimeout, true, true),
            (retried(503, Outcome::ServerError), true, true),
            (retried(409, Outcome::ClientError), false, false),
        ] {
            let with = |was_pooled| Tries {
                was_pooled,
                ..Tries::default()
            };
            let counts = [false, true].map(|was_pooled| failure.is_the_versions(&with(was_pooled)));
            assert_eq!(counts, [is_new, is_pooled], "{failure:?}");
        }
    }
}
