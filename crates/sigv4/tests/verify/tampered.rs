//! Whatever is changed in a signed request, it is refused.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use proptest::prelude::*;

use crate::known::{then, verified};
use crate::rust_signer::{Draft, drafts};

type Tampering = fn(&mut Request<Vec<u8>>) -> bool;

/// Each does its deed, or says that there is nothing in this request to do it to.
const TAMPERINGS: [(&str, Tampering); 21] = [
    ("another method", |request| {
        *request.method_mut() = match *request.method() {
            Method::GET => Method::DELETE,
            _ => Method::GET,
        };
        true
    }),
    ("a segment more", |request| {
        in_path(request, |path| format!("{path}/x"))
    }),
    ("a segment less", |request| {
        in_path(request, |path| path.rsplit_once('/').unwrap().0.to_owned())
    }),
    ("an encoded byte changed", |request| {
        in_path(request, |path| path.replace("%2", "%3"))
    }),
    ("a slash where its code was", |request| {
        in_path(request, |path| path.replace("%2F", "/"))
    }),
    ("a code of a code", |request| {
        in_path(request, |path| path.replace('%', "%25"))
    }),
    ("a parameter more", |request| {
        in_query(request, |query| format!("{query}&meshOwner=1"))
    }),
    ("an empty parameter more", |request| {
        in_query(request, |query| format!("limit=&{query}"))
    }),
    ("a parameter less", |request| {
        in_query(request, |query| match query.split_once('&') {
            Some((_, rest)) => rest.to_owned(),
            None => String::new(),
        })
    }),
    ("another value", |request| {
        in_query(request, |query| query.replacen('=', "=1", 1))
    }),
    ("another name", |request| {
        in_query(request, |query| query.replacen('=', "1=", 1))
    }),
    ("another host", |request| {
        if request.headers().contains_key("host") {
            request
                .headers_mut()
                .insert("host", HeaderValue::from_static("example.com"));
            return true;
        }
        let uri = request.uri().to_string();
        let (_, path) = uri.split_once("//").unwrap().1.split_once('/').unwrap();
        *request.uri_mut() = format!("http://example.com/{path}").parse().unwrap();
        true
    }),
    ("another value of a signed header", |request| {
        let Some(name) = a_header(request) else {
            return false;
        };
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("something else"));
        true
    }),
    ("a second value of a signed header", |request| {
        let Some(name) = a_header(request) else {
            return false;
        };
        request
            .headers_mut()
            .append(name, HeaderValue::from_static("more"));
        true
    }),
    ("a signed header removed", |request| {
        let Some(name) = a_header(request) else {
            return false;
        };
        request.headers_mut().remove(name);
        true
    }),
    ("an x-amz header added", |request| {
        request
            .headers_mut()
            .append("x-amz-target", HeaderValue::from_static("DeleteMesh"));
        true
    }),
    ("a byte more in the body", |request| {
        request.body_mut().push(b' ');
        true
    }),
    ("a byte changed in the body", |request| {
        let Some(byte) = request.body_mut().first_mut() else {
            return false;
        };
        *byte ^= 1;
        true
    }),
    ("another moment", |request| {
        in_signature(request, "T123600Z", "T123601Z")
    }),
    ("another region", |request| {
        in_signature(request, "eu-central-1", "eu-central-2")
    }),
    ("another signature", |request| {
        in_signature(request, "Signature=0", "Signature=1")
            || in_signature(request, "Signature=", "Signature=0")
    }),
];

const MORE_OF_THE_CLAIM: [(&str, &str); 6] = [
    ("AKIDEXAMPLE", "another/key"),
    ("temporary", "AKIDEXAMPLE"),
    ("appmesh", "ecs"),
    ("20150830", "20150831"),
    ("host", "host;host"),
    ("Expires=900", "Expires=901"),
];

fn in_path(request: &mut Request<Vec<u8>>, change: impl Fn(&str) -> String) -> bool {
    let before = request.uri().path().to_owned();
    let after = change(&before);
    // A path of nothing is the same path as a slash.
    let after = if after.is_empty() {
        "/".to_owned()
    } else {
        after
    };
    replace(request, &before, &after, request_query(request))
}

fn in_query(request: &mut Request<Vec<u8>>, change: impl Fn(&str) -> String) -> bool {
    let path = request.uri().path().to_owned();
    let before = request_query(request);
    let after = change(&before);
    if before == after {
        return false;
    }
    replace(request, "", &path, after)
}

fn request_query(request: &Request<Vec<u8>>) -> String {
    request.uri().query().unwrap_or_default().to_owned()
}

fn replace(request: &mut Request<Vec<u8>>, before: &str, after: &str, query: String) -> bool {
    let host = request.uri().authority().unwrap();
    let uri: Uri = format!("http://{host}{after}?{query}").parse().unwrap();
    *request.uri_mut() = uri;
    before != after
}

/// The first of the headers that the draft brought.
fn a_header(request: &Request<Vec<u8>>) -> Option<HeaderName> {
    let mut names = request.headers().keys();
    let own = |name: &&HeaderName| {
        name.as_str().starts_with("x-") && !name.as_str().starts_with("x-amz-")
    };
    names.find(own).cloned()
}

/// Wherever the request claims something about its signature.
fn in_signature(request: &mut Request<Vec<u8>>, before: &str, after: &str) -> bool {
    let mut is_changed = false;
    for name in ["authorization", "x-amz-date"] {
        if let Some(value) = request.headers_mut().get_mut(name) {
            let text = value.to_str().unwrap().replacen(before, after, 1);
            is_changed |= *value != text;
            *value = text.parse().unwrap();
        }
    }
    let encoded = |text: &str| text.replace('/', "%2F").replace(';', "%3B");
    let (before, after) = (encoded(before), encoded(after));
    in_query(request, |query| match query.find("X-Amz-Algorithm") {
        Some(at) => format!("{}{}", &query[..at], query[at..].replace(&before, &after)),
        None => query.to_owned(),
    }) || is_changed
}

fn check(draft: &Draft, what: &str, tamper: impl Fn(&mut Request<Vec<u8>>) -> bool) {
    let mut request = draft.signed(then());
    if !tamper(&mut request) {
        return;
    }
    let told = format!("{request:?}");
    let outcome = verified(request, then() + Duration::from_secs(1));
    assert!(outcome.is_err(), "{what}: {told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_request_is_refused(draft in drafts()) {
        for (what, tamper) in TAMPERINGS {
            check(&draft, what, tamper);
        }
        for (before, after) in MORE_OF_THE_CLAIM {
            let what = format!("{before} -> {after}");
            check(&draft, &what, |request| in_signature(request, before, after));
        }
    }
}
