//! The node's identities: keys that are made here, and certificates for them from the server.
//!
//! A key goes nowhere but to the data plane and into a file of its owner's beside the last view, so that a
//! start without the server has identities too. Each is renewed, with a new key, when two thirds of its
//! time have passed; connections that are open go on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use identity::Request;
use link::{Signed, SigningRequest};
use proxy::{DataPlane, Secret};
use serde::{Deserialize, Serialize};
use view::Secrets;

use crate::private_file;

/// When one that was refused is asked for again.
const PAUSE: Duration = Duration::from_secs(60);

pub(crate) struct Identities {
    node: String,
    plane: Arc<DataPlane>,
    file: PathBuf,
    kept: Kept,
    /// What the newest view names.
    wanted: Secrets,
    /// Keys whose certificates this stream has been asked for.
    asked: BTreeMap<String, String>,
    /// Refused, and not to be asked for before then, in time since 1970.
    refused: BTreeMap<String, Duration>,
}

/// What lies in the file.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    identities: BTreeMap<String, Identity>,
    /// Whom to believe, in PEM.
    bundle: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    chain: String,
    key: String,
    /// Since 1970.
    renew_at: Duration,
}

impl Identities {
    /// With what an earlier process of this node has kept below `state`.
    pub(crate) fn of(node: &str, state: &Path, plane: Arc<DataPlane>) -> Self {
        let name = node.replace('/', "_");
        let file = state.join("identities").join(name + ".json");
        let kept = load(&file).unwrap_or_else(|error| {
            tracing::warn!(%error, "could not read the identities on disk: asking the server for new ones");
            Kept::default()
        });
        Self {
            node: node.to_owned(),
            plane,
            file,
            kept,
            wanted: Secrets::default(),
            asked: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// Gives the data plane what it needs for this view, as far as it is here.
    pub(crate) fn want(&mut self, wanted: Secrets) {
        for name in &wanted.identities {
            if let Some(identity) = self.kept.identities.get(name) {
                self.give(name, identity);
            }
        }
        if let Some(bundle) = &self.kept.bundle {
            self.give_trust(&wanted.trust, bundle);
        }
        self.wanted = wanted;
    }

    /// A new stream has been asked for nothing.
    pub(crate) fn begin_stream(&mut self) {
        self.asked.clear();
        self.refused.clear();
    }

    /// Whether the newest view need not wait: what it names is here, or was refused.
    pub(crate) fn are_settled(&self) -> bool {
        let is_settled =
            |name| self.kept.identities.contains_key(name) || self.refused.contains_key(name);
        self.wanted.identities.iter().all(is_settled)
    }

    /// What to ask the server for now, in time since 1970.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<SigningRequest> {
        let mut due = Vec::new();
        for name in &self.wanted.identities {
            let kept = self.kept.identities.get(name);
            let is_fresh = kept.is_some_and(|identity| identity.renew_at > now);
            let is_refused = self.refused.get(name).is_some_and(|until| *until > now);
            if is_fresh || is_refused || self.asked.contains_key(name) {
                continue;
            }
            match Request::new() {
                Ok(Request { request, key }) => {
                    self.asked.insert(name.clone(), key);
                    let secret = name.clone();
                    due.push(SigningRequest { secret, request });
                }
                Err(error) => {
                    tracing::error!(%error, name, "an identity cannot be asked for");
                    self.refused.insert(name.clone(), now + PAUSE);
                }
            }
        }
        due
    }

    /// A certificate for a key that waits for it.
    pub(crate) fn signed(&mut self, signed: Signed, now: Duration) {
        let Signed {
            secret,
            chain,
            lifetime,
        } = signed;
        let Some(key) = self.asked.remove(&secret) else {
            tracing::warn!(secret, "the server signs what it was not asked for");
            return;
        };
        let identity = Identity {
            chain,
            key,
            renew_at: now + lifetime * 2 / 3,
        };
        self.give(&secret, &identity);
        tracing::info!(
            node = self.node,
            secret,
            ?lifetime,
            "the node has a new identity"
        );
        self.refused.remove(&secret);
        self.kept.identities.insert(secret, identity);
        self.keep();
    }

    pub(crate) fn refused(&mut self, secret: String, reason: &str, now: Duration) {
        tracing::error!(
            node = self.node,
            secret,
            reason,
            "the server signs no identity"
        );
        self.asked.remove(&secret);
        self.refused.insert(secret, now + PAUSE);
    }

    pub(crate) fn believe(&mut self, bundle: String) {
        // Nothing in common: the authority is another one, and nobody believes what the old one signed.
        let before = self.kept.bundle.as_deref().unwrap_or(&bundle);
        if !certificates(before).any(|root| bundle.contains(root)) {
            for identity in self.kept.identities.values_mut() {
                identity.renew_at = Duration::ZERO;
            }
        }
        self.give_trust(&self.wanted.trust, &bundle);
        self.kept.bundle = Some(bundle);
        self.keep();
    }

    fn give(&self, name: &str, identity: &Identity) {
        let secret = Secret::Identity {
            chain: identity.chain.clone(),
            key: identity.key.clone(),
        };
        self.plane.set_secret(&self.node, name, secret);
    }

    fn give_trust(&self, names: &BTreeSet<String>, bundle: &str) {
        for name in names {
            let bundle = bundle.to_owned();
            let secret = Secret::Trust { bundle };
            self.plane.set_secret(&self.node, name, secret);
        }
    }

    fn keep(&self) {
        let kept = serde_json::to_vec(&self.kept).map_err(io::Error::from);
        if let Err(error) = kept.and_then(|kept| private_file::replace(&self.file, &kept)) {
            tracing::error!(%error, "could not keep the identities on disk: without the server, the next start has older ones or none");
        }
    }
}

fn certificates(bundle: &str) -> impl Iterator<Item = &str> {
    bundle
        .split_inclusive("-----END CERTIFICATE-----")
        .map(str::trim)
        .filter(|pem| pem.contains("BEGIN"))
}

fn load(file: &Path) -> io::Result<Kept> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        bytes => Ok(serde_json::from_slice(&bytes?)?),
    }
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identities")
            .field("node", &self.node)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
