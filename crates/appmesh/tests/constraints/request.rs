//! An input as the HTTP request that a client makes of it.

use bytes::Bytes;
use http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::service::{Location, Operation, Service};

/// A member that the input shape does not have goes into the body.
pub(crate) fn of(service: &Service, operation: &Operation, input: &Value) -> Request<Bytes> {
    let shape = service.shape(&operation.input);
    let mut path = operation.http.request_uri.clone();
    let mut query = Vec::new();
    let mut body = Map::new();
    for (name, value) in input.as_object().unwrap() {
        let location = shape.members.get(name).map(|member| member.location);
        match location.unwrap_or_default() {
            Location::Label => path = path.replace(&format!("{{{name}}}"), &encoded(value)),
            Location::Query => query.push(format!("{name}={}", encoded(value))),
            Location::Body => drop(body.insert(name.clone(), value.clone())),
        }
    }
    // A label that is missing leaves nothing in its place.
    for name in shape.members.keys() {
        path = path.replace(&format!("{{{name}}}"), "");
    }
    let body = match operation.http.method.as_str() {
        "GET" | "DELETE" if body.is_empty() => Bytes::new(),
        _ => Bytes::from(Value::Object(body).to_string()),
    };
    Request::builder()
        .method(operation.http.method.as_str())
        .uri(format!("{path}?{}", query.join("&")))
        .body(body)
        .unwrap()
}

fn encoded(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
}
