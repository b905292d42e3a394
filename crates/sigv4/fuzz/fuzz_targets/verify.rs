//! Any request, written as on the wire: it never panics, and no refusal tells the secret.

#![no_main]

use std::time::{Duration, SystemTime};

use http::Request;
use sigv4::{Credential, Secret, Verifier};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The moment at which the seeds were signed.
const SIGNED: Duration = Duration::from_secs(1_440_938_160);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(request) = read(bytes) else { return };
    let (parts, body) = request.into_parts();
    let credential = Credential {
        secret_access_key: Secret::from(SECRET.to_owned()),
        session_token: None,
    };
    let credential_of = |id: &str| (id == "AKIDEXAMPLE").then_some(&credential);
    let now = SystemTime::UNIX_EPOCH + SIGNED;
    let verifier = Verifier::new("eu-central-1", "appmesh");
    if let Err(refusal) = verifier.verify(&parts, &body, credential_of, now) {
        assert!(!refusal.to_string().contains(SECRET));
    }
});

/// `METHOD target`, then `name:value` a line, an empty line, and the body.
fn read(bytes: &[u8]) -> Option<Request<Vec<u8>>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let mut words = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::builder()
        .method(words.next()?)
        .uri(words.next()?);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
    request.body(bytes[end + 2..].to_vec()).ok()
}
