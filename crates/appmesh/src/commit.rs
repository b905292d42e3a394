//! From a decision to a committed change, and from a store's error to one of App Mesh's.
//!
//! A change is decided where the store makes it, on the state that it is made on, so two writers never
//! see each other's half and nobody has to try again.

use model::{Error, ErrorKind, Snapshot, Timestamp};
use serde_json::Value;
use store::{Change, Conflict, Effect, Fingerprint, IdempotencyToken};

use crate::{AppMesh, Operation};

impl AppMesh {
    /// Makes the change that `decide` comes to, and returns what its request is answered.
    pub(crate) async fn commit(
        &self,
        operation: Operation,
        once: Option<IdempotencyToken>,
        decide: impl Fn(&Snapshot) -> Result<Effect, Error> + Send + Sync + 'static,
    ) -> Result<String, Error> {
        let mut change = Change::decided_by(decide);
        change.token = once;
        match self.store.commit(change).await {
            Ok(committed) => Ok(committed.answer),
            Err(error) => Err(refused(operation, error)),
        }
    }
}

/// A client's token for a request that means this.
///
/// The same token may serve another operation: it tells two requests for one operation apart.
pub(crate) fn once(
    operation: Operation,
    client_token: Option<String>,
    meaning: &Value,
    now: Timestamp,
) -> Option<IdempotencyToken> {
    client_token.map(|client_token| IdempotencyToken {
        token: format!("{}/{client_token}", operation.name()),
        fingerprint: Fingerprint::of(meaning.to_string().as_bytes()),
        now,
    })
}

/// What went wrong inside is logged, not answered: the caller can do nothing with it.
fn refused(operation: Operation, error: store::Error) -> Error {
    let internal = |kind, message: &str| {
        let error: &dyn std::error::Error = &error;
        tracing::error!(
            operation = operation.name(),
            error,
            "cannot change the mesh"
        );
        Error::new(kind, message)
    };
    match &error {
        store::Error::Refused(refusal) => refusal.clone(),
        store::Error::Conflict(Conflict::Token { token }) => {
            let client_token = token.split_once('/').map_or(token.as_str(), |(_, own)| own);
            let message = format!(
                "clientToken {client_token} was used before for another {}; use a new token",
                operation.name()
            );
            Error::new(ErrorKind::Conflict, message)
        }
        store::Error::Conflict(conflict) => Error::new(ErrorKind::Conflict, conflict.to_string()),
        store::Error::Unfit { name, reason } => Error::new(
            ErrorKind::BadRequest,
            format!("{name} cannot be kept: {reason}"),
        ),
        store::Error::Storage { .. } | store::Error::Closed { .. } => internal(
            ErrorKind::ServiceUnavailable,
            "the mesh cannot be changed at present; try again",
        ),
        store::Error::Corrupt { .. } | store::Error::Undecided { .. } => internal(
            ErrorKind::InternalServerError,
            "the change failed inside the server, whose log says why",
        ),
    }
}
