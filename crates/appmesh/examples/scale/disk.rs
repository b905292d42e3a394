//! What the disk itself costs, without which no time of a durable change can be read: an append that is synced.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::Outcome;
use crate::measure::{Timed, timed};

pub(crate) fn report(directory: &Path) -> Outcome<()> {
    const BLOCK: [u8; 4096] = [1; 4096];
    let mut file = File::create(directory.join("synced"))?;
    let mut times = Vec::new();
    for _ in 0..500 {
        let (took, synced) = timed(|| file.write_all(&BLOCK).and_then(|()| file.sync_data()));
        synced?;
        times.push(took);
    }
    Timed::new("the disk alone: append 4 KiB, sync", 1, times).report();
    Ok(())
}
