//! What a request says about its signature, before anything of it is believed.
//!
//! There are two places to say it: the `Authorization` header, and for a presigned URL the query.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE};
use jiff::Timestamp;

use crate::query::Query;
use crate::signature::{Scope, TERMINATOR};
use crate::{Refusal, moment};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const ASYMMETRIC: &str = "AWS4-ECDSA-P256-SHA256";
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The parameter of a presigned URL that is not part of what it signs.
pub(crate) const SIGNATURE: &str = "X-Amz-Signature";

#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) access_key_id: String,
    pub(crate) scope: Scope,
    /// Their lower-case names, as they were signed.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
    pub(crate) signed_at: Timestamp,
    pub(crate) session_token: Option<String>,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Header,
    Query { lifetime: Duration },
}

impl Claim {
    pub(crate) fn read(headers: &HeaderMap, query: &Query) -> Result<Self, Refusal> {
        let is_presigned = ["X-Amz-Algorithm", "X-Amz-Credential", SIGNATURE]
            .iter()
            .any(|name| query.has(name));
        match (headers.contains_key(AUTHORIZATION), is_presigned) {
            (false, false) => Err(Refusal::Unsigned),
            (true, true) => Err(Refusal::SignedTwice),
            (true, false) => Self::in_header(headers),
            (false, true) => Self::in_query(query),
        }
    }

    fn in_header(headers: &HeaderMap) -> Result<Self, Refusal> {
        let header = one_header(headers, "authorization")?.unwrap_or_default();
        let (algorithm, parameters) = header.split_once(' ').unwrap_or((header, ""));
        check_algorithm(algorithm)?;
        let parameters = Parameters(parameters);
        let (access_key_id, scope) = credential(parameters.one("Credential")?)?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: header_names(parameters.one("SignedHeaders")?)?,
            signature: parameters.one("Signature")?.to_owned(),
            signed_at: signed_at(headers)?,
            session_token: one_header(headers, "x-amz-security-token")?.map(str::to_owned),
            place: Place::Header,
        })
    }

    fn in_query(query: &Query) -> Result<Self, Refusal> {
        check_algorithm(&required(query, "X-Amz-Algorithm")?)?;
        let (access_key_id, scope) = credential(&required(query, "X-Amz-Credential")?)?;
        let date = required(query, "X-Amz-Date")?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: header_names(&required(query, "X-Amz-SignedHeaders")?)?,
            signature: required(query, SIGNATURE)?,
            signed_at: moment::basic(&date)
                .ok_or_else(|| malformed("X-Amz-Date", &date, BASIC_DATE))?,
            session_token: one_parameter(query, "X-Amz-Security-Token")?,
            place: Place::Query {
                lifetime: lifetime(&required(query, "X-Amz-Expires")?)?,
            },
        })
    }
}

/// The parts of an `Authorization` header: `Name=value` with commas and spaces between them.
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    fn one(&self, name: &'static str) -> Result<&'a str, Refusal> {
        let pairs = self
            .0
            .split(',')
            .filter_map(|pair| pair.trim().split_once('='));
        let found = pairs
            .filter(|(each, _)| *each == name)
            .map(|(_, value)| value);
        single(name, found)?.ok_or(Refusal::Lacks(name))
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), Refusal> {
    match algorithm {
        ALGORITHM => Ok(()),
        ASYMMETRIC => Err(Refusal::Asymmetric),
        other => Err(Refusal::Algorithm(other.to_owned())),
    }
}

/// `AKID/20150830/us-east-1/appmesh/aws4_request`. A slash within the key id is its own.
fn credential(text: &str) -> Result<(String, Scope), Refusal> {
    let parts: Vec<&str> = text.rsplitn(5, '/').collect();
    let [TERMINATOR, service, region, day, access_key_id] = parts[..] else {
        let form = "<access key id>/<date>/<region>/<service>/aws4_request";
        return Err(malformed("Credential", text, form));
    };
    let scope = Scope {
        day: day.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    };
    Ok((access_key_id.to_owned(), scope))
}

fn header_names(text: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = text.split(';').map(str::to_owned).collect();
    let is_name = |name: &String| !name.is_empty() && *name == name.to_ascii_lowercase();
    if !names.iter().all(is_name) || !names.is_sorted_by(|one, next| one < next) {
        let form = "a sorted list of lower-case header names with semicolons between them";
        return Err(malformed("SignedHeaders", text, form));
    }
    Ok(names)
}

const BASIC_DATE: &str = "a date such as 20150830T123600Z";

/// `x-amz-date` wins, since not every client may set `date`.
fn signed_at(headers: &HeaderMap) -> Result<Timestamp, Refusal> {
    if let Some(date) = one_header(headers, "x-amz-date")? {
        return moment::basic(date).ok_or_else(|| malformed("x-amz-date", date, BASIC_DATE));
    }
    let date = one_header(headers, DATE.as_str())?;
    let date = date.ok_or(Refusal::Lacks("a date: an x-amz-date or date header"))?;
    moment::basic_or_http(date).ok_or_else(|| malformed("date", date, BASIC_DATE))
}

fn lifetime(text: &str) -> Result<Duration, Refusal> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds
        .filter(|lifetime| (Duration::from_secs(1)..=LONGEST_LIFETIME).contains(lifetime))
        .ok_or_else(|| {
            malformed(
                "X-Amz-Expires",
                text,
                "a number of seconds from 1 to 604800",
            )
        })
}

/// A header that makes no sense twice.
fn one_header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = single(name, headers.get_all(name).iter())? else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| {
        let given = String::from_utf8_lossy(value.as_bytes());
        malformed(name, &given, "visible ASCII text")
    })?;
    Ok(Some(text.trim()))
}

fn one_parameter(query: &Query, name: &'static str) -> Result<Option<String>, Refusal> {
    Ok(single(name, query.all(name))?.map(std::borrow::Cow::into_owned))
}

fn required(query: &Query, name: &'static str) -> Result<String, Refusal> {
    one_parameter(query, name)?.ok_or(Refusal::Lacks(name))
}

fn single<T>(name: &'static str, mut found: impl Iterator<Item = T>) -> Result<Option<T>, Refusal> {
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(Refusal::Repeated(name)),
    }
}

fn malformed(part: &'static str, given: &str, form: &'static str) -> Refusal {
    Refusal::Malformed {
        part,
        given: given.to_owned(),
        form,
    }
}
