//! TLS for the API: a certificate and its key in files, which are read again when they change.
//!
//! Files that cannot be used leave the last good pair in force and are logged, so a renewal that goes wrong
//! costs nothing before the old certificate expires.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::configuration::{CredentialError, TlsFiles, refuse_if_others_may_read};

/// Between two looks at the files.
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("could not read {what} in PEM from {}", path.display())]
    Read {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("there is no certificate in {}: write it in PEM", path.display())]
    NoCertificate { path: PathBuf },
    #[error("the TLS key is not safe")]
    Exposed(#[from] CredentialError),
    #[error(
        "the certificate in {} and the key in {} cannot be used together",
        certificate.display(),
        key.display()
    )]
    Unfit {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    /// What the files were when they were last looked at.
    seen: Mutex<Option<Stamp>>,
    config: Mutex<Arc<ServerConfig>>,
}

/// Changes whenever one of the files is written or replaced, also through a link.
type Stamp = [(u64, u64, i64, i64); 2];

impl Tls {
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = Mutex::new(stamp(&files));
        let config = Mutex::new(Arc::new(load(&files)?));
        Ok(Self {
            files,
            seen,
            config,
        })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner));
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Looks at the files for ever.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut period = tokio::time::interval(PERIOD);
        loop {
            period.tick().await;
            self.reload_if_changed();
        }
    }

    fn reload_if_changed(&self) {
        let now = stamp(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return;
        }
        *seen = now;
        match load(&self.files) {
            Ok(config) => {
                *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!(
                    certificate = %self.files.certificate.display(),
                    "the API has a new certificate"
                );
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the API keeps its last certificate");
            }
        }
    }
}

fn load(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { certificate, key } = files;
    let unreadable = |what, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { what, path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable("a certificate", certificate))?;
    if chain.is_empty() {
        let path = certificate.clone();
        return Err(TlsError::NoCertificate { path });
    }
    refuse_if_others_may_read(key)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable("a private key", key))?;
    let unfit = |source| TlsError::Unfit {
        certificate: certificate.clone(),
        key: key.clone(),
        source,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn stamp(files: &TlsFiles) -> Option<Stamp> {
    let of = |metadata: Metadata| {
        (
            metadata.ino(),
            metadata.size(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        )
    };
    let certificate = std::fs::metadata(&files.certificate).ok()?;
    let key = std::fs::metadata(&files.key).ok()?;
    Some([of(certificate), of(key)])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::generate_simple_self_signed;

    use super::*;

    fn write(files: &TlsFiles, certificate: &str, key: &str) {
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        let owner_alone = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&files.key, owner_alone).unwrap();
    }

    fn config(tls: &Tls) -> Arc<ServerConfig> {
        Arc::clone(&tls.config.lock().unwrap())
    }

    #[test]
    fn a_bad_pair_leaves_the_last_good_one() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: directory.path().join("tls.crt"),
            key: directory.path().join("tls.key"),
        };
        let [(first, first_key), (second, second_key)] = [(); 2].map(|()| {
            let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            (pair.cert.pem(), pair.signing_key.serialize_pem())
        });
        write(&files, &first, &first_key);
        let tls = Tls::open(files.clone()).unwrap();
        let good = config(&tls);

        for (certificate, key) in [
            (&first, &second_key),
            (&second, &first_key),
            (&"nonsense".to_owned(), &first_key),
            (&first, &"nonsense".to_owned()),
            (&String::new(), &String::new()),
        ] {
            write(&files, certificate, key);
            tls.reload_if_changed();
            assert!(Arc::ptr_eq(&good, &config(&tls)), "{certificate}\n{key}");
        }
        std::fs::remove_file(&files.key).unwrap();
        tls.reload_if_changed();
        assert!(Arc::ptr_eq(&good, &config(&tls)), "a file is missing");

        write(&files, &second, &second_key);
        tls.reload_if_changed();
        let renewed = config(&tls);
        assert!(!Arc::ptr_eq(&good, &renewed));
        tls.reload_if_changed();
        assert!(Arc::ptr_eq(&renewed, &config(&tls)), "nothing has changed");
    }
}
