//! What requests a route takes, and which route is tried first.

use model::spec::{self, GatewayRouteSpec, HeaderMatchMethod, HttpMethod, HttpScheme, RouteSpec};

use crate::{HeaderMatch, PathMatch, QueryMatch, RequestMatch, ValueMatch};

/// Sorts routes into match order: priority 0 first and none last; then the longest path, an exact one
/// before an expression before a prefix; then the most conditions; then by name, so that it is total.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    priority: i32,
    shortness: std::cmp::Reverse<usize>,
    kind: u8,
    looseness: std::cmp::Reverse<usize>,
    name: String,
}

impl Order {
    pub(super) fn of(priority: Option<i32>, matches: &RequestMatch, name: &str) -> Self {
        let (kind, length) = match &matches.path {
            PathMatch::Exact(path) => (0, path.len()),
            PathMatch::Regex(path) => (1, path.len()),
            PathMatch::Prefix(path) => (2, path.len()),
        };
        let conditions = matches.headers.len()
            + matches.query.len()
            + usize::from(matches.method.is_some())
            + usize::from(matches.scheme.is_some());
        Self {
            priority: priority.unwrap_or(i32::MAX),
            shortness: std::cmp::Reverse(length),
            kind,
            looseness: std::cmp::Reverse(conditions),
            name: name.to_owned(),
        }
    }
}

pub(super) fn everything() -> RequestMatch {
    RequestMatch {
        path: PathMatch::Prefix("/".to_owned()),
        method: None,
        scheme: None,
        headers: Vec::new(),
        query: Vec::new(),
    }
}

pub(super) fn route(spec: &RouteSpec) -> RequestMatch {
    if let Some(http) = spec.http_route.as_ref().or(spec.http2_route.as_ref()) {
        let matches = &http.matches;
        return RequestMatch {
            path: path(matches.prefix.as_ref(), matches.path.as_ref()),
            method: matches.method.map(method),
            scheme: matches.scheme.map(scheme),
            headers: headers(matches.headers.as_deref()),
            query: query(matches.query_parameters.as_deref()),
        };
    }
    match &spec.grpc_route {
        Some(grpc) => RequestMatch {
            path: grpc_path(
                grpc.matches.service_name.as_deref(),
                grpc.matches.method_name.as_deref(),
            ),
            headers: headers(grpc.matches.metadata.as_deref()),
            ..everything()
        },
        None => everything(),
    }
}

pub(super) fn gateway_route(spec: &GatewayRouteSpec) -> RequestMatch {
    if let Some(http) = spec.http_route.as_ref().or(spec.http2_route.as_ref()) {
        let matches = &http.matches;
        return RequestMatch {
            path: path(matches.prefix.as_ref(), matches.path.as_ref()),
            method: matches.method.map(method),
            scheme: None,
            headers: headers(matches.headers.as_deref()),
            query: query(matches.query_parameters.as_deref()),
        };
    }
    match &spec.grpc_route {
        Some(grpc) => RequestMatch {
            path: grpc_path(grpc.matches.service_name.as_deref(), None),
            headers: headers(grpc.matches.metadata.as_deref()),
            ..everything()
        },
        None => everything(),
    }
}

/// A match that names no path takes every path.
fn path(prefix: Option<&String>, path: Option<&spec::PathMatch>) -> PathMatch {
    let exact = path
        .and_then(|path| path.exact.clone())
        .map(PathMatch::Exact);
    let regex = || {
        path.and_then(|path| path.regex.clone())
            .map(PathMatch::Regex)
    };
    exact
        .or_else(regex)
        .unwrap_or_else(|| PathMatch::Prefix(prefix.map_or("/", String::as_str).to_owned()))
}

/// gRPC's path is `/package.Service/Method` (gRPC over HTTP/2, "Requests").
fn grpc_path(service: Option<&str>, method: Option<&str>) -> PathMatch {
    match (service, method) {
        (Some(service), Some(method)) => PathMatch::Exact(format!("/{service}/{method}")),
        (Some(service), None) => PathMatch::Prefix(format!("/{service}/")),
        (None, _) => PathMatch::Prefix("/".to_owned()),
    }
}

fn headers(matches: Option<&[spec::HeaderMatch]>) -> Vec<HeaderMatch> {
    let header = |header: &spec::HeaderMatch| HeaderMatch {
        // Field names are case-insensitive (RFC 9110, 5.1).
        name: header.name.to_ascii_lowercase(),
        invert: header.invert == Some(true),
        value: header.method.as_ref().map_or(ValueMatch::Present, value),
    };
    matches.unwrap_or_default().iter().map(header).collect()
}

fn value(method: &HeaderMatchMethod) -> ValueMatch {
    match method {
        HeaderMatchMethod::Exact(text) => ValueMatch::Exact(text.clone()),
        HeaderMatchMethod::Prefix(text) => ValueMatch::Prefix(text.clone()),
        HeaderMatchMethod::Suffix(text) => ValueMatch::Suffix(text.clone()),
        HeaderMatchMethod::Regex(text) => ValueMatch::Regex(text.clone()),
        HeaderMatchMethod::Range(range) => ValueMatch::Range {
            start: range.start,
            end: range.end,
        },
    }
}

fn query(matches: Option<&[spec::QueryParameter]>) -> Vec<QueryMatch> {
    let parameter = |parameter: &spec::QueryParameter| QueryMatch {
        name: parameter.name.clone(),
        exact: parameter
            .matches
            .as_ref()
            .and_then(|matches| matches.exact.clone()),
    };
    matches.unwrap_or_default().iter().map(parameter).collect()
}

fn method(method: HttpMethod) -> String {
    let name = match method {
        HttpMethod::Get => "GET",
        HttpMethod::Head => "HEAD",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Connect => "CONNECT",
        HttpMethod::Options => "OPTIONS",
        HttpMethod::Trace => "TRACE",
        HttpMethod::Patch => "PATCH",
    };
    name.to_owned()
}

fn scheme(scheme: HttpScheme) -> String {
    match scheme {
        HttpScheme::Http => "http".to_owned(),
        HttpScheme::Https => "https".to_owned(),
    }
}
