//! What tasks that work and remember are said to use.

use std::time::Duration;

use compute::process::Process;
use compute::{Driver, SetUsage, Usage};
use tokio::time::timeout;

use crate::harness::{DEADLINE, Place, get, id, kill, until, until_steady};

async fn usage(driver: &Process) -> SetUsage {
    let epoch = id("crystal", "epoch");
    let unknown = id("crystal", "unknown");
    let mut usage = driver.usage(&[epoch.clone(), unknown]).await;
    assert_eq!(usage.len(), 1, "an unknown set is left out");
    usage.remove(&epoch).unwrap()
}

/// Reads again until one run is as described.
async fn until_used(driver: &Process, what: impl Fn(&Usage) -> bool) -> SetUsage {
    let mut often = tokio::time::interval(Duration::from_millis(20));
    let reading = async {
        loop {
            let usage = usage(driver).await;
            if usage.values().any(&what) {
                return usage;
            }
            often.tick().await;
        }
    };
    timeout(DEADLINE, reading).await.expect("not so in time")
}

#[tokio::test]
async fn work_and_memory_are_those_of_the_task_that_has_them_with_its_children() {
    const MEMORY: u64 = 64 << 20;
    const WORK: Duration = Duration::from_millis(200);
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(2)).await.unwrap();
    let address = until_steady(&driver).await.tasks[0].address;
    let idle = usage(&driver).await;
    assert_eq!(idle.len(), 2);
    assert!(idle.values().all(|used| (1..MEMORY).contains(&used.memory)));

    get(address, "/keep/64").await;
    get(address, "/burn").await.parse::<u32>().unwrap();
    let busy = until_used(&driver, |used| {
        used.memory > MEMORY && used.processor > WORK
    })
    .await;
    let is_busy = |used: &&Usage| used.memory > MEMORY || used.processor > WORK;
    assert_eq!(busy.values().filter(is_busy).count(), 1, "{busy:?}");
    assert!(busy.keys().eq(idle.keys()), "the runs are the same");
    driver.shutdown().await;
}

#[tokio::test]
async fn a_task_that_was_started_again_is_another_run() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);
    get(task.address, "/keep/64").await;
    let before = usage(&driver).await;
    kill(task.pid.unwrap());
    until(&driver, |set| set.is_steady() && set.tasks[0].restarts == 1).await;
    let after = usage(&driver).await;
    assert!(after.keys().ne(before.keys()), "{before:?}, {after:?}");
    assert!(
        after.values().all(|used| used.memory < 64 << 20),
        "{after:?}"
    );
    driver.shutdown().await;
}
