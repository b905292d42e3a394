//! Tasks that break, and wishes that cannot come true.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use compute::process::{OpenError, Process};
use compute::{Driver, Error, TaskState};

use crate::harness::{Place, eventually, get, lives, read, until, until_state, until_steady};

#[tokio::test]
async fn a_crashed_task_is_started_again_on_its_port_in_its_directory() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let first = until_steady(&driver).await.tasks.remove(0);
    let directory = get(first.address, "/directory").await;
    fs::write(format!("{directory}/kept"), "").unwrap();

    get(first.address, "/exit/7").await;
    let again = until(&driver, |set| set.is_steady() && set.tasks[0].restarts == 1)
        .await
        .tasks
        .remove(0);
    assert_eq!(again.last_exit.as_deref(), Some("exited with 7"));
    assert_eq!(again.address, first.address);
    assert_ne!(again.pid, first.pid);
    assert_eq!(get(again.address, "/directory").await, directory);
    assert!(fs::exists(format!("{directory}/kept")).unwrap());
    driver.shutdown().await;
}

#[tokio::test]
async fn a_task_that_keeps_crashing_waits_longer_each_time() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    set.command = ["sh", "-c", "date +%s%N; kill -SEGV $$"]
        .map(str::to_owned)
        .into();
    driver.apply(set).await.unwrap();
    let task = until(&driver, |set| {
        set.tasks[0].restarts == 4 && set.tasks[0].state == TaskState::BackingOff
    })
    .await
    .tasks
    .remove(0);
    assert_eq!(task.last_exit.as_deref(), Some("killed by signal 11"));
    assert_eq!(task.pid, None);
    let starts: Vec<u64> = read(&task.log)
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    for (pair, at_least) in starts.windows(2).zip([50, 100, 200, 400]) {
        let waited = (pair[1] - pair[0]) / 1_000_000;
        assert!(waited >= at_least, "waited {waited} ms, not {at_least}");
    }
    driver.shutdown().await;
}

#[tokio::test]
async fn an_unhealthy_task_is_reported_with_the_reason_and_recovers() {
    let place = Place::new();
    let driver = place.open().await;
    driver.apply(place.set(1)).await.unwrap();
    let task = until_steady(&driver).await.tasks.remove(0);
    let status = format!("{}/health", get(task.address, "/directory").await);

    fs::write(&status, "503").unwrap();
    let ill = until_state(&driver, TaskState::Unhealthy).await;
    assert_eq!(
        ill.probe_failure.as_deref(),
        Some("GET /health answered 503")
    );
    fs::remove_file(&status).unwrap();
    let well = until_state(&driver, TaskState::Healthy).await;
    assert_eq!((well.pid, well.probe_failure), (task.pid, None));
    driver.shutdown().await;
}

#[tokio::test]
async fn a_task_that_never_listens_becomes_unhealthy() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    set.command = vec!["sleep".to_owned(), "1000".to_owned()];
    driver.apply(set).await.unwrap();
    let task = until_state(&driver, TaskState::Unhealthy).await;
    let reason = task.probe_failure.unwrap();
    assert!(reason.contains("could not connect"), "{reason}");
    driver.shutdown().await;
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_changed() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    // Exits when told to, and comes back only after somebody took its port.
    let script = format!(
        "while [ -e wait ]; do :; done; exec {}",
        crate::harness::SERVICE
    );
    set.command = vec!["sh".to_owned(), "-c".to_owned(), script];
    driver.apply(set).await.unwrap();
    let first = until_steady(&driver).await.tasks.remove(0);
    let wait = format!("{}/wait", get(first.address, "/directory").await);
    fs::write(&wait, "").unwrap();

    get(first.address, "/exit/0").await;
    eventually(|| !lives(first.pid.unwrap())).await;
    let somebody = TcpListener::bind(first.address).unwrap();
    fs::remove_file(wait).unwrap();
    let moved = until(&driver, |set| {
        set.is_steady() && set.tasks[0].address != first.address
    })
    .await
    .tasks
    .remove(0);
    let environment = get(moved.address, "/environment").await;
    assert!(environment.contains(&format!("PORT={}\n", moved.address.port())));
    drop(somebody);
    driver.shutdown().await;
}

#[tokio::test]
async fn a_program_that_cannot_run_is_refused_or_named() {
    let place = Place::new();
    let driver = place.open().await;
    let mut set = place.set(1);
    set.command = vec!["./serve".to_owned()];
    let refused = driver.apply(set.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }));
    assert!(
        refused.to_string().contains("./serve was not found"),
        "{refused}"
    );
    assert!(driver.observe().borrow().task_sets.is_empty());

    let program = place.artifact().join("serve");
    fs::write(&program, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    driver.apply(set).await.unwrap();
    let task = until(&driver, |set| set.tasks[0].restarts > 0)
        .await
        .tasks
        .remove(0);
    let reason = task.last_exit.unwrap();
    assert!(reason.starts_with("could not start: running"), "{reason}");
    assert!(reason.contains("interpreter"), "{reason}");

    fs::write(
        place.first_task().join("work/serve"),
        "#!/bin/sh\nsleep 1000\n",
    )
    .unwrap();
    until(&driver, |set| set.tasks[0].pid.is_some()).await;
    driver.shutdown().await;
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_made_is_named() {
    let place = Place::new();
    fs::write(place.state(), "a file").unwrap();
    let error = Process::open(place.options()).await.unwrap_err();
    assert!(matches!(&error, OpenError::Io { path, .. } if *path == place.state()));
    assert!(
        error
            .to_string()
            .contains("could not make the state directory"),
        "{error}"
    );
}

/// Nobody can write there, the superuser neither.
#[tokio::test]
async fn a_read_only_state_directory_is_named() {
    let mut options = Place::new().options();
    options.state = "/proc/serin".into();
    let error = Process::open(options).await.unwrap_err();
    assert!(error.to_string().contains("/proc/serin"), "{error}");
}

#[tokio::test]
async fn a_wish_that_cannot_be_written_down_is_refused() {
    let place = Place::new();
    let driver = place.open().await;
    fs::write(place.state().join("task-sets/crystal"), "in the way").unwrap();
    let error = driver.apply(place.set(1)).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(driver.observe().borrow().task_sets.is_empty());
    assert!(place.processes().is_empty());
    driver.shutdown().await;
}
