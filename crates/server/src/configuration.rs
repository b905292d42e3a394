//! How a server is set up: `--config FILE`, in YAML.
//!
//! Read strictly, as the manifest is: an unknown key or a value that is not allowed is refused with its
//! line. Every key has a default, so no file at all is a configuration too. Secrets that lie elsewhere are
//! read by [`credentials`], once, when the server starts or the configuration is checked.

mod credentials;
mod fields;
mod nodes;
mod proxy;
mod token;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use identity::Lifetimes;
use release::manifest::TextDuration;
use serde::Deserialize;

use crate::acm::{AcmFile, AcmFiles};

pub use credentials::{Access, CredentialError, Key, SecretSource};
pub(crate) use credentials::{Credentials, refuse_if_others_may_read};
pub use fields::{Account, Percent, Region, Size};
pub use nodes::NodePath;
pub use proxy::{CeilingSettings, ProxySettings};
pub(crate) use token::{Allowed, ProxyTokens};
pub use token::{TokenError, TokenSource};

/// Where the API listens unless told otherwise: a fixed port, since people put it into
/// `AWS_ENDPOINT_URL_APP_MESH`.
pub const DEFAULT_API: &str = "127.0.0.1:7470";

/// A server's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Configuration {
    /// The account that owns every resource.
    pub account: Account,
    pub region: Region,
    /// Where the API listens; port 0 takes a free one.
    pub api: SocketAddr,
    pub tls: Option<TlsFiles>,
    /// Who may call the App Mesh API; none lets in anybody on this machine.
    pub credentials: Vec<Key>,
    /// What proxies on their own prove themselves with; none lets in those of this machine, if there are
    /// no credentials either.
    pub proxy_token: Option<TokenSource>,
    /// By the paths of virtual nodes and gateways: tokens of their own proxies, good for no other node.
    pub proxy_tokens: BTreeMap<NodePath, TokenSource>,
    /// How far a signature's time may be from the server's.
    pub clock_skew: TextDuration,
    pub quotas: appmesh::Quotas,
    /// None lets everything through.
    pub throttle: Option<Rate>,
    pub limits: Limits,
    pub identities: IdentityLifetimes,
    /// What ARNs of AWS Certificate Manager mean here.
    pub acm: AcmFiles,
    /// Default: `loopback` where the API listens there, else `token`.
    pub metrics: Option<MetricsAccess>,
    pub proxy: ProxySettings,
}

/// Files in PEM, read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The server's certificate, then those that lead to its root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How long what the mesh's own certificate authority makes is valid.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IdentityLifetimes {
    /// Of a node's identity; it is renewed at half its time.
    pub identity: TextDuration,
    /// Of a root; at least four times an identity's.
    pub root: TextDuration,
}

/// How fast requests may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    pub requests_per_second: NonZeroU32,
    /// Requests at once after a rest; default: those of one second.
    pub burst: Option<NonZeroU32>,
}

/// What one caller may take of the server.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Of a request to the App Mesh API.
    pub body_size: Size,
    /// Connections at once; further ones wait to be accepted.
    pub connections: NonZeroU32,
    pub handshake_time: TextDuration,
    /// From the end of an answer, or of the handshake, to the end of the next request's head.
    pub head_time: TextDuration,
    pub body_time: TextDuration,
    /// How long requests in flight may take when the server stops.
    pub stop_time: TextDuration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MetricsAccess {
    /// Anybody who reaches the API.
    Open,
    /// Anybody who calls it as 127.0.0.1 or localhost.
    Loopback,
    /// Holders of the token of `server.json`.
    Token,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    #[error("could not read the configuration {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration {} is not valid: {reason}", path.display())]
    Yaml { path: PathBuf, reason: String },
    #[error(
        "the API may not listen on {address} without credentials: anybody who reaches it could change the mesh"
    )]
    Unguarded { address: SocketAddr },
    #[error("the identities' lifetimes cannot be")]
    Identities(#[from] identity::Error),
    #[error("could not use the configured credentials")]
    Credentials(#[from] CredentialError),
    #[error(transparent)]
    ProxyToken(#[from] TokenError),
    #[error("acm: {0}")]
    Acm(String),
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            account: Account::default(),
            region: Region::default(),
            api: SocketAddr::from(([127, 0, 0, 1], 7470)),
            tls: None,
            credentials: Vec::new(),
            proxy_token: None,
            proxy_tokens: BTreeMap::new(),
            clock_skew: TextDuration(Duration::from_secs(5 * 60)),
            quotas: appmesh::Quotas::default(),
            throttle: None,
            limits: Limits::default(),
            identities: IdentityLifetimes::default(),
            acm: AcmFiles::new(),
            metrics: None,
            proxy: ProxySettings::default(),
        }
    }
}

impl Default for IdentityLifetimes {
    /// Half a day, and two years.
    fn default() -> Self {
        let hours = |hours: u64| TextDuration(Duration::from_secs(hours * 3600));
        Self {
            identity: hours(12),
            root: hours(2 * 365 * 24),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_size: Size::mebibytes(1),
            connections: NonZeroU32::MIN.saturating_add(511),
            handshake_time: TextDuration(Duration::from_secs(10)),
            head_time: TextDuration(Duration::from_secs(30)),
            body_time: TextDuration(Duration::from_secs(30)),
            stop_time: TextDuration(Duration::from_secs(10)),
        }
    }
}

impl Configuration {
    /// Reads the file at `path`; files that it names are taken relative to its directory.
    pub fn load(path: &Path) -> Result<Self, ConfigurationError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigurationError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut configuration = Self::parse(&text).map_err(|reason| ConfigurationError::Yaml {
            path: path.to_owned(),
            reason,
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let tls = configuration.tls.iter_mut();
        let tls = tls.flat_map(|files| [&mut files.certificate, &mut files.key]);
        let secrets = configuration.credentials.iter_mut().flat_map(Key::files);
        let tokens = configuration.proxy_tokens.values_mut();
        let tokens = tokens.chain(&mut configuration.proxy_token);
        let tokens = tokens.filter_map(|token| match token {
            TokenSource::File(path) => Some(path),
            TokenSource::Variable(_) => None,
        });
        let acm = configuration.acm.values_mut().flat_map(AcmFile::paths);
        for file in tls.chain(secrets).chain(tokens).chain(acm) {
            *file = directory.join(&*file);
        }
        if configuration.credentials.iter().any(Key::is_written_here) {
            refuse_if_others_may_read(path)?;
        }
        Ok(configuration)
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The reader takes an empty document for a null, which is no mapping.
        let is_empty =
            |line: &str| matches!(line.trim(), "" | "---") || line.trim().starts_with('#');
        if text.lines().all(is_empty) {
            return Ok(Self::default());
        }
        // No excerpt of the file: the lines around a mistake may hold secrets.
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
    }

    /// Checks what spans several keys and lies in other files.
    pub(crate) fn credentials(&self) -> Result<Credentials, ConfigurationError> {
        if self.credentials.is_empty() && !self.api.ip().is_loopback() {
            return Err(ConfigurationError::Unguarded { address: self.api });
        }
        Ok(Credentials::read(&self.credentials)?)
    }

    pub(crate) fn proxy_tokens(&self) -> Result<ProxyTokens, ConfigurationError> {
        let any = self.proxy_token.as_ref().map(TokenSource::read);
        let of_nodes = self.proxy_tokens.iter();
        let of_nodes = of_nodes.map(|(node, token)| Ok((node.to_string(), token.read()?)));
        Ok(ProxyTokens {
            any: any.transpose()?,
            of_nodes: of_nodes.collect::<Result<_, TokenError>>()?,
        })
    }

    /// Refuses what no spec could name, or what would be of no use to it.
    pub(crate) fn check_acm(&self) -> Result<(), ConfigurationError> {
        let mut refused = self.acm.iter().filter_map(|(arn, file)| file.refusal(arn));
        refused
            .next()
            .map_or(Ok(()), |reason| Err(ConfigurationError::Acm(reason)))
    }

    pub(crate) fn lifetimes(&self) -> Result<Lifetimes, ConfigurationError> {
        let IdentityLifetimes { identity, root } = self.identities;
        Ok(Lifetimes::new(root.0, identity.0)?)
    }

    /// Whether the App Mesh API lets in anybody on this machine.
    pub fn is_tolerant(&self) -> bool {
        self.credentials.is_empty()
    }

    /// What people should know before they rely on the server.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_tolerant() {
            warnings.push(
                "no credentials are configured: the App Mesh API takes any signature, or none, from this machine"
                    .to_owned(),
            );
        }
        if self.tls.is_none() && !self.api.ip().is_loopback() {
            warnings.push(format!(
                "the API listens on {} without TLS: who sits between can read and replay what is sent",
                self.api
            ));
        }
        warnings
    }

    pub(crate) fn metrics_access(&self) -> MetricsAccess {
        let on_loopback = self.api.ip().is_loopback();
        self.metrics.unwrap_or(match on_loopback {
            true => MetricsAccess::Loopback,
            false => MetricsAccess::Token,
        })
    }
}

#[cfg(test)]
mod tests;
