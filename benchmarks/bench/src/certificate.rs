//! The certificate that every peer shows, and clients that trust it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use setup::{Certificate, Protocol};

use crate::load::SERVER_NAME;

/// A new one (ECDSA, P-256) in `directory`, and what its clients need, by protocol.
pub struct Identity {
    pub certificate: Certificate,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Identity {
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec![SERVER_NAME.to_owned()])?;
        let certificate = Certificate {
            chain: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
        };
        std::fs::write(&certificate.chain, cert.pem()).context("no certificate can be written")?;
        std::fs::write(&certificate.key, signing_key.serialize_pem())
            .context("no key can be written")?;
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone())?;
        let config = |alpn: &[u8]| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            config.alpn_protocols = vec![alpn.to_vec()];
            // A new connection is to cost what a first one costs.
            config.resumption = Resumption::disabled();
            Ok::<_, rustls::Error>(Arc::new(config))
        };
        Ok(Self {
            certificate,
            http1: config(b"http/1.1")?,
            http2: config(b"h2")?,
        })
    }

    pub fn client(&self, protocol: Protocol) -> &Arc<ClientConfig> {
        match protocol {
            Protocol::Http2 => &self.http2,
            Protocol::Http1 | Protocol::Tcp => &self.http1,
        }
    }
}
