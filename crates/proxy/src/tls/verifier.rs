//! Whether the certificate of the other side is believed: its chain, its time, and its names.
//!
//! Unlike browsers, App Mesh compared names only with those that a policy or the service's discovery
//! gives, so a server's certificate is not held against the name in the handshake.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::PROVIDER;
use super::error::TlsError;
use super::names::{self, SubjectName};

#[derive(Debug, thiserror::Error)]
#[error("the certificate is for {}, and not for {}", list(found), list(wanted))]
struct WrongName {
    found: Vec<SubjectName>,
    wanted: Vec<String>,
}

fn list(names: &[impl fmt::Display]) -> String {
    match names {
        [] => "nobody".to_owned(),
        names => names
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn check_names(certificate: &CertificateDer<'_>, wanted: &[String]) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let found = names::of(certificate).ok_or(CertificateError::BadEncoding)?;
    if names::any_is_wanted(&found, wanted) {
        return Ok(());
    }
    let wrong = WrongName {
        found,
        wanted: wanted.to_vec(),
    };
    Err(CertificateError::Other(OtherError(Arc::new(wrong))).into())
}

/// Verifies servers.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    /// `None`: any certificate is believed; only those who merely listen are kept out.
    pub(super) roots: Option<Arc<RootCertStore>>,
    /// One of these must be in the certificate; empty: any.
    pub(super) wanted: Vec<String>,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                roots,
                intermediates,
                now,
                PROVIDER.signature_verification_algorithms.all,
            )?;
        }
        check_names(end_entity, &self.wanted)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Verifies clients, who must show a certificate.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    wanted: Vec<String>,
}

impl ClientVerifier {
    pub(super) fn new(roots: Arc<RootCertStore>, wanted: Vec<String>) -> Result<Self, TlsError> {
        let chain = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&PROVIDER))
            .build()
            .map_err(|source| TlsError::Verifier { source })?;
        Ok(Self { chain, wanted })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, now)?;
        check_names(end_entity, &self.wanted)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
