//! Requests of all kinds, signed by AWS's Rust signer.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::known::{KEY, SECRET, TOKEN, then, verified};

/// What is to be signed, and how.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) method: &'static str,
    pub(crate) host: String,
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) is_presigned: bool,
    pub(crate) has_token: bool,
    pub(crate) has_payload_header: bool,
    /// In HTTP/2 the target names the host, and no header does.
    pub(crate) has_host_header: bool,
}

pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    let method = prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "PATCH"]);
    let host = prop_oneof![
        "[a-z]{1,8}\\.local(:[1-9][0-9]{3})?",
        Just("[::1]:8080".to_owned())
    ];
    // A segment of dots is not a name but a way, for signers as well.
    let segment = "\\PC{1,12}".prop_filter("a name", |name| name != "." && name != "..");
    let query = vec(("\\PC{0,8}", "\\PC{0,12}"), 0..4);
    let header = ("x-[a-z]{1,8}", "[!-~]{0,6}( {1,3}[!-~]{1,6}){0,2}");
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (
        (method, host, vec(segment, 0..6)),
        (query, vec(header, 0..4), vec(any::<u8>(), 0..64)),
        flags,
    )
        .prop_map(|(target, content, flags)| Draft {
            method: target.0,
            host: target.1,
            segments: target.2,
            query: content.0,
            headers: content.1,
            body: content.2,
            is_presigned: flags.0,
            has_token: flags.1,
            has_payload_header: flags.2 && !flags.0,
            has_host_header: flags.3,
        })
}

impl Draft {
    pub(crate) fn key(&self) -> &'static str {
        if self.has_token { "temporary" } else { KEY }
    }

    pub(crate) fn signed(&self, at: SystemTime) -> Request<Vec<u8>> {
        let (secret, token) = match self.has_token {
            false => (SECRET, None),
            true => ("a secret for an hour", Some(TOKEN.to_owned())),
        };
        let credentials = Credentials::new(self.key(), secret, token, None, "test");
        signed_as(self, credentials, at)
    }

    fn request(&self) -> Request<Vec<u8>> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let segments: Vec<_> = self.segments.iter().map(|name| encoded(name)).collect();
        let pairs = self.query.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let query = if pairs.is_empty() { "" } else { "?" };
        let (host, path) = (&self.host, segments.join("/"));
        let uri = format!("http://{host}/{path}{query}{}", pairs.join("&"));
        let mut request = Request::builder().method(self.method).uri(uri);
        if self.has_host_header {
            request = request.header("host", host);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.clone()).unwrap()
    }
}

pub(crate) fn signed_as(
    draft: &Draft,
    credentials: Credentials,
    at: SystemTime,
) -> Request<Vec<u8>> {
    let mut request = draft.request();
    let mut settings = SigningSettings::default();
    if draft.is_presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(900));
    }
    if draft.has_payload_header {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("appmesh")
        .time(at)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request.headers().iter();
    let signable = SignableRequest::new(
        draft.method,
        request.uri().to_string(),
        headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())),
        SignableBody::Bytes(&draft.body),
    );
    let (instructions, _) = sign(signable.unwrap(), &parameters).unwrap().into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_the_rust_signer_signs_verifies(draft in drafts(), age in -299i64..=299) {
        let signed = draft.signed(then());
        let now = match age {
            0.. => then() + Duration::from_secs(age.unsigned_abs()),
            _ => then() - Duration::from_secs(age.unsigned_abs()),
        };
        let signer = verified(signed, now);
        prop_assert_eq!(signer.map(|signer| signer.access_key_id), Ok(draft.key().to_owned()));
    }
}
