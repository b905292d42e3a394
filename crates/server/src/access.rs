//! Who may do what with the App Mesh API.
//!
//! With credentials configured, every request carries a Signature Version 4 of one of them. Without, anybody
//! on this machine may call, signed or not; but a web page that a browser of this machine shows is not its
//! user. Such a page can send requests to loopback, directly or through a name that it lets resolve to
//! 127.0.0.1 (DNS rebinding). Both betray themselves: the browser adds the page's `Origin`, or the `Host`
//! is the page's name. So a tolerant server takes only hosts that are this machine, and no foreign origin.

use std::net::IpAddr;
use std::time::SystemTime;

use appmesh::Operation;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use sigv4::Verifier;

use crate::configuration::{Access, Configuration, Credentials};

/// The service's name in a signature's scope.
const SERVICE: &str = "appmesh";

#[derive(Debug)]
pub(crate) struct Gate {
    credentials: Credentials,
    verifier: Verifier,
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody asked who it is.
    Local,
    Key(String),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Signature(#[from] sigv4::Refusal),
    #[error(
        "the access key {access_key_id} is configured as readOnly and may not call {operation}; use a readWrite key"
    )]
    ReadOnly {
        access_key_id: String,
        operation: &'static str,
    },
    #[error(
        "the request is for the host {given:?}, which is not this machine: call the API as 127.0.0.1 or localhost, or configure credentials"
    )]
    ForeignHost { given: String },
    #[error(
        "the request comes from a web page ({given:?}): without credentials, the API takes none from pages"
    )]
    ForeignOrigin { given: String },
}

impl Refused {
    /// The error type by which clients know it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Signature(refusal) => refusal.name(),
            Self::ReadOnly { .. } => "AccessDeniedException",
            Self::ForeignHost { .. } | Self::ForeignOrigin { .. } => "ForbiddenException",
        }
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Signature(refusal) => refusal.status(),
            _ => 403,
        }
    }
}

impl Gate {
    pub(crate) fn new(configuration: &Configuration, credentials: Credentials) -> Self {
        let mut verifier = Verifier::new(configuration.region.to_string(), SERVICE);
        verifier.skew = configuration.clock_skew.0;
        Self {
            credentials,
            verifier,
        }
    }

    /// Finds out who calls, and that they may.
    pub(crate) fn admit(
        &self,
        request: &Parts,
        body: &[u8],
        operation: Option<Operation>,
        now: SystemTime,
    ) -> Result<Caller, Refused> {
        if self.credentials.is_empty() {
            check_is_no_page(&request.uri, &request.headers)?;
            return Ok(Caller::Local);
        }
        let credential = |id: &str| self.credentials.get(id).map(|known| &known.credential);
        let signer = self.verifier.verify(request, body, credential, now)?;
        let access_key_id = signer.access_key_id;
        let access = self
            .credentials
            .get(&access_key_id)
            .map(|known| known.access);
        match operation {
            Some(operation) if !operation.is_read_only() && access != Some(Access::ReadWrite) => {
                let operation = operation.name();
                Err(Refused::ReadOnly {
                    access_key_id,
                    operation,
                })
            }
            _ => Ok(Caller::Key(access_key_id)),
        }
    }
}

/// Refuses what a web page of somebody else may have sent.
pub(crate) fn check_is_no_page(uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let host = match uri.authority() {
        Some(authority) => authority.to_string(),
        None => headers.get(HOST).map(text).unwrap_or_default(),
    };
    if !is_this_machine(&host) {
        return Err(Refused::ForeignHost { given: host });
    }
    let origins = headers.get_all(ORIGIN).iter().map(text);
    let own = [format!("http://{host}"), format!("https://{host}")];
    match origins.into_iter().find(|origin| !own.contains(origin)) {
        Some(given) => Err(Refused::ForeignOrigin { given }),
        None => Ok(()),
    }
}

fn is_this_machine(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        check_is_no_page(&Uri::from_static("/v20190125/meshes"), &headers)
    }

    #[test]
    fn hosts_that_are_this_machine_pass() {
        for host in [
            "127.0.0.1:7470",
            "127.0.0.1",
            "127.1.2.3:80",
            "localhost:7470",
            "LOCALHOST",
            "[::1]:7470",
            "[::1]",
        ] {
            assert!(check(host, None).is_ok(), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for host in [
            "",
            "attacker.example:7470",
            "127.0.0.1.attacker.example",
            "localhost.attacker.example",
            "192.168.1.2:7470",
            "0.0.0.0:7470",
            "attacker.example:127.0.0.1",
        ] {
            let refused = check(host, None);
            assert!(
                matches!(refused, Err(Refused::ForeignHost { .. })),
                "{host}"
            );
        }
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let host = "127.0.0.1:7470";
        assert!(check(host, Some("http://127.0.0.1:7470")).is_ok());
        for origin in [
            "null",
            "http://attacker.example",
            "http://127.0.0.1:8080",
            "http://127.0.0.1:7470.attacker.example",
        ] {
            let refused = check(host, Some(origin));
            assert!(
                matches!(refused, Err(Refused::ForeignOrigin { .. })),
                "{origin}"
            );
        }
    }
}
