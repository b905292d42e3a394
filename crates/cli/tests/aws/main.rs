//! The real `serin` under the clients that people have: the `aws` command line and boto3.
//!
//! Scripts beside this file drive the clients and hold their answers against what they sent; the tests
//! start a server for each. The interpreter that has the clients (`scripts/requirements.txt`) comes from
//! `SERIN_TEST_PYTHON`, else it is `python3`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod client;
mod scripts;
mod server;
mod traffic;
