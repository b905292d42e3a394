//! Servers that are really killed, with a reaper behind them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use compute::{Driver, TaskSet};
use tokio::time::timeout;

use crate::harness::{Place, SERVER, SERVICE, eventually, kill, lives, read, until_steady};

struct Server {
    child: Child,
    /// Closed, it asks for the shutdown.
    input: Option<ChildStdin>,
}

impl Server {
    fn start(place: &Place, set: &TaskSet, grace: &str) -> Self {
        let mut child = Command::new(SERVER)
            .args(["serve", place.state().to_str().unwrap(), grace])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let set = serde_json::to_string(set).unwrap();
        writeln!(input, "{set}").unwrap();
        Self {
            child,
            input: Some(input),
        }
    }

    /// The rest of the output, which ends when nobody holds it open any more.
    fn until_steady(&mut self) -> BufReader<std::process::ChildStdout> {
        let mut output = BufReader::new(self.child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "steady\n");
        output
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn reaper_of(server: &Server) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", server.child.id());
    let reaper = read(children)
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .find(|pid| read(format!("/proc/{pid}/cmdline")).contains("\0reaper\0"));
    reaper.expect("the server has a reaper")
}

fn reaper_log(place: &Place) -> String {
    read(place.state().join("logs/reaper.log"))
}

#[tokio::test]
async fn a_server_that_never_comes_back_has_its_tasks_stopped() {
    let place = Place::new();
    let mut server = Server::start(&place, &place.set(2), "0.3");
    let mut output = server.until_steady();
    let reaper = reaper_of(&server);
    let tasks = place.processes();
    assert_eq!(tasks.len(), 2);

    server.kill();
    assert!(tasks.iter().all(|pid| lives(*pid)), "the grace is for them");
    let mut rest = String::new();
    output.read_line(&mut rest).unwrap();
    assert_eq!(rest, "", "nobody else holds the server's output open");

    eventually(|| place.processes().is_empty() && !lives(reaper)).await;
    assert_eq!(reaper_log(&place), "Stopped { tasks: 2 }\n");
    assert!(!place.first_task().exists());
}

#[tokio::test]
async fn a_server_that_comes_back_in_time_keeps_its_tasks() {
    let place = Place::new();
    let mut server = Server::start(&place, &place.set(2), "20");
    server.until_steady();
    let reaper = reaper_of(&server);
    let mut tasks = place.processes();
    server.kill();

    let driver = place.open().await;
    let status = until_steady(&driver).await;
    eventually(|| !lives(reaper)).await;
    assert_eq!(reaper_log(&place), "TakenOver\n");
    let mut adopted: Vec<u32> = status.tasks.iter().filter_map(|task| task.pid).collect();
    tasks.sort_unstable();
    adopted.sort_unstable();
    assert_eq!(adopted, tasks);
    driver.shutdown().await;
    assert!(place.processes().is_empty());
}

#[tokio::test]
async fn a_server_that_comes_while_the_reaper_works_waits_for_it() {
    let place = Place::new();
    let mut set = place.set(2);
    // Says that it was asked to stop, and does so only when allowed to.
    let script =
        format!("trap 'touch asked; until [ -e go ]; do sleep 0.01; done' TERM; {SERVICE}");
    set.command = ["sh", "-c", &script].map(str::to_owned).into();
    let mut server = Server::start(&place, &set, "0.1");
    server.until_steady();
    let tasks = place.processes();
    server.kill();
    let directory = place.first_task().join("work");
    eventually(|| directory.join("asked").exists()).await;

    let opening = place.open();
    tokio::pin!(opening);
    assert!(
        timeout(Duration::from_millis(100), &mut opening)
            .await
            .is_err()
    );
    let let_go = || {
        for index in [0, 1] {
            let task = place.first_task().with_file_name(format!("{index}.1"));
            std::fs::write(task.join("work/go"), "").unwrap();
        }
    };
    let_go();
    let driver = opening.await;
    assert!(!tasks.iter().any(|pid| lives(*pid)));
    until_steady(&driver).await;
    let_go();
    driver.shutdown().await;
    assert!(place.processes().is_empty());
}

#[tokio::test]
async fn tasks_whose_state_directory_is_deleted_are_stopped_at_once() {
    let place = Place::new();
    let mut server = Server::start(&place, &place.set(2), "1000");
    server.until_steady();
    let reaper = reaper_of(&server);
    let state = place.state();
    std::fs::rename(&state, state.with_extension("away")).unwrap();
    server.kill();
    eventually(|| place.processes().is_empty() && !lives(reaper)).await;
}

#[tokio::test]
async fn a_server_that_shuts_down_takes_its_reaper_along() {
    let place = Place::new();
    let mut server = Server::start(&place, &place.set(2), "20");
    server.until_steady();
    let reaper = reaper_of(&server);
    server.input.take();
    assert!(server.child.wait().unwrap().success());
    assert!(place.processes().is_empty());
    assert!(!lives(reaper));
}

/// Kills the server anywhere between its first instruction and the first healthy task.
#[tokio::test]
async fn no_instant_is_a_bad_one_to_be_killed_at() {
    let place = Place::new();
    for millis in [2, 5, 8, 11, 14, 18, 24, 32, 45] {
        let mut server = Server::start(&place, &place.set(2), "20");
        let moment = Duration::from_millis(millis);
        // Not a wait for something: the instant is what is tested.
        assert!(timeout(moment, std::future::pending::<()>()).await.is_err());
        server.kill();
        assert!(place.processes().len() <= 2, "after {millis} ms");
    }
    let driver = place.open().await;
    driver.apply(place.set(2)).await.unwrap();
    let status = until_steady(&driver).await;
    let mut expected: Vec<u32> = status.tasks.iter().filter_map(|task| task.pid).collect();
    let mut processes = place.processes();
    expected.sort_unstable();
    processes.sort_unstable();
    assert_eq!(processes, expected);
    driver.detach().await;
    processes.into_iter().for_each(kill);
    let driver = place.open().await;
    until_steady(&driver).await;
    driver.shutdown().await;
    assert!(place.processes().is_empty());
}
