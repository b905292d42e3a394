//! The retry budget of one cluster: retries must not multiply the work of a service that has too much.
//!
//! The rule is that of Envoy's retry budget with its default numbers: retries under way are at most a
//! fifth of the requests under way, but three always may be. App Mesh set no bound at all. Retries of
//! connections that failed or broke are free: an endpoint that is gone has no work to be spared, and
//! its requests must all find another. Each worker keeps its own account, so that nothing is shared on
//! the path of a request.

use std::cell::Cell;
use std::rc::Rc;

/// How many retries may be under way, however few requests are.
const ALWAYS: u32 = 3;
/// Of this many requests under way, one may be a retry.
const ONE_OF: u32 = 5;

#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    under_way: Rc<Cell<u32>>,
}

/// One request that is being tried again, until dropped.
#[derive(Debug)]
pub(crate) struct Retrying(Budget);

impl Budget {
    /// `None` where so many requests under way allow no further retry.
    pub(crate) fn begin(&self, requests: u32) -> Option<Retrying> {
        let retries = self.under_way.get();
        (retries < ALWAYS.max(requests / ONE_OF)).then(|| {
            self.under_way.set(retries + 1);
            Retrying(self.clone())
        })
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_retries_or_a_fifth_of_the_requests() {
        let budget = Budget::default();
        for (requests, retries) in [(0, 3), (1, 3), (19, 3), (20, 4), (1000, 200)] {
            let begun: Vec<_> = (0..).map_while(|_| budget.begin(requests)).collect();
            assert_eq!(begun.len(), retries, "{requests} requests");
        }
        assert_eq!(budget.under_way.get(), 0, "what has ended is given back");
    }
}
