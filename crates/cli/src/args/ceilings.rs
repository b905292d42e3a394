//! What a data plane carries at most, for the commands that run one.

use std::num::NonZeroUsize;

use clap::Args;
use server::configuration::{CeilingSettings, Size};

use super::values;

#[derive(Debug, Args)]
#[command(next_help_heading = "Overload")]
pub struct Ceilings {
    /// Client connections of the process at once, 1 or more; further ones are closed [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::at_least_one::<NonZeroUsize>)]
    max_connections: Option<NonZeroUsize>,
    /// Client connections of each listener at once, 1 or more; further ones are closed [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::at_least_one::<NonZeroUsize>)]
    max_listener_connections: Option<NonZeroUsize>,
    /// Requests under way at once, 1 or more; further ones get 503 [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::at_least_one::<NonZeroUsize>)]
    max_requests: Option<NonZeroUsize>,
    /// The longest body of a request, 1B to 1024MiB; longer ones get 413 [default: no limit]
    #[arg(long, value_name = "SIZE")]
    max_body: Option<Size>,
}

impl Ceilings {
    pub fn settings(&self) -> CeilingSettings {
        CeilingSettings {
            connections: self.max_connections,
            listener_connections: self.max_listener_connections,
            requests: self.max_requests,
            body_size: self.max_body,
        }
    }
}
