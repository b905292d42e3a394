//! Where versions run.
//!
//! A [`Driver`] keeps task sets at their desired count and says what it sees; it knows nothing of
//! releases or of traffic. `process` is the embedded default: tasks are local processes.

pub mod driver;
pub use driver::*;

pub mod process;
