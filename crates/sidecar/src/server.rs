//! Where the server is, how it is trusted, and what this proxy proves itself with.
//!
//! In clear text only this machine is spoken to: whoever could read the stream could read the token, and
//! whoever could write into it could send any traffic anywhere.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where systems keep the roots that they trust.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// A server's address as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    scheme: Scheme,
    authority: Authority,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("`{0}` is no address of a server: write it as `https://serin.example:7470`")]
    Malformed(String),
    #[error(
        "`{0}` is another machine, and clear text would show it the token and the mesh: use https"
    )]
    ClearText(String),
}

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("could not read the server's roots in PEM from {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("there is no certificate in {}", path.display())]
    Empty { path: PathBuf },
    #[error("found no certificates that this system trusts: name the server's with --server-ca")]
    NoSystemRoots,
    #[error("could not set up TLS")]
    Setup(#[source] rustls::Error),
}

/// What a proxy proves itself with; no `Debug` shows it.
#[derive(Clone)]
pub struct Token(String);

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let malformed = || UrlError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(malformed());
        };
        let path = parts
            .path_and_query
            .as_ref()
            .map_or("/", PathAndQuery::as_str);
        let is_known = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        if !is_known || path != "/" || authority.as_str().contains('@') {
            return Err(malformed());
        }
        let url = Self { scheme, authority };
        if url.scheme == Scheme::HTTP && !url.is_this_machine() {
            return Err(UrlError::ClearText(text.to_owned()));
        }
        Ok(url)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl ServerUrl {
    fn host(&self) -> &str {
        self.authority.host().trim_matches(['[', ']'])
    }

    fn port(&self) -> u16 {
        let default = if self.scheme == Scheme::HTTPS {
            443
        } else {
            80
        };
        self.authority.port_u16().unwrap_or(default)
    }

    fn is_this_machine(&self) -> bool {
        let address = self.host().parse::<IpAddr>();
        self.host().eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
    }
}

/// All that is needed to call the server.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: ServerUrl,
    token: Option<Token>,
    tls: Option<TlsConnector>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A connection, in TLS or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Server {
    pub(crate) fn new(
        url: ServerUrl,
        token: Option<Token>,
        roots: Option<&Path>,
    ) -> Result<Self, TrustError> {
        let is_secure = url.scheme == Scheme::HTTPS;
        let tls = is_secure.then(|| client_config(roots)).transpose()?;
        Ok(Self {
            url,
            token,
            tls: tls.map(|config| TlsConnector::from(Arc::new(config))),
        })
    }

    /// The address of something on the server.
    pub(crate) fn uri(&self, path: &'static str) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.url.scheme.clone())
            .authority(self.url.authority.clone())
            .path_and_query(path)
            .build()
    }

    /// The value of `authorization`, which nothing may log.
    pub(crate) fn authorization(&self) -> Option<http::HeaderValue> {
        let Token(token) = self.token.as_ref()?;
        let mut value = http::HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        let stream = TcpStream::connect((self.url.host(), self.url.port())).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(self.url.host().to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

fn client_config(roots: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let system = || {
        SYSTEM_ROOTS
            .iter()
            .map(Path::new)
            .find(|path| path.exists())
    };
    let path = roots.or_else(system).ok_or(TrustError::NoSystemRoots)?;
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TrustError::Read {
            path: path.to_owned(),
            source,
        })?;
    let mut store = RootCertStore::empty();
    // A system's bundle may hold old ones that cannot be used.
    let (used, _) = store.add_parsable_certificates(certificates);
    if used == 0 {
        let path = path.to_owned();
        return Err(TrustError::Empty { path });
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_is_for_this_machine() {
        for url in [
            "http://127.0.0.1:7470",
            "http://localhost:7470",
            "http://[::1]:1",
            "https://serin.example",
        ] {
            assert_eq!(url.parse::<ServerUrl>().unwrap().to_string(), url);
        }
        for url in [
            "http://serin.example:7470",
            "http://10.0.0.1",
            "http://127.0.0.1.example",
        ] {
            assert_eq!(
                url.parse::<ServerUrl>(),
                Err(UrlError::ClearText(url.into()))
            );
        }
        for url in [
            "127.0.0.1:7470",
            "ftp://localhost",
            "https://a@b",
            "https://h/path",
            "",
        ] {
            assert!(
                matches!(url.parse::<ServerUrl>(), Err(UrlError::Malformed(_))),
                "{url}"
            );
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let url = "http://127.0.0.1:1".parse().unwrap();
        let server = Server::new(url, Some(Token::from("geheim".to_owned())), None).unwrap();
        assert!(!format!("{server:?} {:?}", server.token).contains("geheim"));
        assert!(!format!("{:?}", server.authorization()).contains("geheim"));
    }
}
