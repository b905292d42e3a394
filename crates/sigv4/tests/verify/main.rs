//! The verifier against AWS's published vectors, against the signers of AWS's Python and Rust clients,
//! and against requests that somebody changed on their way.

#![cfg(test)]

mod botocore;
mod known;
mod never_panics;
mod refusals;
mod rust_signer;
mod tampered;
mod vectors;
