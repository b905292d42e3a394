//! What App Mesh's routes can say, end to end: from specs as users write them, through the view, to sockets.
//!
//! Every virtual node is a server that says its name and the request it saw, so that each row of a table
//! tells which node a request reached, and as what.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gateways;
mod mesh;
mod routes;
