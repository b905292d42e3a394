//! No text makes the verifier panic, and no refusal tells a secret.

use http::Request;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::known::{SECRET, then, verified};

/// Words of the protocol in no order, so that parsers get further than with noise.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "AWS4-HMAC-SHA256 ",
            "AWS4-ECDSA-P256-SHA256 ",
            "Credential=",
            "SignedHeaders=",
            "Signature=",
            "AKIDEXAMPLE/20150830/eu-central-1/appmesh/aws4_request",
            "/aws4_request",
            "host",
            ";",
            "x-amz-date",
            ", ",
            ",",
            "=",
            "20150830T123600Z",
            "Sun, 30 Aug 2015 12:36:00 GMT",
            "604800",
            "-1",
            "%",
            "%2F",
            "+",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,4}",
    ];
    vec(word, 0..9).prop_map(|words| words.concat())
}

fn is_in_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%+=&/;,:".contains(&byte)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_request_makes_it_panic(
        headers in vec((prop::sample::select(vec![
            "authorization", "host", "date", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
        ]), words()), 0..6),
        query in vec((prop::sample::select(vec![
            "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
            "X-Amz-Signature", "X-Amz-Security-Token", "",
        ]), words()), 0..8),
        bytes in vec(any::<u8>().prop_filter("in a value", |byte| *byte >= 32 && *byte != 127), 0..20),
        path in "/[!-~&&[^?#<>{}^`|\"\\\\]]{0,20}",
    ) {
        let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query: String = pairs.join("&").chars().filter(|char| char.is_ascii() && is_in_uri(*char as u8)).collect();
        let request = Request::builder().uri(format!("{path}?{query}")).header("x-amz-bytes", bytes);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let refusal = verified(request.body(Vec::new()).unwrap(), then()).unwrap_err();
        prop_assert!(!refusal.to_string().contains(SECRET));
        prop_assert!((400..500).contains(&refusal.status()));
    }
}
