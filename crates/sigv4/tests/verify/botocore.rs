//! Requests signed by botocore, the heart of the `aws` command line and of boto3.
//!
//! The interpreter comes from `SERIN_TEST_PYTHON`, else it is `python3`.

use std::time::{Duration, SystemTime};

use http::Request;
use serde::Deserialize;

use crate::known::{Known, appmesh};

#[derive(Debug, Deserialize)]
struct Signed {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    key: String,
    at: f64,
}

#[test]
fn what_botocore_signs_verifies() {
    let signed = signed_by_botocore();
    let known = Known::new();
    for line in &signed {
        let request = Request::builder().method(&*line.method).uri(&line.target);
        let headers = line.headers.iter();
        let request = headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(line.at);
        let outcome = appmesh().verify(&parts, &line.body, |id| known.find(id), now);
        let signer = outcome.unwrap_or_else(|refusal| panic!("{refusal}: {line:?}"));
        assert_eq!(signer.access_key_id, line.key);
    }
    let presigned = |line: &&Signed| line.target.contains("X-Amz-Signature");
    let presigned = signed.iter().filter(presigned).count();
    assert!(presigned > 100 && signed.len() - presigned > 500);
}

fn signed_by_botocore() -> Vec<Signed> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/botocore/sign.py");
    let lines = testkit::python::run(&[script, "20150830", "500"], "");
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
