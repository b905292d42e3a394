//! Builds that fail, are cancelled, killed or run twice at once.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use crate::workplace::{Workplace, is_alive, until};
use image::{BuildCommand, ImageError, Images, Recipe};
use tokio::process::Command;

#[tokio::test]
async fn a_failed_build_tells_its_last_words() {
    let place = Workplace::new();
    let recipe = place.shell("vanilla", "seq 100; echo 'no such thing' >&2; exit 7");
    let error = place.build(&recipe).await.unwrap_err();
    let text = error.to_string();
    for part in [
        "seq 100",
        "exit status: 7",
        "\n  82\n",
        "no such thing",
        ".log",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    assert!(
        !text.contains("\n  80\n"),
        "only the end is repeated: {text}"
    );
    assert_eq!(place.names("images/versions"), [""; 0]);
    assert_eq!(place.names("images/building"), [""; 0]);
    let log = place
        .path("images/logs")
        .join(&place.names("images/logs")[0]);
    assert_eq!(fs::read_to_string(log).unwrap().lines().count(), 101);
}

#[tokio::test]
async fn what_cannot_start_is_named() {
    let place = Workplace::new();
    let program = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Recipe {
            build: Some(BuildCommand::Program(words)),
            ..place.recipe("vanilla")
        }
    };
    let nowhere = || place.path("nowhere");
    let table = [
        (
            program(&["no-such-compiler", "build"]),
            vec!["no-such-compiler build", "install it"],
        ),
        (program(&[]), vec!["empty"]),
        (
            place.shell("vanilla", "no-such-compiler"),
            vec!["exit status: 127", "did not find a program"],
        ),
        (
            Recipe {
                source: nowhere(),
                ..place.recipe("vanilla")
            },
            vec!["nowhere", "`source`"],
        ),
        (
            Recipe {
                source: place.path("source/greeting"),
                ..place.recipe("vanilla")
            },
            vec!["no directory"],
        ),
        (
            Recipe {
                patches: vec![nowhere()],
                ..place.recipe("vanilla")
            },
            vec!["cannot read the patch", "nowhere"],
        ),
        (
            Recipe {
                artifacts: vec!["out/*".to_owned()],
                ..place.shell("vanilla", "true")
            },
            vec!["`out/*`"],
        ),
        (
            Recipe {
                artifacts: vec!["../x".to_owned()],
                ..place.recipe("vanilla")
            },
            vec!["../x"],
        ),
    ];
    for (recipe, parts) in table {
        let text = place.build(&recipe).await.unwrap_err().to_string();
        assert!(
            parts.iter().all(|part| text.contains(part)),
            "{parts:?} are not all in {text:?}"
        );
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let error = Images::open("/proc/images").unwrap_err().to_string();
    assert!(
        error.contains("cannot make directory /proc/images"),
        "{error}"
    );
    let place = Workplace::new();
    let error = Images::open(place.path("source/greeting/images"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("a part of the path is a file"), "{error}");
}

#[tokio::test]
async fn a_cancelled_build_leaves_no_process_and_no_trace() {
    let place = Workplace::new();
    let (shell, child) = (place.path("shell"), place.path("child"));
    let command = format!(
        "sleep 1000 & echo $! > {}; echo $$ > {}; wait",
        child.display(),
        shell.display()
    );
    let recipe = place.shell("vanilla", &command);
    tokio::select! {
        built = place.build(&recipe) => panic!("it ended: {built:?}"),
        () = until("the build runs", || fs::read(&shell).is_ok_and(|number| number.ends_with(b"\n"))) => {}
    }
    until("both processes are gone", || {
        !is_alive(&shell) && !is_alive(&child)
    })
    .await;
    until("the workspace is gone", || {
        place.names("images/building").is_empty()
    })
    .await;
    assert_eq!(place.names("images/versions"), [""; 0]);
}

#[tokio::test]
async fn a_build_leaves_no_process_behind() {
    let place = Workplace::new();
    let child = place.path("child");
    let recipe = place.shell(
        "vanilla",
        &format!("sleep 1000 & echo $! > {}; echo done", child.display()),
    );
    place.build(&recipe).await.unwrap();
    until("the child is gone", || !is_alive(&child)).await;
}

#[tokio::test]
async fn two_builds_of_the_same_input_build_once() {
    let place = Workplace::new();
    let count = place.path("count");
    let recipe = place.shell("vanilla", &format!("echo built >> {}", count.display()));
    // Each with a handle of its own, as in two processes.
    let other = Images::open(place.path("images")).unwrap();
    let (one, two) = tokio::join!(
        place.images.build(&recipe, |_| {}),
        other.build(&recipe, |_| {})
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.version, two.version);
    assert_ne!(one.reused, two.reused);
    assert_eq!(fs::read_to_string(&count).unwrap(), "built\n");
}

#[tokio::test]
async fn a_flood_without_line_ends_is_cut_into_lines() {
    let place = Workplace::new();
    let recipe = place.shell("vanilla", "head -c 1000000 /dev/zero | tr '\\0' x");
    let (mut lines, mut longest) = (0, 0);
    place
        .images
        .build(&recipe, |line| {
            (lines, longest) = (lines + 1, longest.max(line.len()))
        })
        .await
        .unwrap();
    assert!(
        lines >= 50 && longest <= 16 * 1024,
        "{lines} lines, the longest of {longest} bytes"
    );
}

const IMAGES_OF_THE_KILLED: &str = "IMAGES_OF_THE_KILLED";

/// The other half of `a_killed_builder_leaves_nothing_half_made`.
#[tokio::test]
#[ignore = "builds for ever; started by another test, which kills it"]
async fn builds_until_it_is_killed() {
    let directory = PathBuf::from(std::env::var_os(IMAGES_OF_THE_KILLED).unwrap());
    let images = Images::open(directory.join("images")).unwrap();
    let service = || "crystal".parse().unwrap();
    let endless = "echo $$ > ../../../../pid; while echo tick; do sleep 0.05; done";
    let mut recipe = Recipe::new(service(), service(), directory.join("source"));
    recipe.build = Some(BuildCommand::Shell(endless.to_owned()));
    let result = images
        .build(&recipe, |_| {})
        .await
        .map(|_| ())
        .map_err(|error: ImageError| error.to_string());
    panic!("the build ended: {result:?}");
}

#[tokio::test]
async fn a_killed_builder_leaves_nothing_half_made() {
    let place = Workplace::new();
    let mut builder = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "interrupted::builds_until_it_is_killed",
            "--ignored",
        ])
        .env(IMAGES_OF_THE_KILLED, place.path(""))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = place.path("pid");
    until("it builds", || {
        fs::read(&pid).is_ok_and(|number| number.ends_with(b"\n"))
    })
    .await;

    // While it lives, its workspace is its own.
    Images::open(place.path("images")).unwrap();
    assert_eq!(place.names("images/building").len(), 1);
    builder.kill().await.unwrap();
    until("the command has noticed", || !is_alive(&pid)).await;

    let images = Images::open(place.path("images")).unwrap();
    assert_eq!(place.names("images/building"), [""; 0]);
    assert_eq!(images.list().unwrap(), []);
    assert!(place.build(&place.recipe("vanilla")).await.is_ok());
}
