//! Errors as App Mesh answers them: a status, the type in a header, and a message.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::json;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The answer for one of App Mesh's ten error types.
pub fn refusal(error: &model::Error) -> Response<Bytes> {
    refusal_named(error.kind.status(), error.kind.name(), &error.message)
}

/// The answer for an error that is common to AWS's services, such as `InvalidSignatureException`.
///
/// A status that HTTP does not have becomes 500, a name that fits no header is left out.
pub fn refusal_named(status: u16, name: &str, message: &str) -> Response<Bytes> {
    let body = json!({ "message": message }).to_string();
    let mut response = json_response(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(name) = HeaderValue::from_str(name) {
        response.headers_mut().insert(ERROR_TYPE, name);
    }
    response
}

/// A body of JSON with status 200.
pub(crate) fn json_response(body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
