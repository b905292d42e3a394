//! TLS on both sides of the proxy, with foreign peers: curl, openssl, Python.

mod authority;
mod backends;
pub(crate) mod foreign;
mod handshakes;
mod listeners;
mod renewal;
