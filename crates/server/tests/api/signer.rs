//! Signs as AWS's clients do, written here once more so that the server is not held against itself.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub(crate) struct Signer<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) region: &'a str,
    /// `20261123T012000Z`.
    pub(crate) time: String,
}

impl Signer<'_> {
    /// A whole request; path without a query.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> String {
        let day = &self.time[..8];
        let headers = "host;x-amz-date";
        let canonical = format!(
            "{method}\n{path}\n\nhost:localhost\nx-amz-date:{}\n\n{headers}\n{}",
            self.time,
            sha256(body)
        );
        let scope = format!("{day}/{}/appmesh/aws4_request", self.region);
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
            self.time,
            sha256(&canonical)
        );
        let secret = format!("AWS4{}", self.secret);
        let key = [day, self.region, "appmesh", "aws4_request"]
            .iter()
            .fold(secret.into_bytes(), |key, part| hmac(&key, part));
        let signature = hex(&hmac(&key, &text));
        let id = self.access_key_id;
        format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nx-amz-date: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={headers}, Signature={signature}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.time,
            body.len()
        )
    }
}

/// The time as signatures have it.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
