//! What the binary says without a server: help, refusals with hints, exit codes, and who hears what.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn serin(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_serin"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("SERIN_SERVER")
        .env_remove("SERIN_TOKEN")
        .output()
        .unwrap()
}

/// Exit code, standard output and standard error.
fn outcome(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn here() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn help_names_every_command_and_every_exit_code() {
    let (code, stdout, stderr) = outcome(&serin(here().path(), &["--help"]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    for command in [
        "demo",
        "up",
        "serve",
        "release",
        "follow",
        "status",
        "set",
        "hold",
        "resume",
        "promote",
        "rollback",
        "why",
        "patch",
        "logs",
        "check",
        "completions",
        "help",
    ] {
        assert!(
            stdout.contains(&format!("\n  {command} ")),
            "{command} is missing:\n{stdout}"
        );
    }
    assert!(!stdout.contains("reaper"), "{stdout}");
    for code in ["0", "1", "2", "3", "4", "5", "20", "130"] {
        assert!(
            stdout.contains(&format!("\n  {code:>3}  ")),
            "exit code {code} is missing:\n{stdout}"
        );
    }
}

#[test]
fn without_arguments_there_is_help() {
    let (code, stdout, stderr) = outcome(&serin(here().path(), &[]));
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("Usage: serin"), "{stderr}");
}

#[test]
fn bad_arguments_are_usage_errors_that_say_what_is_wrong() {
    for (arguments, words) in [
        (&["release"][..], "<SERVICE>"),
        (&["set", "crystal", "101%"], "percentage between 0 and 100"),
        (&["set", "crystal", "lots"], "percentage between 0 and 100"),
        (&["plan", "--rate", "-1"], "a number above 0"),
        (&["plan", "--rate", "many"], "a number above 0"),
        (&["plan", "--false-rollback", "2"], "a probability from"),
        (&["logs", "crystal", "--task", "x"], "a whole number"),
        (
            &["serve", "--api", "localhost:80"],
            "an IP address and a port",
        ),
        (
            &["release", "crystal", "--step-time", "5"],
            "a number and a unit",
        ),
        (&["demo", "--crystal", "--rust"], "cannot be used with"),
        (
            &["status", "--server", "localhost"],
            "is no address of a server",
        ),
        (
            &["release", "crystal", "--policy", "auto", "--steps", "5,100"],
            "belong to --policy steps",
        ),
    ] {
        let (code, stdout, stderr) = outcome(&serin(here().path(), arguments));
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}

#[test]
fn where_no_server_runs_every_command_says_so() {
    for arguments in [
        &["status"][..],
        &["release", "crystal"],
        &["follow", "crystal"],
        &["why", "crystal-1"],
        &["logs", "crystal"],
        &["set", "crystal", "12.5%"],
        &["hold", "crystal"],
        &["resume", "crystal"],
        &["promote", "crystal"],
        &["rollback", "crystal"],
    ] {
        let (code, stdout, stderr) = outcome(&serin(here().path(), arguments));
        assert_eq!((code, stdout.as_str()), (5, ""), "{arguments:?}");
        assert_eq!(
            stderr,
            "error: no server runs here: there is no .serin/server.json\n\n\
             hint: `serin up` starts one; --state or --server names another\n",
        );
    }
}

#[test]
fn a_server_that_is_gone_is_unreachable() {
    let directory = here();
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, _, stderr) = outcome(&serin(
        directory.path(),
        &["status", "--server", &format!("http://{unused}")],
    ));
    assert_eq!(code, 5);
    assert!(
        stderr.starts_with(&format!(
            "error: no server answers at http://{unused}\n  because: "
        )),
        "{stderr}"
    );
    assert!(
        stderr.contains("\n\nhint: --server (or SERIN_SERVER) names it"),
        "{stderr}"
    );

    // Left by one that was killed.
    let state = directory.path().join(".serin");
    std::fs::create_dir(&state).unwrap();
    let record = format!(r#"{{"api":"http://{unused}","token":"t","pid":1,"gateway":null}}"#);
    std::fs::write(state.join("server.json"), record).unwrap();
    let (code, _, stderr) = outcome(&serin(directory.path(), &["status"]));
    assert_eq!(code, 5);
    assert!(
        stderr.contains("\n\nhint: `serin up` starts the server again"),
        "{stderr}"
    );
}

#[test]
fn a_manifest_that_is_missing_or_wrong_is_refused_before_anything_starts() {
    let directory = here();
    let (code, _, stderr) = outcome(&serin(directory.path(), &["up"]));
    assert_eq!(code, 3);
    assert!(
        stderr.starts_with("error: could not read serin.yaml\n  because: No such file"),
        "{stderr}"
    );

    let manifest = "mesh: shop\nservices:\n  crystal:\n    run: ./server\n    taks: 3\n";
    std::fs::write(directory.path().join("serin.yaml"), manifest).unwrap();
    let (code, _, stderr) = outcome(&serin(directory.path(), &["up"]));
    assert_eq!(code, 3);
    assert!(
        stderr.starts_with(
            "error: the manifest serin.yaml is refused\n  because: unknown field `taks`"
        ) && stderr.contains("line 5")
            && stderr.contains("\n     5 |     taks: 3\n"),
        "{stderr}"
    );
    assert_eq!(stderr.matches("unknown field").count(), 1, "{stderr}");
    assert!(
        !directory.path().join(".serin").exists(),
        "something was started"
    );
}

const PATCH: &str = "\
diff --git a/hello.txt b/hello.txt
--- a/hello.txt
+++ b/hello.txt
@@ -1,2 +1,3 @@
 one
-two
+zwei
+drei
";

#[test]
fn a_patch_shows_what_it_changes_and_whether_it_applies() {
    let directory = here();
    std::fs::write(directory.path().join("change.patch"), PATCH).unwrap();
    std::fs::create_dir(directory.path().join("source")).unwrap();
    let source = directory.path().join("source/hello.txt");

    let (code, stdout, stderr) = outcome(&serin(
        directory.path(),
        &["patch", "--stat", "change.patch"],
    ));
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (
            0,
            "hello.txt  3  ++-\n1 file changed, 2 lines added, 1 line removed\n",
            ""
        )
    );

    let (_, stdout, _) = outcome(&serin(
        directory.path(),
        &["patch", "--stat", "change.patch", "-o", "json"],
    ));
    assert_eq!(
        stdout,
        "[{\"path\":\"hello.txt\",\"added\":2,\"removed\":1}]\n"
    );

    std::fs::write(&source, "one\ntwo\n").unwrap();
    let check = ["patch", "--stat", "change.patch", "--check", "source"];
    let (code, _, stderr) = outcome(&serin(directory.path(), &check));
    assert_eq!((code, stderr.as_str()), (0, "applies to source\n"));
    assert_eq!(std::fs::read_to_string(&source).unwrap(), "one\ntwo\n");
    let (code, stdout, _) = outcome(&serin(
        directory.path(),
        &[&check[..], &["-o", "json"]].concat(),
    ));
    assert_eq!(
        (code, stdout.as_str()),
        (
            0,
            "{\"files\":[{\"path\":\"hello.txt\",\"added\":2,\"removed\":1}],\"appliesTo\":\"source\"}\n"
        )
    );

    std::fs::write(&source, "something else\n").unwrap();
    let (code, _, stderr) = outcome(&serin(directory.path(), &check));
    assert_eq!(code, 3);
    assert!(
        stderr.starts_with("error: the patch change.patch does not apply to source\n  because: "),
        "{stderr}"
    );
    assert!(stderr.contains("hello.txt"), "{stderr}");
}

#[test]
fn what_is_no_patch_is_refused() {
    let directory = here();
    std::fs::write(
        directory.path().join("bad.patch"),
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n",
    )
    .unwrap();
    let (code, stdout, stderr) =
        outcome(&serin(directory.path(), &["patch", "--stat", "bad.patch"]));
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert!(
        stderr.starts_with("error: the patch bad.patch is refused\n  because: "),
        "{stderr}"
    );
    let (code, _, stderr) = outcome(&serin(directory.path(), &["patch", "--stat", "none.patch"]));
    assert_eq!(code, 3);
    assert!(
        stderr.starts_with("error: could not read the patch none.patch\n"),
        "{stderr}"
    );
}

#[test]
fn completions_are_a_script_of_the_shell() {
    for (shell, words) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef serin"),
        ("fish", "complete -c serin"),
    ] {
        let (code, stdout, stderr) = outcome(&serin(here().path(), &["completions", shell]));
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.contains(words), "{shell}");
    }
}

#[test]
fn colour_is_for_those_who_ask_or_can_see_it() {
    let (_, _, stderr) = outcome(&serin(here().path(), &["status"]));
    assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
    let (_, _, stderr) = outcome(&serin(here().path(), &["status", "--color", "always"]));
    assert!(
        stderr.starts_with("\u{1b}[1m\u{1b}[31merror: \u{1b}[0m"),
        "{stderr:?}"
    );
}
