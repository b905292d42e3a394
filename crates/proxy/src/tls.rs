//! TLS of listeners and of clusters, with rustls: who shows which certificate, and whom to believe.
//!
//! A [`Renewed`](renewed::Renewed) configuration is made of files or secrets and made anew when they
//! change; a change that cannot be used leaves the last one in force. Connections keep the one they began
//! with. Keys are in no log and no `Debug` output.

mod acceptor;
mod connector;
mod error;
mod identity;
mod material;
mod names;
pub(crate) mod renewal;
mod renewed;
mod secrets;
mod session;
mod sessions;
mod stream;
mod verifier;

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use view::Protocol;

pub(crate) use acceptor::Acceptor;
pub(crate) use connector::Connector;
pub(crate) use identity::PeerIdentity;
pub(crate) use secrets::Secrets;
pub(crate) use stream::TlsStream;

pub use error::TlsError;
pub use material::CertificateFacts;
pub use names::SubjectName;
pub use renewed::{CertificateStatus, Purpose};
pub use secrets::Secret;

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// What clients of a listener may choose from: those of HTTP/1.1 may speak HTTP/2 as well.
fn accepted_alpn(protocol: Protocol) -> Vec<Vec<u8>> {
    let mut accepted = alpn(protocol);
    if protocol == Protocol::Http {
        accepted.insert(0, b"h2".to_vec());
    }
    accepted
}

/// What a handshake offers for connections that carry `protocol`; nothing where bytes are just bytes.
fn alpn(protocol: Protocol) -> Vec<Vec<u8>> {
    match protocol {
        Protocol::Http => vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()],
        Protocol::Http2 | Protocol::Grpc => vec![b"h2".to_vec()],
        Protocol::Tcp => Vec::new(),
    }
}
