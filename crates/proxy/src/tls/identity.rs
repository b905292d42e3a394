//! Who is on the other side of a TLS connection, as far as its certificate was verified.

use super::names::SubjectName;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerIdentity {
    /// Of the verified certificate; empty where none was asked for.
    pub(crate) names: Vec<SubjectName>,
}
