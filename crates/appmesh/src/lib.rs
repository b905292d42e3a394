//! The App Mesh API: 38 operations of the public service model, over a [`store`].
//!
//! [`AppMesh`] turns one HTTP request into one HTTP response and knows no socket: whoever listens has
//! checked the signature and limited the body, and says what time it is.
//!
//! Of several things that are wrong with a request, one is answered, in this order: the form of path,
//! query and body; constraints and rules of the spec alone, all of them together; the mesh, then the
//! parent, then the resource itself is missing; the name is taken, or the resource in use; what the spec
//! refers to is missing or does not fit; a quota is used up.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use model::{Error, Timestamp};
use store::Store;

pub use crate::operation::Operation;
pub use crate::quotas::Quotas;
pub use crate::refusal::{refusal, refusal_named};

use crate::call::Call;
use crate::operation::Action;

mod answer;
mod body;
mod call;
mod changes;
mod commit;
mod operation;
mod page;
mod quotas;
mod reads;
mod refusal;
mod tagging;

/// What answers. Cheap to clone; clones share the store.
#[derive(Clone)]
pub struct AppMesh {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
}

/// As whom, and within which limits, the API answers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account that owns what is made: twelve digits.
    pub account: String,
    pub region: String,
    pub quotas: Quotas,
    /// Makes a new resource's unique id.
    pub uid: fn() -> String,
}

impl AppMesh {
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self {
            store,
            settings: Arc::new(settings),
        }
    }

    /// Carries out what the request asks for, at `now`.
    ///
    /// Whatever comes in, an answer comes out. A future that is dropped before its end leaves the change
    /// made or not made, as a lost connection does; a client token makes it safe to ask again.
    pub async fn answer(&self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let (method, path) = (request.method(), request.uri().path());
        let Some(operation) = Operation::of(method, path) else {
            let message = format!("App Mesh has no operation {method} {path}");
            return refusal_named(404, "UnknownOperationException", &message);
        };
        match self.carry_out(operation, request, now).await {
            Ok(body) => refusal::json_response(body),
            Err(error) => refusal(&error),
        }
    }

    async fn carry_out(
        &self,
        operation: Operation,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let call = Call::new(operation, request)?;
        match operation.action() {
            Action::Create(kind) => self.create(kind, &call, now).await,
            Action::Describe(kind) => self.describe(kind, &call),
            Action::Update(kind) => self.update(kind, &call, now).await,
            Action::Delete(kind) => self.delete(kind, &call, now).await,
            Action::List(kind) => self.list(kind, &call),
            Action::Tag => self.tag(&call).await,
            Action::Untag => self.untag(&call).await,
            Action::ListTags => self.list_tags(&call),
        }
    }
}

impl fmt::Debug for AppMesh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("AppMesh");
        // A store shows all that it holds.
        shown
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
