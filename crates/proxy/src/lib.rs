//! The data plane: runs [`view::NodeView`]s, splits their traffic at random by weight, counts outcomes.
//!
//! Thread per core. Each worker has its own listening sockets, connection pools, random generator and
//! counters, and one task for each client connection that drives both sides of every exchange; on the
//! path of a request there is no lock, no channel and no task switch, but for the pool that workers share
//! where a listener has limits. Views are swapped whole: a request ends on the view it began with.
//!
//! HTTP/1.1, HTTP/2, gRPC and TCP, each in plain text or TLS.

mod access_log;
mod admission;
mod balancing;
#[doc(hidden)]
pub mod benchmarks;
mod bind;
mod budget;
mod clock;
mod cluster;
mod connection;
mod counters;
mod coverage;
mod data_plane;
mod discovery;
mod doors;
mod endpoint;
mod error;
mod exchange;
mod fault;
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod health;
mod http1;
mod http2;
mod inbound;
mod listener;
mod mirror;
mod moving;
mod node;
mod outbound;
mod outlier;
mod outside;
mod overload;
mod pin;
mod pool;
mod proxy_protocol;
mod registry;
mod relay;
mod reply;
mod route;
mod socket;
mod split;
mod statistics;
mod sticky;
mod stream;
mod switch;
mod tcp;
mod timers;
mod tls;
mod translate;
mod tunnel;
mod websocket;
mod worker;

pub use balancing::Balancing;
pub use data_plane::{BoundListener, DataPlane, EndpointHealth, Options};
pub use error::{ApplyError, Refusal, StartError};
pub use health::HealthStatus;
pub use overload::Ceilings;
pub use statistics::{ArmStatistics, Statistics, WorkerStatistics};
pub use tls::{CertificateFacts, CertificateStatus, Purpose, Secret, SubjectName, TlsError};
