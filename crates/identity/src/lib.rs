//! Serin's own certificate authority: short-lived identities for the nodes of a mesh.
//!
//! [`Authority`] is pure: time and what it remembers are arguments. Its roots replace each other with an
//! overlap, so that whoever has any bundle of the last identity's lifetime can verify any identity that
//! is still valid. [`Store`] keeps it in one file that only its owner can read. Keys are in no `Debug`.

mod authority;
mod request;
mod root;
mod store;
mod subject;

pub use authority::{Authority, Issued, Lifetimes, Signed};
pub use request::Request;
pub use root::State;
pub use store::{Store, StoreError};
pub use subject::Subject;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot make a certificate for {subject}")]
    Issue {
        subject: String,
        source: rcgen::Error,
    },
    #[error("cannot make a key and its request")]
    Key { source: rcgen::Error },
    #[error("cannot make a root certificate")]
    Root { source: rcgen::Error },
    #[error("cannot sign for {subject}: its request is not valid, or not signed with its own key")]
    Request {
        subject: String,
        source: rcgen::Error,
    },
    #[error("cannot sign for {subject}: no root is valid now; is the clock right?")]
    NoRoot { subject: String },
    #[error("{name} cannot stand in a certificate: it must be ASCII")]
    Name { name: String },
    #[error(
        "roots that last {root:?} do not suit identities that last {identity:?}: they must last four times as long at least, and a century at most"
    )]
    Lifetimes {
        root: std::time::Duration,
        identity: std::time::Duration,
    },
}
