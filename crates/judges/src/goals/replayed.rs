//! A release judged twice, the second time from its written journal.

use judge::{Arm, BasisPoints, Batch, Config, Level, Tally, Verdict, replay};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use super::Figure;

/// Goal 9.
pub(super) fn replayed(runs: u64, tell: &mut dyn FnMut(Figure)) {
    let journals = runs.min(1000);
    let same = (0..journals).filter(|&seed| replays(seed)).count() as u64;
    let measured = format!("{same} of {journals} journals gave every verdict again, bit for bit");
    tell(Figure::new(
        "random journals, through JSON",
        measured,
        same == journals,
    ));
}

fn replays(seed: u64) -> bool {
    let journal = journal(seed);
    let Ok(written) = serde_json::to_vec(&journal) else {
        return false;
    };
    let Ok(read) = serde_json::from_slice::<Vec<Batch>>(&written) else {
        return false;
    };
    let verdicts = |batches: Vec<Batch>| {
        let verdicts: Vec<Verdict> = replay(Config::default(), batches).collect();
        serde_json::to_vec(&verdicts).ok()
    };
    // JSON writes the shortest digits that read back as the same bits.
    verdicts(journal) == verdicts(read)
}

fn journal(seed: u64) -> Vec<Batch> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut arm = |scale: u64| Arm {
        successes: random.random_range(0..100 * scale),
        failures: random.random_range(0..=1),
        ..Arm::default()
    };
    let mut level = |share: u32| {
        let tally = Tally {
            canary: arm(1),
            stable: arm(10),
        };
        Level::new(BasisPoints::new(share).into(), tally)
    };
    let batches = (1..30_u32).map(|step| Batch {
        levels: vec![level(100 * step), level(150 * step)],
        ..Batch::default()
    });
    batches.collect()
}
