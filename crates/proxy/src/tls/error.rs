//! Why TLS cannot be had from what it is to be made of.

use std::io;

/// Certificates, keys or trust that cannot be used; what was used before goes on.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: check that the file is there and may be read")]
    Read { path: String, source: io::Error },
    #[error("cannot use {origin}: it has no certificate in PEM")]
    NoCertificate { origin: String },
    #[error("cannot use {origin}: it has no private key in PEM")]
    NoKey { origin: String },
    #[error("cannot use {origin}: it is not valid PEM")]
    Pem {
        origin: String,
        source: rustls::pki_types::pem::Error,
    },
    #[error("cannot use {origin}: it has a certificate that is not valid X.509: {reason}")]
    Certificate { origin: String, reason: String },
    #[error("cannot use {origin}: the certificate and the private key do not fit")]
    Unfit {
        origin: String,
        source: rustls::Error,
    },
    #[error("there is no secret {name} for {node} yet")]
    NoSecret { node: String, name: String },
    #[error("secret {name} of {node} is {found}, and {wanted} is needed")]
    WrongSecret {
        node: String,
        name: String,
        found: &'static str,
        wanted: &'static str,
    },
    #[error("{arn} is in AWS Certificate Manager, which cannot be reached from here")]
    Acm { arn: String },
    #[error("cannot set up TLS")]
    Config { source: rustls::Error },
    #[error("cannot set up the verification of client certificates")]
    Verifier {
        source: rustls::server::VerifierBuilderError,
    },
}
