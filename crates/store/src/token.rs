//! Idempotency tokens: a request that comes twice is carried out once.
//!
//! A token is remembered with a fingerprint of its request and with the answer that was given, for 24 hours and as long
//! as it is among the latest 10,000. Clients repeat a request within minutes, so both bounds are generous; they keep
//! memory and file bounded. Time is an argument: what counts is the clock of whoever commits.

use std::fmt::Write;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Committed, Conflict};

const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const REMEMBERED_AT_MOST: usize = 10_000;

/// Makes a change at most once.
#[derive(Clone, Debug, PartialEq)]
pub struct IdempotencyToken {
    /// What the client chose, made unique by the caller: put the kind of request in front.
    pub token: String,
    pub fingerprint: Fingerprint,
    pub now: Timestamp,
}

/// Tells one request from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a request in a canonical form, such as JSON with sorted keys.
    #[must_use]
    pub fn of(request: &[u8]) -> Self {
        let mut hexadecimal = String::with_capacity(64);
        for byte in Sha256::digest(request) {
            // Writing to a String cannot fail.
            write!(hexadecimal, "{byte:02x}").ok();
        }
        Self(hexadecimal)
    }
}

/// A token that was used, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UsedToken {
    /// Counts the tokens; the lowest is forgotten first.
    pub(crate) order: u64,
    pub(crate) token: String,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) used_at: Timestamp,
    pub(crate) revision: u64,
    pub(crate) positions: Vec<u64>,
    pub(crate) answer: String,
}

/// The tokens that are remembered. Cheap to clone, as the state it belongs to is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    by_name: HashTrieMapSync<String, Arc<UsedToken>>,
    by_age: RedBlackTreeMapSync<u64, String>,
}

impl Tokens {
    /// What came of the request, if this token carried it before.
    pub(crate) fn recall(
        &self,
        token: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Committed>, Conflict> {
        match self.by_name.get(token) {
            Some(used) if is_old(used, now) => Ok(None),
            Some(used) if used.fingerprint == *fingerprint => Ok(Some(Committed {
                revision: used.revision,
                positions: used.positions.clone(),
                answer: used.answer.clone(),
                replayed: true,
            })),
            Some(_) => Err(Conflict::Token {
                token: token.to_owned(),
            }),
            None => Ok(None),
        }
    }

    /// The number that the next token gets.
    pub(crate) fn next_order(&self) -> u64 {
        self.by_age
            .last()
            .map_or(1, |(order, _)| order.saturating_add(1))
    }

    pub(crate) fn insert(&mut self, used: Arc<UsedToken>) {
        self.forget(&used.token);
        self.by_age.insert_mut(used.order, used.token.clone());
        self.by_name.insert_mut(used.token.clone(), used);
    }

    /// Forgets what is too old or too many; the names of the forgotten.
    pub(crate) fn prune(&mut self, now: Timestamp) -> impl Iterator<Item = String> {
        iter::from_fn(move || {
            let name = self.oldest_to_forget(now)?;
            self.forget(&name);
            Some(name)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<UsedToken>> {
        self.by_age
            .values()
            .filter_map(|name| self.by_name.get(name))
    }

    fn oldest_to_forget(&self, now: Timestamp) -> Option<String> {
        let (_, name) = self.by_age.first()?;
        let too_many = self.by_age.size() > REMEMBERED_AT_MOST;
        let too_old = self.by_name.get(name).is_some_and(|used| is_old(used, now));
        (too_many || too_old).then(|| name.clone())
    }

    fn forget(&mut self, name: &str) {
        if let Some(order) = self.by_name.get(name).map(|used| used.order) {
            self.by_age.remove_mut(&order);
            self.by_name.remove_mut(name);
        }
    }
}

/// A token from the future (a clock was set back) is not old.
fn is_old(used: &UsedToken, now: Timestamp) -> bool {
    let age = now.millis().saturating_sub(used.used_at.millis());
    u64::try_from(age).is_ok_and(|age| Duration::from_millis(age) > REMEMBERED_FOR)
}

impl FromIterator<Arc<UsedToken>> for Tokens {
    fn from_iter<I: IntoIterator<Item = Arc<UsedToken>>>(used_tokens: I) -> Self {
        let mut tokens = Self::default();
        for used in used_tokens {
            tokens.insert(used);
        }
        tokens
    }
}
