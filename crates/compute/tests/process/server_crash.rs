//! The server goes, the tasks stay, and the next server takes them over.

use std::fs;
use std::process::{Child, Command};

use compute::process::{OpenError, Process};
use compute::{Driver, TaskState};
use serde_json::{Value, json};

use crate::harness::{
    Place, eventually, get, id, kill, lives, read, until, until_fleet, until_steady,
};

/// A process that is no task.
struct Stranger(Child);

impl Stranger {
    fn start() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Changes the record of the first task behind the driver's back.
fn edit_first_task(place: &Place, edit: impl FnOnce(&mut Value)) {
    let path = place.first_task().join("task.json");
    let mut record: Value = serde_json::from_str(&read(&path)).unwrap();
    edit(&mut record["record"]);
    fs::write(&path, record.to_string()).unwrap();
}

#[tokio::test]
async fn tasks_are_adopted_as_they_are() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(2)).await.unwrap();
    let before = until_steady(&driver).await;
    driver.detach().await;
    assert_eq!(place.processes().len(), 2);

    let driver = place.open().await;
    assert_eq!(until_steady(&driver).await, before);
    driver.apply(place.set(2)).await.unwrap();
    assert_eq!(until_steady(&driver).await, before);

    get(before.tasks[1].address, "/exit/7").await;
    let after = until(&driver, |set| set.is_steady() && set.tasks[1].restarts == 1).await;
    let task = &after.tasks[1];
    assert_eq!(task.last_exit.as_deref(), Some("exited (status unknown)"));
    assert_eq!(task.address, before.tasks[1].address);
    driver.shutdown().await;
    assert!(place.processes().is_empty());
}

#[tokio::test]
async fn a_task_that_died_meanwhile_is_started_again_on_its_port() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let before = until_steady(&driver).await.tasks.remove(0);
    let child: u32 = get(before.address, "/child").await.parse().unwrap();
    driver.detach().await;
    kill(before.pid.unwrap());
    eventually(|| !lives(before.pid.unwrap())).await;

    let driver = place.open().await;
    let after = until_steady(&driver).await.tasks.remove(0);
    assert_eq!((after.restarts, after.address), (1, before.address));
    assert!(!lives(child), "what a dead task left behind is gone, too");
    driver.shutdown().await;
}

#[tokio::test]
async fn a_replacement_goes_on_where_it_was() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let old = until_steady(&driver).await.tasks.remove(0);
    let mut set = place.set(1);
    set.command = vec!["sleep".to_owned(), "1000".to_owned()];
    driver.apply(set.clone()).await.unwrap();
    until(&driver, |set| {
        set.tasks.len() == 2 && set.tasks[1].pid.is_some()
    })
    .await;
    driver.detach().await;

    let driver = place.open().await;
    let both = until(&driver, |set| set.tasks[0].state == TaskState::Healthy).await;
    assert_eq!(both.tasks[0].pid, old.pid);
    assert!(both.tasks[0].outdated && !both.tasks[1].outdated);
    driver.apply(place.set(1)).await.unwrap();
    until_steady(&driver).await;
    assert!(!lives(old.pid.unwrap()));
    driver.shutdown().await;
}

#[tokio::test]
async fn a_drain_that_was_interrupted_is_finished() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    set.command = vec![
        "sh".to_owned(),
        "-c".to_owned(),
        format!("trap '' TERM; exec {}", crate::harness::SERVICE),
    ];
    set.stop_grace = std::time::Duration::from_millis(500);
    driver.apply(set.clone()).await.unwrap();
    until_steady(&driver).await;
    {
        let drain = driver.drain(&set.id);
        let begun = until(&driver, |set| set.tasks[0].state == TaskState::Stopping);
        tokio::select! {
            _ = drain => panic!("it ignores SIGTERM"),
            _ = begun => {}
        }
    }
    driver.detach().await;
    assert_eq!(place.processes().len(), 1);

    let driver = place.open().await;
    driver.drain(&set.id).await.unwrap();
    assert!(place.processes().is_empty());
    driver.shutdown().await;
}

#[tokio::test]
async fn a_pid_that_changed_hands_is_left_alone() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let before = until_steady(&driver).await.tasks.remove(0);
    driver.detach().await;
    kill(before.pid.unwrap());
    eventually(|| !lives(before.pid.unwrap())).await;

    let stranger = Stranger::start();
    edit_first_task(&place, |record| {
        let process = &mut record["run"]["process"];
        process["pid"] = json!(stranger.0.id());
        // The clock of the kernel may not have ticked between the two.
        process["startTime"] = json!(process["startTime"].as_u64().unwrap() - 1);
    });
    let driver = place.open().await;
    let after = until_steady(&driver).await.tasks.remove(0);
    assert_ne!(after.pid, Some(stranger.0.id()));
    driver.shutdown().await;
    assert!(lives(stranger.0.id()));
}

#[tokio::test]
async fn a_task_whose_server_died_before_it_wrote_the_pid_down_is_found() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let before = until_steady(&driver).await.tasks.remove(0);
    driver.detach().await;
    edit_first_task(&place, |record| record["run"]["process"] = Value::Null);

    let driver = place.open().await;
    let after = until_steady(&driver).await.tasks.remove(0);
    assert_eq!(after.pid, before.pid);
    driver.shutdown().await;
    assert!(place.processes().is_empty());
}

#[tokio::test]
async fn a_set_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let place = Place::new();
    let driver = place.open().await;
    let mut other = place.set(1);
    other.id = id("crystal", "vanilla");
    driver.apply(place.set(1)).await.unwrap();
    driver.apply(other.clone()).await.unwrap();
    let both = until_fleet(&driver, |fleet| {
        fleet.task_sets.len() == 2 && fleet.task_sets.values().all(|set| set.is_steady())
    })
    .await;
    driver.detach().await;
    let record = place.state().join("task-sets/crystal/epoch/set.json");
    fs::write(&record, "{\"format\": 1, \"rec").unwrap();

    let driver = place.open().await;
    let status = until_steady(&driver).await;
    assert_eq!(status, both.task_sets[&other.id]);
    assert_eq!(place.processes(), [status.tasks[0].pid.unwrap()]);
    let aside = place.state().join("set-aside/crystal@epoch.1/set.json");
    assert_eq!(read(aside), "{\"format\": 1, \"rec");

    driver.apply(place.set(1)).await.unwrap();
    until_fleet(&driver, |fleet| {
        fleet.task_sets.len() == 2 && fleet.task_sets.values().all(|set| set.is_steady())
    })
    .await;
    driver.shutdown().await;
}

#[tokio::test]
async fn a_task_that_cannot_be_read_is_replaced() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(2)).await.unwrap();
    let before = until_steady(&driver).await.tasks;
    driver.detach().await;
    fs::write(place.first_task().join("task.json"), "").unwrap();

    let driver = place.open().await;
    let after = until_steady(&driver).await.tasks;
    assert_ne!(after[0].pid, before[0].pid);
    assert_eq!(after[1].pid, before[1].pid);
    assert_eq!(place.processes().len(), 2);
    driver.shutdown().await;
}

#[tokio::test]
async fn a_newer_format_is_refused_and_its_tasks_are_left_alone() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    until_steady(&driver).await;
    driver.detach().await;
    let record = place.state().join("task-sets/crystal/epoch/set.json");
    fs::write(&record, "{\"format\": 2, \"record\": {}}").unwrap();

    let error = Process::open(place.options()).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Newer { found: 2, .. }),
        "{error}"
    );
    assert_eq!(place.processes().len(), 1);
}

#[tokio::test]
async fn a_second_server_is_refused_by_name() {
    let place = Place::new();
    let driver = place.open().await;
    let error = Process::open(place.options()).await.unwrap_err();
    let own = std::process::id();
    assert!(matches!(error, OpenError::InUse { pid, .. } if pid == own));
    driver.shutdown().await;
    place.open().await.shutdown().await;
}

#[tokio::test]
async fn a_lock_whose_holder_cannot_be_seen_is_refused() {
    let place = Place::new();
    fs::create_dir(place.state()).unwrap();
    let lock = fs::File::create(place.state().join("lock")).unwrap();
    lock.lock().unwrap();
    let error = Process::open(place.options()).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    drop(lock);
    place.open().await.shutdown().await;
}

#[tokio::test]
async fn remains_of_a_deleted_task_are_not_taken_for_a_working_copy() {
    let place = Place::new();
    let remains = place.first_task().join("work");
    fs::create_dir_all(&remains).unwrap();
    fs::write(remains.join("hash.txt"), "REMAINS").unwrap();
    let driver = place.open().await;
    fs::create_dir_all(&remains).unwrap();
    fs::write(remains.join("hash.txt"), "REMAINS").unwrap();
    driver.apply(place.set(1)).await.unwrap();
    until_steady(&driver).await;
    assert_eq!(read(remains.join("hash.txt")), "VANILLA");
    driver.shutdown().await;
}

#[tokio::test]
async fn a_record_that_lies_in_the_wrong_place_is_set_aside() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    until_steady(&driver).await;
    driver.detach().await;
    let service = place.state().join("task-sets/crystal");
    fs::rename(service.join("epoch"), service.join("vanilla")).unwrap();

    let driver = place.open().await;
    assert!(driver.observe().borrow().task_sets.is_empty());
    assert!(place.processes().is_empty());
    assert!(place.state().join("set-aside/crystal@vanilla.1").is_dir());
    driver.shutdown().await;
}
