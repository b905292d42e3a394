//! Load and the upstreams that answer it, on one thread: one edge-triggered epoll loop, no task and no
//! allocation for a request, so that the core beside the proxy's is never what limits a proxy.
//!
//! Upstreams answer what the plan says whatever they are asked, and every byte of an upstream's bodies is
//! its own letter: clients learn from a body which side of the split has answered.

mod client;
mod echo;
mod event_loop;
mod http1;
mod http2;
mod outcome;
mod plan;
mod run;
mod slots;
mod transport;
mod upstream;

pub use event_loop::EventLoop;
pub use outcome::Outcome;
pub use plan::{Pace, Plan};
pub use transport::SERVER_NAME;
