//! A change's effect as a function of the state that the change is made on.
//!
//! It runs where changes are made one after the other, so a decision that panics is stopped here: it fails its own
//! change and no other.

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use model::Snapshot;

use crate::{Effect, Error};

type Decision = dyn Fn(&Snapshot) -> Result<Effect, model::Error> + Send + Sync;

/// Decides what a change does, see [`Change::decided_by`](crate::Change::decided_by).
#[derive(Clone)]
pub struct Decide(Arc<Decision>);

impl Decide {
    pub(crate) fn new<F>(decide: F) -> Self
    where
        F: Fn(&Snapshot) -> Result<Effect, model::Error> + Send + Sync + 'static,
    {
        Self(Arc::new(decide))
    }

    /// The decision for this snapshot, which no panic can leave half changed: nobody can change a snapshot.
    pub(crate) fn on(&self, snapshot: &Snapshot) -> Result<Effect, Error> {
        match panic::catch_unwind(AssertUnwindSafe(|| (self.0)(snapshot))) {
            Ok(decision) => Ok(decision?),
            Err(payload) => Err(Error::Undecided {
                reason: message_of(&*payload),
            }),
        }
    }
}

impl fmt::Debug for Decide {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Decide(..)")
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it gave no reason").to_owned()
}
