//! However a task ends, nothing of it is left.

use std::time::Duration;

use compute::{Driver, Error, TaskState};

use crate::harness::{Place, SERVICE, eventually, get, lives, read, until, until_steady};

fn shell(script: &str) -> Vec<String> {
    vec![
        "sh".to_owned(),
        "-c".to_owned(),
        script.replace("SERVICE", SERVICE),
    ]
}

#[tokio::test]
async fn a_task_may_use_its_grace() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    // The service dies of the first SIGTERM; its shell stays to say farewell.
    set.command = shell("trap 'echo farewell; exit 0' TERM; SERVICE & wait");
    driver.apply(set.clone()).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);
    driver.drain(&set.id).await.unwrap();
    assert_eq!(read(task.log), "farewell\n");
    assert!(place.processes().is_empty());
    driver.shutdown().await;
}

#[tokio::test]
async fn a_child_may_use_the_grace_even_when_its_parent_is_gone() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    set.command = shell(
        "(trap 'while [ ! -e go ]; do sleep 0.01; done; echo farewell; exit' TERM; SERVICE & wait) & \
         trap 'exit 0' TERM; wait",
    );
    driver.apply(set.clone()).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);
    let directory = get(task.address, "/directory").await;
    let drain = driver.drain(&set.id);
    let parent_ends = async {
        eventually(|| !lives(task.pid.unwrap())).await;
        std::fs::write(format!("{directory}/go"), "").unwrap();
    };
    let (drained, ()) = tokio::join!(drain, parent_ends);
    drained.unwrap();
    assert_eq!(read(task.log), "farewell\n");
    assert!(place.processes().is_empty());
    driver.shutdown().await;
}

#[tokio::test]
async fn a_task_that_ignores_sigterm_is_killed_after_its_grace() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    set.command = shell("trap '' TERM; exec SERVICE");
    set.stop_grace = Duration::from_millis(300);
    driver.apply(set.clone()).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);

    let asked = tokio::time::Instant::now();
    let drain = driver.drain(&set.id);
    let watch = async {
        until(&driver, |set| {
            set.tasks
                .iter()
                .all(|task| task.state == TaskState::Stopping)
        })
        .await;
        assert!(lives(task.pid.unwrap()), "it has its grace");
    };
    let (drained, ()) = tokio::join!(drain, watch);
    drained.unwrap();
    let took = asked.elapsed();
    assert!(took >= set.stop_grace, "killed after {took:?}");
    assert!(place.processes().is_empty());
    driver.shutdown().await;
}

#[tokio::test]
async fn children_end_with_their_task_wherever_they_went() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);
    let mut children = Vec::new();
    for path in ["/child", "/runaway", "/stripped"] {
        children.push(get(task.address, path).await.parse().unwrap());
    }
    assert!(children.iter().all(|pid| lives(*pid)));

    get(task.address, "/exit/0").await;
    until(&driver, |set| set.is_steady() && set.tasks[0].restarts == 1).await;
    assert!(!children.iter().any(|pid| lives(*pid)), "after a crash");

    children.clear();
    for path in ["/child", "/runaway", "/stripped"] {
        children.push(get(task.address, path).await.parse().unwrap());
    }
    driver.drain(&place.set(1).id).await.unwrap();
    assert!(!children.iter().any(|pid| lives(*pid)), "after a drain");
    assert!(place.processes().is_empty());
    driver.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_leaves_nothing_and_the_next_server_starts_it_again() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(3)).await.unwrap();
    until_steady(&driver).await;
    driver.shutdown().await;
    assert!(place.processes().is_empty());
    let refused = driver.apply(place.set(3)).await.unwrap_err();
    assert!(matches!(refused, Error::Closed { .. }));
    driver.shutdown().await;

    let driver = place.open().await;
    assert_eq!(until_steady(&driver).await.tasks.len(), 3);
    driver.shutdown().await;
    assert!(place.processes().is_empty());
}

#[tokio::test]
async fn a_shutdown_during_the_start_leaves_nothing() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(8)).await.unwrap();
    driver.shutdown().await;
    assert!(place.processes().is_empty());
}
