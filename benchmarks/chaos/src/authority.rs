//! A certificate authority whose leaf changes while it is in use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};

pub const SERVER_NAME: &str = "both.chaos.local";

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub chain: PathBuf,
    pub key: PathBuf,
    pub issued: u64,
}

impl Authority {
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut authority = Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            chain: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
            issued: 0,
        };
        authority.rotate()?;
        Ok(authority)
    }

    /// A new leaf with a new key in the same files: each file changes whole, one after the other, as
    /// whatever renews certificates does it.
    pub fn rotate(&mut self) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let leaf =
            CertificateParams::new(vec![SERVER_NAME.to_owned()])?.signed_by(&key, &self.issuer)?;
        for (path, text) in [(&self.key, key.serialize_pem()), (&self.chain, leaf.pem())] {
            let new = path.with_extension("new");
            std::fs::write(&new, text)?;
            std::fs::rename(new, path)?;
        }
        self.issued += 1;
        Ok(())
    }

    /// Trusts whatever the authority has issued.
    pub fn client(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}
