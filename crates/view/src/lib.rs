//! What one node sees of its mesh.
//!
//! [`NodeView`] is everything one proxy needs to carry traffic for a virtual node or a virtual
//! gateway, with every App Mesh default already resolved; [`observe`] is what the proxy reports back.
//! Pure: no I/O, no clock, no Envoy. The data plane and the xDS translation know these types and
//! nothing of App Mesh.

pub mod compile;
pub mod node_view;
pub mod observe;
mod secrets;
pub mod traffic;

pub use compile::{Binding, ProxyProtocol, compile, discovery_names};
/// A view's expressions are patterns as the mesh has them: compiled by this, they are what was accepted.
pub use model::expression;
pub use node_view::*;
pub use secrets::Secrets;
pub use traffic::{Abort, Delay, Fault, Mirror, Pin, PinKey, Portion, Sticky, Traffic};
