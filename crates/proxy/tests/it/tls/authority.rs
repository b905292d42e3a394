//! A certificate authority for one test, and PEM files from it in a directory of its own.

use std::path::PathBuf;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use tempfile::TempDir;
use view::{Certificate, Trust};

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) directory: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "the test's own");
        let key = KeyPair::generate().unwrap();
        let authority = Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    /// A path in the directory; what is written there is gone after the test.
    pub(crate) fn path(&self, name: &str) -> String {
        self.path_of(name).to_str().unwrap().to_owned()
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::File {
            chain: self.path("ca.pem"),
        }
    }

    pub(crate) fn bundle(&self) -> String {
        self.issuer.pem()
    }

    /// Writes `name.pem` and `name.key`, for these names: `spiffe://…` or DNS.
    pub(crate) fn certificate(&self, name: &str, subject_names: &[&str]) -> Certificate {
        self.certificate_with(name, subject_names, |_| ())
    }

    pub(crate) fn certificate_with(
        &self,
        name: &str,
        subject_names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let (chain, key) = self.issue(name, subject_names, change);
        let (chain_path, key_path) = (
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        );
        std::fs::write(&chain_path, chain).unwrap();
        std::fs::write(&key_path, key).unwrap();
        Certificate::File {
            chain: chain_path,
            key: key_path,
        }
    }

    /// A chain and a key in PEM.
    pub(crate) fn issue(
        &self,
        common_name: &str,
        subject_names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.subject_alt_names = subject_names
            .iter()
            .map(|name| {
                let text = Ia5String::try_from(*name).unwrap();
                if name.contains("://") {
                    SanType::URI(text)
                } else if let Ok(address) = name.parse() {
                    SanType::IpAddress(address)
                } else {
                    SanType::DnsName(text)
                }
            })
            .collect();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}
