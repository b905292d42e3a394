//! The conversation between a server and a proxy that runs on its own: one gRPC stream, both ways at once.
//!
//! Down come views, each as what changed since the one before, and receipts for reports. Up come answers
//! to views, [`Report`]s of what was counted, and the proxy's [`Condition`]. Everything that decides is a state
//! machine without sockets or clocks: [`Views`] and [`Intake`] on the server's side, [`Follower`] and
//! [`Outbox`] on the proxy's.
//!
//! Messages are JSON in gRPC's framing (`application/grpc+json`): the types of a view are serde's already,
//! a few messages a second need no denser form, and nothing has to be generated.

mod change;
mod follower;
mod frame;
mod intake;
mod message;
mod outbox;
mod status;
mod views;

pub use change::{Change, Misfit};
pub use follower::Follower;
pub use frame::{Decoder, FrameError, encode};
pub use intake::Intake;
pub use message::{
    CertificateState, Condition, Downward, EndpointState, Hello, RefusedPart, Report, Signed,
    SigningRequest, Upward,
};
pub use outbox::Outbox;
pub use status::Code;
pub use views::Views;

/// Where the stream is asked for.
pub const PATH: &str = "/serin.proxy.v1.Proxies/Follow";

/// As `content-type` names the form of the messages.
pub const CONTENT_TYPE: &str = "application/grpc+json";
