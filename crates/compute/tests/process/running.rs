//! Tasks that do what they are meant to.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

use compute::{Driver, TaskState};

use crate::harness::{Place, get, id, lives, read, until, until_fleet, until_steady};

#[tokio::test]
async fn every_task_has_a_port_an_environment_a_directory_and_a_log_of_its_own() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(3);
    set.environment
        .insert("ZONE".to_owned(), "zone-{task}:{port}".to_owned());
    driver.apply(set).await.unwrap();
    let status = until_steady(&driver).await;

    let mut ports = BTreeSet::new();
    for task in &status.tasks {
        let address = task.address;
        ports.insert(address.port());
        assert_eq!(task.id, format!("crystal/epoch/{}", task.index));
        assert_eq!((task.restarts, &task.last_exit), (0, &None));

        let environment = get(address, "/environment").await;
        for expected in [
            format!("PORT={}", address.port()),
            format!("ZONE=zone-{}:{}", task.index, address.port()),
            format!("SERIN_TASK={}", task.index),
            "SERIN_SERVICE=crystal".to_owned(),
            "SERIN_VERSION=epoch".to_owned(),
        ] {
            assert!(environment.lines().any(|line| line == expected));
        }
        assert!(
            !environment.contains("CARGO"),
            "the server's own environment stays with it"
        );

        let directory = get(address, "/directory").await;
        let hash = format!("{directory}/hash.txt");
        assert_eq!(read(&hash), "VANILLA");
        fs::write(&hash, &task.id).unwrap();

        get(address, &format!("/say/hello-{}", task.index)).await;
        let expected = format!("out: hello-{0}\nerr: hello-{0}\n", task.index);
        assert_eq!(read(&task.log), expected);
    }
    assert_eq!(ports.len(), 3);
    assert_eq!(read(place.artifact().join("hash.txt")), "VANILLA");
    driver.shutdown().await;
}

/// What a process has open, as `/proc` names it.
fn descriptors(pid: u32) -> Vec<String> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .map(|target| target.display().to_string())
        .collect()
}

#[tokio::test]
async fn a_task_inherits_no_descriptor_of_the_server() {
    // What the test itself was started with is not the driver's to close.
    let given = descriptors(std::process::id());
    let place = Place::new();
    let driver = place.open().await;
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    driver.apply(place.set(1)).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);

    let servers = descriptors(std::process::id());
    assert!(servers.contains(&place.state().join("lock").display().to_string()));
    let leaked: Vec<String> = descriptors(task.pid.unwrap())
        .into_iter()
        .filter(|open| servers.contains(open) && !given.contains(open) && open != "/dev/null")
        .collect();
    assert_eq!(leaked, [] as [&str; 0]);
    driver.shutdown().await;
}

#[tokio::test]
async fn the_same_wish_again_changes_nothing() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(2)).await.unwrap();
    let before = until_steady(&driver).await;
    let record = place.state().join("task-sets/crystal/epoch/set.json");
    let written = record.metadata().unwrap().modified().unwrap();

    driver.apply(place.set(2)).await.unwrap();
    assert_eq!(until_steady(&driver).await, before);
    assert_eq!(record.metadata().unwrap().modified().unwrap(), written);
    driver.shutdown().await;
}

#[tokio::test]
async fn another_count_keeps_the_tasks_it_can() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let one = until_steady(&driver).await.tasks;

    driver.apply(place.set(3)).await.unwrap();
    let three = until(&driver, |set| set.desired == 3 && set.is_steady())
        .await
        .tasks;
    assert_eq!(three[0], one[0]);

    driver.apply(place.set(1)).await.unwrap();
    let again = until(&driver, |set| set.desired == 1 && set.is_steady())
        .await
        .tasks;
    assert_eq!(again, one);
    assert_eq!(place.processes(), [one[0].pid.unwrap()]);

    driver.apply(place.set(0)).await.unwrap();
    until(&driver, |set| set.desired == 0 && set.is_steady()).await;
    assert!(place.processes().is_empty());
    driver.shutdown().await;
}

#[tokio::test]
async fn other_health_rules_keep_the_tasks() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let before = until_steady(&driver).await.tasks.remove(0);

    let mut set = place.set(1);
    set.health.as_mut().unwrap().path = "/nowhere".to_owned();
    driver.apply(set).await.unwrap();
    let after = until(&driver, |set| set.tasks[0].state == TaskState::Unhealthy)
        .await
        .tasks
        .remove(0);
    assert_eq!(after.pid, before.pid);
    assert_eq!(
        after.probe_failure.as_deref(),
        Some("GET /nowhere answered 404")
    );
    driver.shutdown().await;
}

#[tokio::test]
async fn another_environment_replaces_tasks_without_a_gap() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(2)).await.unwrap();
    let before = until_steady(&driver).await;

    let mut fleets = driver.observe();
    let mut set = place.set(2);
    set.environment.insert("STAGE".to_owned(), "two".to_owned());
    driver.apply(set).await.unwrap();
    let after = loop {
        let fleet = fleets.borrow_and_update().clone();
        let status = fleet.task_sets[&id("crystal", "epoch")].clone();
        assert!(status.healthy() >= 2, "{status:#?}");
        if status.is_steady() {
            break status;
        }
        fleets.changed().await.unwrap();
    };
    assert_eq!(after.tasks.len(), 2);
    for (old, new) in before.tasks.iter().zip(&after.tasks) {
        assert_eq!(old.index, new.index);
        assert_ne!(old.address, new.address);
        assert!(!lives(old.pid.unwrap()));
        let environment = get(new.address, "/environment").await;
        assert!(environment.contains("STAGE=two\n"));
    }
    driver.shutdown().await;
}

#[tokio::test]
async fn a_replacement_that_does_not_get_healthy_leaves_the_old_task_serving() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let old = until_steady(&driver).await.tasks.remove(0);

    for stage in ["two", "three"] {
        let mut set = place.set(1);
        set.command = vec!["sh".to_owned(), "-c".to_owned(), "exit 3".to_owned()];
        set.environment.insert("STAGE".to_owned(), stage.to_owned());
        driver.apply(set).await.unwrap();
        let status = until(&driver, |set| {
            set.tasks.len() == 2 && set.tasks.iter().any(|task| task.restarts >= 2)
        })
        .await;
        assert!(!status.is_steady());
        assert!(status.tasks[0].outdated && !status.tasks[1].outdated);
        assert_eq!(status.tasks[0].pid, old.pid);
        assert_eq!(status.tasks[0].state, TaskState::Healthy);
    }

    driver.apply(place.set(1)).await.unwrap();
    until_steady(&driver).await;
    assert_eq!(place.processes().len(), 1);
    driver.shutdown().await;
}

#[tokio::test]
async fn without_a_probe_a_task_is_healthy_when_its_port_accepts() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    set.health = None;
    driver.apply(set).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);
    assert!(get(task.address, "/directory").await.ends_with("/work"));
    driver.shutdown().await;
}

#[tokio::test]
async fn a_drained_set_has_no_tasks_until_it_is_applied_again_and_a_removed_one_is_forgotten() {
    let place = Place::new();
    let driver = place.open().await;
    let set = place.set(2);
    driver.apply(set.clone()).await.unwrap();
    let log = until_steady(&driver).await.tasks.remove(0).log;

    driver.drain(&set.id).await.unwrap();
    assert!(place.processes().is_empty());
    let status = until(&driver, |set| set.draining).await;
    assert!(status.tasks.is_empty() && !status.is_steady());
    driver.drain(&set.id).await.unwrap();

    driver.apply(set.clone()).await.unwrap();
    until_steady(&driver).await;
    driver.remove(&set.id).await.unwrap();
    assert!(place.processes().is_empty());
    until_fleet(&driver, |fleet| fleet.task_sets.is_empty()).await;
    assert!(!place.state().join("task-sets/crystal/epoch").exists());
    assert!(log.exists());
    driver.remove(&set.id).await.unwrap();
    driver.drain(&set.id).await.unwrap();
    driver.shutdown().await;
}
