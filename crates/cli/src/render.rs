//! What the API says, as lines for people. Pure: the time and the width are arguments.

pub mod diffstat;
pub mod event;
pub mod gauge;
pub mod moment;
pub mod number;
pub mod pace;
pub mod plan;
pub mod progress;
mod resources;
#[cfg(test)]
mod samples;
pub mod status;
pub mod table;
pub mod verdict;
pub mod why;
