//! Each refusal: the request that earns it, and what a client reads.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use http::{HeaderValue, Request};
use sigv4::{Credential, Refusal, Secret};

use crate::known::{KEY, SECRET, TOKEN, then, verified};
use crate::rust_signer::{Draft, signed_as};

const SCOPE: &str = "20150830/eu-central-1/appmesh/aws4_request";

fn draft() -> Draft {
    Draft {
        method: "GET",
        host: "127.0.0.1:8321".to_owned(),
        segments: vec!["v20190125".to_owned(), "meshes".to_owned()],
        query: Vec::new(),
        headers: Vec::new(),
        body: Vec::new(),
        is_presigned: false,
        has_token: false,
        has_payload_header: false,
        has_host_header: true,
    }
}

fn presigned() -> Draft {
    Draft {
        is_presigned: true,
        ..draft()
    }
}

/// The refusal of a request, with its error type and a part of its message.
fn refused(request: Request<Vec<u8>>, now: SystemTime, name: &str, message: &str) -> Refusal {
    let refusal = verified(request, now).unwrap_err();
    assert_eq!(refusal.name(), name, "{refusal}");
    assert!(refusal.to_string().contains(message), "{refusal}");
    assert_eq!(refusal.status(), 403);
    refusal
}

fn with_header(name: &'static str, value: &str) -> Request<Vec<u8>> {
    let mut request = draft().signed(then());
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

fn with_query(change: impl Fn(&str) -> String) -> Request<Vec<u8>> {
    let mut request = presigned().signed(then());
    *request.uri_mut() = change(&request.uri().to_string()).parse().unwrap();
    request
}

#[test]
fn a_request_without_a_signature() {
    let request = Request::get("/").header("host", "a").body(Vec::new());
    let name = "MissingAuthenticationTokenException";
    refused(
        request.unwrap(),
        then(),
        name,
        "Missing Authentication Token",
    );
}

#[test]
fn headers_that_are_no_signature() {
    let lists = format!("Credential={KEY}/{SCOPE}, SignedHeaders=host;x-amz-date");
    for (authorization, message) in [
        ("Basic YTpi", "\"Basic\" is not supported"),
        ("AWS4-ECDSA-P256-SHA256 Credential=a", "4A"),
        ("AWS4-HMAC-SHA256", "lacks Credential"),
        ("", "\"\" is not supported"),
        (&format!("AWS4-HMAC-SHA256 {lists}"), "lacks Signature"),
        (
            &format!("AWS4-HMAC-SHA256 {lists}, Signature=1, Signature=1"),
            "more than one Signature",
        ),
        (
            &format!("AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}"),
            "lacks SignedHeaders",
        ),
        (
            &format!("AWS4-HMAC-SHA256 Credential={SCOPE}"),
            "Credential is malformed",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e",
            "Credential is malformed",
        ),
        (
            &format!("AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=Host, Signature=1"),
            "SignedHeaders is malformed",
        ),
        (
            &format!(
                "AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=x-b;host, Signature=1"
            ),
            "SignedHeaders is malformed",
        ),
        (
            &format!("AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=, Signature=1"),
            "SignedHeaders is malformed",
        ),
    ] {
        let request = with_header("authorization", authorization);
        refused(request, then(), "IncompleteSignatureException", message);
    }
}

#[test]
fn headers_that_come_twice() {
    for (name, message) in [
        ("authorization", "more than one authorization"),
        ("x-amz-date", "more than one x-amz-date"),
        ("host", "more than one Host header"),
    ] {
        let mut request = draft().signed(then());
        let value = request.headers()[name].clone();
        request.headers_mut().append(name, value);
        refused(request, then(), "IncompleteSignatureException", message);
    }
}

#[test]
fn dates() {
    let name = "IncompleteSignatureException";
    refused(
        with_header("x-amz-date", "2015-08-30"),
        then(),
        name,
        "x-amz-date is malformed",
    );
    let mut request = draft().signed(then());
    request.headers_mut().remove("x-amz-date");
    refused(request.clone(), then(), name, "lacks a date");
    request
        .headers_mut()
        .insert("date", HeaderValue::from_static("now"));
    refused(request, then(), name, "date is malformed");
}

#[test]
fn a_date_header_does_where_there_is_no_x_amz_date() {
    // The date is in what is signed, so here the signature is all that is wrong.
    for date in ["20150830T123600Z", "Sun, 30 Aug 2015 12:36:00 GMT"] {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=date;host, Signature=1"
        );
        let mut request = with_header("authorization", &authorization);
        request.headers_mut().remove("x-amz-date");
        request.headers_mut().insert("date", date.parse().unwrap());
        refused(
            request,
            then(),
            "InvalidSignatureException",
            "does not match",
        );
    }
}

#[test]
fn presigned_urls() {
    for (before, after, message) in [
        ("X-Amz-Expires=900", "X-Amz-Expires=0", "from 1 to 604800"),
        (
            "X-Amz-Expires=900",
            "X-Amz-Expires=604801",
            "from 1 to 604800",
        ),
        ("X-Amz-Expires=900", "X-Amz-Expires=-1", "from 1 to 604800"),
        (
            "X-Amz-Expires=900",
            "X-Amz-Expires=18446744073709551616",
            "from 1 to 604800",
        ),
        ("X-Amz-Expires=900", "a=900", "lacks X-Amz-Expires"),
        ("X-Amz-Date=", "a=", "lacks X-Amz-Date"),
        ("X-Amz-Date=2015", "X-Amz-Date=a", "X-Amz-Date is malformed"),
        (
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256",
            "4A",
        ),
        ("X-Amz-Algorithm=", "a=", "lacks X-Amz-Algorithm"),
        (
            "X-Amz-Credential=",
            "X-Amz-Credential=a&X-Amz-Credential=",
            "more than one X-Amz-Credential",
        ),
    ] {
        let request = with_query(|uri| uri.replace(before, after));
        refused(request, then(), "IncompleteSignatureException", message);
    }
    let mut request = presigned().signed(then());
    request.headers_mut().insert(
        "authorization",
        HeaderValue::from_static("AWS4-HMAC-SHA256 a"),
    );
    refused(request, then(), "IncompleteSignatureException", "both");
}

#[test]
fn another_scope() {
    for (before, after, message) in [
        (
            "eu-central-1",
            "us-east-1",
            "the region \"eu-central-1\", not \"us-east-1\"",
        ),
        ("appmesh", "ecs", "the service \"appmesh\", not \"ecs\""),
        (
            "20150830",
            "20150831",
            "the day of the request \"20150830\", not \"20150831\"",
        ),
    ] {
        let request = draft().signed(then());
        let authorization = request.headers()["authorization"].to_str().unwrap();
        let request = with_header("authorization", &authorization.replace(before, after));
        refused(request, then(), "InvalidSignatureException", message);
    }
}

#[test]
fn clocks_that_differ() {
    let minutes = |minutes| Duration::from_secs(minutes * 60);
    let second = Duration::from_secs(1);
    for (draft, first, last) in [
        (draft(), minutes(5), minutes(5)),
        (presigned(), minutes(5), minutes(15)),
    ] {
        let verify = |now| verified(draft.signed(then()), now);
        assert!(verify(then() - first).is_ok() && verify(then() + last).is_ok());
        let name = "InvalidSignatureException";
        let early = then() - first - second;
        refused(
            draft.signed(then()),
            early,
            name,
            "Signature not yet current",
        );
        let late = then() + last + second;
        refused(draft.signed(then()), late, name, "Signature expired");
        for extreme in [
            SystemTime::UNIX_EPOCH,
            then() + minutes(u64::from(u32::MAX)),
        ] {
            assert!(verify(extreme).is_err());
        }
    }
}

#[test]
fn what_must_be_signed() {
    let unsigned = |request: Request<Vec<u8>>, before: &str, after: &str| {
        let authorization = request.headers()["authorization"].to_str().unwrap();
        with_header("authorization", &authorization.replace(before, after))
    };
    let name = "InvalidSignatureException";
    let request = unsigned(draft().signed(then()), "host;", "");
    refused(
        request,
        then(),
        name,
        "\"host\" must be among the SignedHeaders",
    );
    let request = unsigned(draft().signed(then()), ";x-amz-date", "");
    refused(request, then(), name, "\"x-amz-date\" must be");
    let request = unsigned(draft().signed(then()), ";x-amz-date", ";x-amz-date;x-b");
    refused(request, then(), name, "no such header");
    let mut request = presigned().signed(then());
    let agent = HeaderValue::from_static("a browser");
    request.headers_mut().insert("x-amz-user-agent", agent);
    assert!(verified(request, then()).is_ok());
}

#[test]
fn one_host() {
    let mut request = draft().signed(then());
    *request.uri_mut() = "http://elsewhere/v20190125/meshes".parse().unwrap();
    refused(
        request,
        then(),
        "InvalidSignatureException",
        "is for \"elsewhere\"",
    );
    let mut request = draft().signed(then());
    *request.uri_mut() = "/v20190125/meshes".parse().unwrap();
    assert!(verified(request.clone(), then()).is_ok(), "the origin form");
    request.headers_mut().remove("host");
    refused(
        request,
        then(),
        "InvalidSignatureException",
        "no such header",
    );
}

#[test]
fn payloads() {
    let name = "InvalidSignatureException";
    for (stated, message) in [
        ("UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD is not supported"),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "signed in chunks"),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "signed in chunks"),
        ("e3b0c442", "not the one that was signed"),
    ] {
        let mut signed = Draft {
            has_payload_header: true,
            ..draft()
        }
        .signed(then());
        let header = HeaderValue::from_str(stated).unwrap();
        signed.headers_mut().insert("x-amz-content-sha256", header);
        refused(signed, then(), name, message);
    }
}

#[test]
fn keys_and_tokens() {
    let sign = |key, secret, token: Option<&str>, is_presigned| {
        let credentials = Credentials::new(key, secret, token.map(str::to_owned), None, "test");
        let draft = Draft {
            is_presigned,
            ..draft()
        };
        signed_as(&draft, credentials, then())
    };
    let hour = "a secret for an hour";
    for is_presigned in [false, true] {
        for (key, secret, token, name, message) in [
            (
                "unknown",
                SECRET,
                None,
                "UnrecognizedClientException",
                "not known here",
            ),
            (
                "",
                "",
                None,
                "UnrecognizedClientException",
                "not known here",
            ),
            (
                KEY,
                "wrong",
                None,
                "InvalidSignatureException",
                "does not match",
            ),
            (KEY, "", None, "InvalidSignatureException", "does not match"),
            (
                KEY,
                SECRET,
                Some("a token"),
                "UnrecognizedClientException",
                "has no session token",
            ),
            (
                "temporary",
                hour,
                None,
                "UnrecognizedClientException",
                "needs its session token",
            ),
            (
                "temporary",
                hour,
                Some("wrong"),
                "UnrecognizedClientException",
                "needs its session",
            ),
            (
                "temporary",
                "wrong",
                Some(TOKEN),
                "InvalidSignatureException",
                "does not match",
            ),
            (
                "temporary",
                "wrong",
                None,
                "InvalidSignatureException",
                "does not match",
            ),
        ] {
            let request = sign(key, secret, token, is_presigned);
            refused(request, then(), name, message);
        }
        assert!(
            verified(
                sign("another/key", "its secret", None, is_presigned),
                then()
            )
            .is_ok()
        );
        assert!(verified(sign("temporary", hour, Some(TOKEN), is_presigned), then()).is_ok());
    }
}

#[test]
fn a_secret_is_not_shown() {
    let credential = Credential {
        secret_access_key: Secret::from(SECRET.to_owned()),
        session_token: Some(Secret::from(TOKEN.to_owned())),
    };
    let shown = format!("{credential:?} {credential:#?}");
    assert!(!shown.contains(SECRET) && !shown.contains(TOKEN), "{shown}");
}
