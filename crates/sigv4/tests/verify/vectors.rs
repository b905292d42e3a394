//! The vectors that AWS publishes for signers, as they come with the package of its Rust signer.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sigv4::Verifier;

use crate::known::{Known, parse, then};

#[derive(Deserialize)]
struct Context {
    credentials: Credentials,
    region: String,
    service: String,
    timestamp: String,
    /// Not set for the vectors of S3's way, which signs a path as it is.
    normalize: bool,
}

#[derive(Deserialize)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

#[test]
fn published_vectors_verify() {
    let mut verified = 0;
    for directory in vectors() {
        let name = directory.file_name().unwrap().to_str().unwrap();
        let Ok(context) = std::fs::read_to_string(directory.join("context.json")) else {
            continue;
        };
        let context: Context = serde_json::from_str(&context).unwrap();
        // The space's path is encoded once: S3's way as well, though it is not said so.
        if !context.normalize || name == "get-space-normalized" {
            continue;
        }
        let Credentials {
            access_key_id,
            secret_access_key,
            token,
        } = &context.credentials;
        let known = Known::of(&[(access_key_id, secret_access_key, token.as_deref())]);
        let verifier = Verifier::new(&context.region, &context.service);
        assert_eq!(context.timestamp, "2015-08-30T12:36:00Z");
        for form in ["header", "query"] {
            let request = read(&directory, &format!("{form}-signed-request.txt"));
            let (parts, body) = parse(&request);
            let outcome = verifier.verify(&parts, &body, |id| known.find(id), then());
            // Some services want the token to be added when all is signed. App Mesh did not.
            if name == "post-sts-header-after" {
                assert!(outcome.is_err(), "{name}, {form}");
                continue;
            }
            let signer = outcome.unwrap_or_else(|refusal| panic!("{name}, {form}: {refusal}"));
            assert_eq!(signer.access_key_id, *access_key_id);
            verified += 1;
        }
    }
    assert!(verified >= 50, "only {verified} vectors found");
}

/// It comes without a context: its keys are those of the package's own tests.
#[test]
fn the_published_vector_of_a_path_encoded_twice_verifies() {
    let (parts, body) = parse(&read(
        &suite().join("double-encode-path"),
        "header-signed-request.txt",
    ));
    let known = Known::of(&[("ANOTREAL", "notrealrnrELgWzOk3IfjzDKtFBhDby", None)]);
    let verifier = Verifier::new("us-east-1", "service");
    let signer = verifier.verify(&parts, &body, |id| known.find(id), then());
    assert_eq!(signer.unwrap().access_key_id, "ANOTREAL");
}

fn vectors() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(suite()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn read(directory: &Path, file: &str) -> String {
    std::fs::read_to_string(directory.join(file)).unwrap()
}

/// Where cargo keeps the package.
fn suite() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|package| package["name"] == "aws-sigv4")
        .unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.with_file_name("aws-signing-test-suite").join("v4")
}
