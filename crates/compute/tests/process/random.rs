//! Whatever happens to a driver and its tasks in whatever order, the last wish comes true, and nothing
//! else runs.

use std::collections::BTreeSet;

use compute::process::Process;
use compute::{Driver, TaskSet, TaskSetStatus};

use crate::harness::{Place, eventually, id, kill};

const VERSIONS: [&str; 2] = ["vanilla", "epoch"];
const STEPS: usize = 25;

fn random_set(place: &Place, random: &mut fastrand::Rng) -> TaskSet {
    let mut set = place.set(random.u32(0..4));
    set.id = id("crystal", random.choice(VERSIONS).unwrap());
    let stage = random.u8(0..2).to_string();
    set.environment.insert("STAGE".to_owned(), stage);
    set
}

async fn step(place: &Place, driver: Process, random: &mut fastrand::Rng) -> Process {
    match random.u8(0..10) {
        0..4 => driver.apply(random_set(place, random)).await.unwrap(),
        4..6 => {
            if let Some(pid) = random.choice(place.processes()) {
                kill(pid);
            }
        }
        6 => {
            let set = random_set(place, random);
            driver.drain(&set.id).await.unwrap();
        }
        7 => {
            let set = random_set(place, random);
            driver.remove(&set.id).await.unwrap();
        }
        8 => {
            driver.detach().await;
            if let Some(pid) = random.choice(place.processes()) {
                kill(pid);
            }
            return place.open().await;
        }
        _ => {
            driver.shutdown().await;
            assert!(place.processes().is_empty());
            return place.open().await;
        }
    }
    driver
}

#[tokio::test]
async fn the_last_wish_comes_true() {
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let place = Place::new();
        let mut driver = place.open().await;
        for _ in 0..STEPS {
            driver = step(&place, driver, &mut random).await;
        }
        for version in VERSIONS {
            let mut set = random_set(&place, &mut random);
            set.id = id("crystal", version);
            driver.apply(set).await.unwrap();
        }
        // Not merely until the fleet says so: a kill may not have been noticed yet.
        eventually(|| {
            let fleet = driver.observe().borrow().clone();
            let tasks = fleet.task_sets.values().flat_map(|set| &set.tasks);
            let expected: BTreeSet<u32> = tasks.filter_map(|task| task.pid).collect();
            fleet.task_sets.values().all(TaskSetStatus::is_steady)
                && BTreeSet::from_iter(place.processes()) == expected
        })
        .await;
        driver.shutdown().await;
        assert!(place.processes().is_empty(), "{seed}");
    }
}
