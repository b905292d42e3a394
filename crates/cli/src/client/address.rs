//! Where the server is: told by `--server`, or by the file that a running server leaves in its state.

use std::path::{Path, PathBuf};

use server::{Layout, Presence};

/// The variable that holds the token of a server named by `--server`.
pub const TOKEN: &str = "SERIN_TOKEN";

#[derive(Clone, Debug)]
pub struct Address {
    pub url: String,
    pub token: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("no server runs here: there is no {}", record.display())]
    NoServer { record: PathBuf },
    #[error("could not read {}", record.display())]
    Unreadable {
        record: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not understood", record.display())]
    Foreign {
        record: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("`{url}` is no address of a server: write http://, a host and a port")]
    BadUrl { url: String },
}

impl Address {
    /// The server named by `url`, else the one that runs on the state in `state`.
    pub fn find(url: Option<&str>, state: &Path) -> Result<Self, AddressError> {
        let here = Self::recorded(state);
        let Some(url) = url else {
            return here;
        };
        let url = url.trim_end_matches('/').to_owned();
        if authority(&url).is_none() {
            return Err(AddressError::BadUrl { url });
        }
        let here = here.ok().filter(|here| here.url == url);
        Ok(Self {
            token: std::env::var(TOKEN)
                .ok()
                .or(here.and_then(|here| here.token)),
            url,
        })
    }

    fn recorded(state: &Path) -> Result<Self, AddressError> {
        let record = Layout::new(state).presence();
        let text = std::fs::read_to_string(&record).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => AddressError::NoServer {
                record: record.clone(),
            },
            _ => AddressError::Unreadable {
                record: record.clone(),
                source,
            },
        })?;
        let found: Presence = serde_json::from_str(&text)
            .map_err(|source| AddressError::Foreign { record, source })?;
        if authority(&found.api).is_none() {
            return Err(AddressError::BadUrl { url: found.api });
        }
        Ok(Self {
            url: found.api,
            token: Some(found.token),
        })
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        authority(&self.url).unwrap_or(&self.url)
    }
}

fn authority(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("http://")?;
    let (host, port) = authority.rsplit_once(':')?;
    let whole = !host.is_empty() && !authority.contains(['/', '@', ' ']);
    (whole && port.parse::<u16>().is_ok()).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_its_record() {
        let state = tempfile::tempdir().unwrap();
        let missing = Address::find(None, state.path()).unwrap_err();
        assert!(matches!(missing, AddressError::NoServer { .. }));

        let record = r#"{"api":"http://127.0.0.1:4000","token":"secret","pid":7,"gateway":"http://127.0.0.1:8080"}"#;
        std::fs::write(state.path().join("server.json"), record).unwrap();
        let found = Address::find(None, state.path()).unwrap();
        assert_eq!(
            (found.authority(), found.token.as_deref()),
            ("127.0.0.1:4000", Some("secret"))
        );

        let elsewhere = Address::find(Some("http://127.0.0.1:4001/"), state.path()).unwrap();
        assert_eq!(
            (elsewhere.authority(), elsewhere.token.as_deref()),
            ("127.0.0.1:4001", None)
        );

        std::fs::write(state.path().join("server.json"), "{}").unwrap();
        let foreign = Address::find(None, state.path()).unwrap_err();
        assert!(matches!(foreign, AddressError::Foreign { .. }));
    }

    #[test]
    fn only_a_host_and_a_port_is_an_address() {
        assert_eq!(authority("http://[::1]:80"), Some("[::1]:80"));
        for url in [
            "",
            "127.0.0.1:80",
            "https://a:1",
            "http://a",
            "http://:80",
            "http://a:b",
            "http://a:80/v1",
        ] {
            assert_eq!(authority(url), None, "{url}");
        }
    }
}
