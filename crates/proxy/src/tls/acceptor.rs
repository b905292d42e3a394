//! A listener's TLS: the handshake as a server, and who the client then is.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, UnbufferedServerConnection, WebPkiClientVerifier,
};
use rustls::sign::SingleCertAndKey;
use tokio::net::TcpStream;
use view::{ListenerTls, Protocol, TlsMode};

use super::error::TlsError;
use super::identity::PeerIdentity;
use super::renewed::{CertificateStatus, Material, Recipe, Renewed};
use super::secrets::Secrets;
use super::verifier::ClientVerifier;
use super::{PROVIDER, TlsStream, accepted_alpn, names};

pub(crate) struct Acceptor {
    tls: ListenerTls,
    protocol: Protocol,
    renewed: Renewed<Serving>,
    /// Outlives certificates, so that clients can go on where they were.
    ticketer: Arc<dyn ProducesTickets>,
}

/// What new connections get.
#[derive(Debug)]
struct Serving {
    config: Arc<ServerConfig>,
    /// Where clients must show a certificate.
    verifier: Option<Arc<ClientVerifier>>,
}

impl Acceptor {
    pub(crate) fn new(
        node: &str,
        resource: &str,
        tls: &ListenerTls,
        protocol: Protocol,
        secrets: &Secrets,
    ) -> Result<Self, TlsError> {
        let recipe = Recipe {
            node: node.to_owned(),
            resource: resource.to_owned(),
            certificate: Some(tls.certificate.clone()),
            trust: tls.client_trust.clone(),
        };
        let acceptor = Self {
            tls: tls.clone(),
            protocol,
            renewed: Renewed::new(recipe),
            ticketer: Ticketer::new().map_err(|source| TlsError::Config { source })?,
        };
        acceptor.renew(secrets);
        Ok(acceptor)
    }

    /// Whether plain text is let in as well.
    pub(crate) fn is_permissive(&self) -> bool {
        self.tls.mode == TlsMode::Permissive
    }

    pub(crate) fn is_for(&self, tls: &ListenerTls, protocol: Protocol) -> bool {
        self.tls == *tls && self.protocol == protocol
    }

    pub(crate) fn status(&self) -> Vec<CertificateStatus> {
        self.renewed.status()
    }

    pub(crate) fn renew(&self, secrets: &Secrets) {
        self.renewed.renew(secrets, |material| self.build(material));
    }

    fn build(&self, material: Material) -> Result<Serving, TlsError> {
        let Material { identity, anchors } = material;
        let names = &self.tls.client_subject_names;
        let verifier = match anchors {
            Some(anchors) => Some(Arc::new(ClientVerifier::new(anchors.roots, names.clone())?)),
            None => None,
        };
        let demanded: Arc<dyn ClientCertVerifier> = match &verifier {
            Some(verifier) => Arc::<ClientVerifier>::clone(verifier),
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Config { source })?
            .with_client_cert_verifier(demanded);
        let identity = identity.ok_or(TlsError::Config {
            source: rustls::Error::NoCertificatesPresented,
        })?;
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.key)));
        config.alpn_protocols = accepted_alpn(self.protocol);
        config.ticketer = Arc::clone(&self.ticketer);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Serving {
            config: Arc::new(config),
            verifier,
        })
    }

    /// `early` is what was read from the connection already.
    pub(crate) async fn accept(
        &self,
        tcp: TcpStream,
        early: Vec<u8>,
    ) -> io::Result<(Box<TlsStream>, PeerIdentity)> {
        let serving = self.renewed.current().ok_or_else(no_certificate)?;
        let session = UnbufferedServerConnection::new(Arc::clone(&serving.config))
            .map_err(io::Error::other)?;
        let stream = TlsStream::accept(tcp, session, early).await?;
        let identity = serving.identify(&stream)?;
        Ok((stream, identity))
    }
}

impl Serving {
    fn identify(&self, stream: &TlsStream) -> io::Result<PeerIdentity> {
        let Some((verifier, certificates)) = self.verifier.as_ref().zip(stream.peer_certificates())
        else {
            return Ok(PeerIdentity::default());
        };
        let [end_entity, intermediates @ ..] = certificates else {
            return Ok(PeerIdentity::default());
        };
        // A resumed session stands for a certificate that was believed when it was begun.
        if stream.is_resumed() {
            verifier
                .verify_client_cert(end_entity, intermediates, UnixTime::now())
                .map_err(io::Error::other)?;
        }
        Ok(PeerIdentity {
            names: names::of(end_entity).unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

fn no_certificate() -> io::Error {
    io::Error::other("this listener has no certificate that can be used yet")
}
