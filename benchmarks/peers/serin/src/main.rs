//! Serin's data plane as a proxy of its own, all counters on: a mesh is made of the setup, compiled as the
//! server would, applied, and its observations are collected five times a second.

mod mesh;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use proxy::{DataPlane, Options};
use setup::Setup;

/// As often as the server does.
const OBSERVED_EVERY: Duration = Duration::from_millis(200);

/// More than any scenario opens. By default it is half of the files that the process may have, as each
/// connection may need one to an endpoint; those of the scenarios do not.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(15_000).unwrap();

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let setup = Setup::from_arguments().map_err(anyhow::Error::msg)?;
    let plane = DataPlane::start(Options {
        workers: NonZeroUsize::new(setup.workers).context("a proxy has at least one worker")?,
        connections: Some(CONNECTIONS),
        ..Options::default()
    })?;
    plane.apply(Arc::new(mesh::view(&setup)?)).await?;
    let refusals = plane.refusals().await;
    if !refusals.is_empty() {
        bail!("the data plane does not carry all of this setup: {refusals:?}");
    }
    let mut ticks = tokio::time::interval(OBSERVED_EVERY);
    loop {
        ticks.tick().await;
        drop(plane.observe().await);
    }
}
