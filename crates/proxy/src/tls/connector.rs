//! A cluster's TLS: the handshake as a client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use tokio::net::TcpStream;
use view::{ClientTls, Protocol};

use super::error::TlsError;
use super::renewed::{CertificateStatus, Material, Recipe, Renewed};
use super::secrets::Secrets;
use super::sessions::{OfEndpoint, Sessions};
use super::verifier::ServerVerifier;
use super::{PROVIDER, TlsStream, alpn};

#[derive(Debug)]
pub(crate) struct Connector {
    tls: ClientTls,
    protocol: Protocol,
    renewed: Renewed<Calling>,
    /// Sent in the handshake, for servers that have several certificates.
    server_name: Option<ServerName<'static>>,
}

/// What new connections get.
#[derive(Debug)]
struct Calling {
    config: ClientConfig,
    verifier: Arc<ServerVerifier>,
    sessions: Arc<Sessions>,
}

impl Connector {
    pub(crate) fn new(
        node: &str,
        resource: &str,
        tls: &ClientTls,
        protocol: Protocol,
        secrets: &Secrets,
    ) -> Self {
        let recipe = Recipe {
            node: node.to_owned(),
            resource: resource.to_owned(),
            certificate: tls.certificate.clone(),
            trust: tls.trust.clone(),
        };
        let server_name = tls.server_name.clone();
        let connector = Self {
            tls: tls.clone(),
            protocol,
            renewed: Renewed::new(recipe),
            server_name: server_name.and_then(|name| ServerName::try_from(name).ok()),
        };
        connector.renew(secrets);
        connector
    }

    pub(crate) fn is_for(&self, tls: &ClientTls, protocol: Protocol) -> bool {
        self.tls == *tls && self.protocol == protocol
    }

    pub(crate) fn status(&self) -> Vec<CertificateStatus> {
        self.renewed.status()
    }

    pub(crate) fn renew(&self, secrets: &Secrets) {
        self.renewed.renew(secrets, |material| self.build(material));
    }

    fn build(&self, material: Material) -> Result<Calling, TlsError> {
        let Material { identity, anchors } = material;
        let verifier = Arc::new(ServerVerifier {
            roots: anchors.map(|anchors| anchors.roots),
            wanted: self.tls.subject_names.clone(),
        });
        let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Config { source })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<ServerVerifier>::clone(&verifier));
        let mut config = match identity {
            Some(identity) => {
                let resolver = Arc::new(SingleCertAndKey::from(identity.key));
                builder.with_client_cert_resolver(resolver)
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn(self.protocol);
        Ok(Calling {
            config,
            verifier,
            sessions: Arc::default(),
        })
    }

    pub(crate) async fn connect(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> io::Result<Box<TlsStream>> {
        let calling = self.renewed.current().ok_or_else(|| {
            io::Error::other("there is no certificate or trust that can be used yet")
        })?;
        let name = self
            .server_name
            .clone()
            .unwrap_or_else(|| ServerName::IpAddress(address.ip().into()));
        let mut config = calling.config.clone();
        config.resumption = Resumption::store(Arc::new(OfEndpoint {
            address,
            sessions: Arc::clone(&calling.sessions),
        }));
        let session = UnbufferedClientConnection::new(Arc::new(config), name.clone())
            .map_err(io::Error::other)?;
        let stream = TlsStream::connect(tcp, session).await?;
        // A resumed session stands for a certificate that was believed when it was begun.
        if stream.is_resumed()
            && let Err(error) = calling.believe(&stream, &name)
        {
            calling.sessions.forget(address);
            return Err(io::Error::other(error));
        }
        Ok(stream)
    }
}

impl Calling {
    fn believe(&self, stream: &TlsStream, name: &ServerName<'_>) -> Result<(), rustls::Error> {
        let Some([end_entity, intermediates @ ..]) = stream.peer_certificates() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let now = UnixTime::now();
        self.verifier
            .verify_server_cert(end_entity, intermediates, name, &[], now)?;
        Ok(())
    }
}
