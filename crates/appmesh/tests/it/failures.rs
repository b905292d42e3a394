//! A store that fails, and what callers hear of it.

use std::sync::Arc;

use appmesh::Quotas;
use model::{Snapshot, Timestamp};
use serde_json::json;
use store::{
    Archive, BoxFuture, Change, Committed, Conflict, Entry, Error, Fingerprint, Memory, Store,
};
use tokio::sync::watch;

use crate::fixture::Api;

/// A store that fails each commit in one way.
#[derive(Debug)]
struct Failing(Error, Memory);

#[test]
fn what_fails_inside_is_not_told_outside() {
    let storage = Error::Storage {
        operation: "write",
        path: "/secret/mesh.redb".into(),
        source: Arc::new(std::io::Error::other("disk full")),
    };
    let corrupt = Error::Corrupt {
        name: "mesh/m".into(),
        path: "/secret/mesh.redb".into(),
        reason: "garbage".into(),
    };
    let undecided = Error::Undecided {
        reason: "/secret".into(),
    };
    let closed = Error::Closed {
        path: "/secret/mesh.redb".into(),
    };
    let raced = Error::Conflict(Conflict::Revision {
        expected: 1,
        found: 2,
    });
    let cases = [
        (storage, 503, "ServiceUnavailableException"),
        (closed, 503, "ServiceUnavailableException"),
        (corrupt, 500, "InternalServerErrorException"),
        (undecided, 500, "InternalServerErrorException"),
        (raced, 409, "ConflictException"),
    ];
    for (error, status, name) in cases {
        let api = Api::over(Arc::new(Failing(error, Memory::new())), Quotas::default());
        let answer = api.put("", json!({"meshName": "m"}));
        assert_eq!(answer.status, status, "{name}");
        let (found, message) = answer.refused();
        assert_eq!(found, name);
        assert!(
            !message.contains("secret") && !message.contains("disk"),
            "{message}"
        );
    }
}

impl Store for Failing {
    fn snapshot(&self) -> Snapshot {
        self.1.snapshot()
    }

    fn watch(&self) -> watch::Receiver<Snapshot> {
        self.1.watch()
    }

    fn commit(&self, _: Change) -> BoxFuture<'_, Result<Committed, Error>> {
        Box::pin(async { Err(self.0.clone()) })
    }

    fn recall(
        &self,
        token: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Committed>, Error>> {
        self.1.recall(token, fingerprint, now)
    }

    fn journal(&self, stream: &str, after: u64) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        self.1.journal(stream, after)
    }

    fn streams(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        self.1.streams(prefix)
    }

    fn export(&self) -> BoxFuture<'_, Result<Archive, Error>> {
        self.1.export()
    }
}
