//! The keys that the verifier of these tests knows, and a request as text.

use std::time::{Duration, SystemTime};

use http::Request;
use http::request::Parts;
use sigv4::{Credential, Refusal, Secret, Signer, Verifier};

pub(crate) const KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const TOKEN: &str = "the token of a session/+==";

/// The keys, each with a secret of its own; one has a session token as well.
pub(crate) struct Known(Vec<(String, Credential)>);

impl Known {
    pub(crate) fn new() -> Self {
        Self::of(&[
            (KEY, SECRET, None),
            ("another/key", "its secret", None),
            ("temporary", "a secret for an hour", Some(TOKEN)),
        ])
    }

    pub(crate) fn of(keys: &[(&str, &str, Option<&str>)]) -> Self {
        let secret = |text: &str| Secret::from(text.to_owned());
        let keys = keys.iter().map(|(id, secret_access_key, token)| {
            let credential = Credential {
                secret_access_key: secret(secret_access_key),
                session_token: token.map(secret),
            };
            ((*id).to_owned(), credential)
        });
        Self(keys.collect())
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Credential> {
        let found = self.0.iter().find(|(each, _)| each == id);
        found.map(|(_, credential)| credential)
    }
}

pub(crate) fn appmesh() -> Verifier {
    Verifier::new("eu-central-1", "appmesh")
}

/// 2015-08-30T12:36:00Z, the moment of the published vectors.
pub(crate) fn then() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
}

/// Verified by [`appmesh`], with all keys known.
pub(crate) fn verified(request: Request<Vec<u8>>, now: SystemTime) -> Result<Signer, Refusal> {
    let (parts, body) = request.into_parts();
    let known = Known::new();
    appmesh().verify(&parts, &body, |id| known.find(id), now)
}

/// A request written as on the wire: a head with plain line ends, an empty line, a body.
pub(crate) fn parse(text: &str) -> (Parts, Vec<u8>) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    // A header value may go on in the next line, behind a blank.
    let head = head.trim_end().replace("\n ", " ");
    let mut lines = head.lines();
    let mut words = lines.next().unwrap().split(' ');
    let request = Request::builder()
        .method(words.next().unwrap())
        .uri(words.next().unwrap());
    let request = lines.fold(request, |request, line| {
        let (name, value) = line.split_once(':').unwrap();
        request.header(name, value)
    });
    let (parts, ()) = request.body(()).unwrap().into_parts();
    (parts, body.as_bytes().to_vec())
}
