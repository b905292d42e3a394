//! TLS on both sides of the proxy, with foreign peers: curl, openssl, Python.

mod authority;
mod listeners;
