//! What a task set must be before it is taken. Past this point nothing looks again, except that a
//! program or a directory may have gone by the time a task starts.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::launch::{RESERVED, find_program};
use crate::driver::{Error, HealthProbe, TaskSet};

const MOST_TASKS: u32 = 1_000;
const LONGEST_NAME: usize = 128;
const LONGEST_TIME: Duration = Duration::from_secs(24 * 3600);

/// The set with an absolute artifact directory. Touches the file system.
pub(super) fn check(mut desired: TaskSet, state: &Path) -> Result<TaskSet, Error> {
    let checked = check_names(&desired)
        .and_then(|()| check_numbers(&desired))
        .and_then(|()| check_artifact(&mut desired, state))
        .and_then(|()| check_environment(&desired))
        .and_then(|()| check_command(&desired));
    match checked {
        Ok(()) => Ok(desired),
        Err(reason) => Err(Error::Invalid {
            id: desired.id,
            reason,
        }),
    }
}

/// Both become names of directories.
fn check_names(desired: &TaskSet) -> Result<(), String> {
    for (what, name) in [
        ("service", &desired.id.service),
        ("version", &desired.id.version),
    ] {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !starts_well || !name.bytes().all(plain) || name.len() > LONGEST_NAME {
            return Err(format!(
                "the {what} `{name}` must begin with a letter or digit, go on with letters, digits, \
                 `.`, `_` and `-`, and be no longer than {LONGEST_NAME}"
            ));
        }
    }
    Ok(())
}

fn check_numbers(desired: &TaskSet) -> Result<(), String> {
    if desired.count > MOST_TASKS {
        return Err(format!(
            "{} tasks are wished for; one machine runs at most {MOST_TASKS} of a set",
            desired.count
        ));
    }
    if desired.stop_grace > LONGEST_TIME {
        return Err(format!("the stop grace must be at most {LONGEST_TIME:?}"));
    }
    desired.health.as_ref().map_or(Ok(()), check_health)
}

fn check_health(health: &HealthProbe) -> Result<(), String> {
    let visible = |byte: u8| byte.is_ascii_graphic();
    if !health.path.starts_with('/') || !health.path.bytes().all(visible) {
        return Err(format!(
            "the health path `{}` must begin with `/` and hold visible ASCII only",
            health.path.escape_debug()
        ));
    }
    for (what, time) in [("interval", health.interval), ("timeout", health.timeout)] {
        if time.is_zero() || time > LONGEST_TIME {
            return Err(format!(
                "the health {what} must be more than zero and at most {LONGEST_TIME:?}"
            ));
        }
    }
    if health.healthy_threshold == 0 || health.unhealthy_threshold == 0 {
        return Err("the health thresholds must be at least 1".to_owned());
    }
    Ok(())
}

fn check_artifact(desired: &mut TaskSet, state: &Path) -> Result<(), String> {
    let named = desired.artifact.display().to_string();
    let directory = desired
        .artifact
        .canonicalize()
        .map_err(|error| format!("the artifact directory {named} cannot be read: {error}"))?;
    if !directory.is_dir() {
        return Err(format!("the artifact {named} is not a directory"));
    }
    if state.starts_with(&directory) {
        return Err(format!(
            "the artifact directory {named} holds the state directory {}, so it cannot be copied \
             into it",
            state.display()
        ));
    }
    desired.artifact = directory;
    Ok(())
}

fn check_environment(desired: &TaskSet) -> Result<(), String> {
    for (name, value) in &desired.environment {
        if RESERVED.contains(&name.as_str()) {
            return Err(format!(
                "the environment sets {name}, which is set by the driver"
            ));
        }
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!(
                "the environment variable `{}` has an impossible name or value",
                name.escape_debug()
            ));
        }
    }
    Ok(())
}

fn check_command(desired: &TaskSet) -> Result<(), String> {
    let Some(program) = desired
        .command
        .first()
        .filter(|program| !program.is_empty())
    else {
        return Err("the command is empty".to_owned());
    };
    if desired.command.iter().any(|part| part.contains('\0')) {
        return Err("the command holds a NUL character".to_owned());
    }
    let search_path = match desired.environment.get("PATH") {
        Some(path) => Some(OsString::from(path)),
        None => env::var_os("PATH"),
    };
    find_program(program, &desired.artifact, search_path.as_ref())
        .map(drop)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::driver::TaskSetId;

    fn good(artifact: &Path) -> TaskSet {
        TaskSet {
            id: TaskSetId {
                service: "crystal".to_owned(),
                version: "v1.2_b-3".to_owned(),
            },
            artifact: artifact.to_owned(),
            command: vec!["true".to_owned()],
            environment: BTreeMap::from([("ZONE".to_owned(), "a={task}".to_owned())]),
            count: 1,
            health: Some(HealthProbe {
                path: "/health?deep=1".to_owned(),
                interval: Duration::from_secs(1),
                timeout: Duration::from_secs(1),
                healthy_threshold: 1,
                unhealthy_threshold: 1,
            }),
            stop_grace: Duration::ZERO,
        }
    }

    #[test]
    fn every_fault_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let artifact = directory.path().join("artifact");
        let state = directory.path().join("state");
        std::fs::create_dir_all(&artifact).unwrap();
        std::fs::create_dir_all(&state).unwrap();
        let state = state.canonicalize().unwrap();
        assert!(check(good(&artifact), &state).is_ok());

        type Spoil<'a> = &'a dyn Fn(&mut TaskSet);
        let health = |spoil: fn(&mut HealthProbe)| {
            move |set: &mut TaskSet| spoil(set.health.as_mut().unwrap())
        };
        let faults: &[(&str, Spoil)] = &[
            ("service ``", &|set| set.id.service.clear()),
            ("version `..`", &|set| set.id.version = "..".to_owned()),
            ("version `a/b`", &|set| set.id.version = "a/b".to_owned()),
            ("service `é`", &|set| set.id.service = "é".to_owned()),
            ("no longer than", &|set| set.id.version = "v".repeat(200)),
            ("4294967295 tasks", &|set| set.count = u32::MAX),
            ("stop grace", &|set| set.stop_grace = Duration::MAX),
            ("health path", &health(|health| health.path.clear())),
            (
                "health path `/\\r\\nHost:`",
                &health(|health| health.path = "/\r\nHost:".to_owned()),
            ),
            (
                "health interval",
                &health(|health| health.interval = Duration::ZERO),
            ),
            (
                "health timeout",
                &health(|health| health.timeout = Duration::MAX),
            ),
            (
                "health thresholds",
                &health(|health| health.unhealthy_threshold = 0),
            ),
            ("cannot be read", &|set| {
                set.artifact = set.artifact.join("absent");
            }),
            ("not a directory", &|set| set.artifact = "/bin/true".into()),
            ("holds the state directory", &|set| {
                set.artifact = set.artifact.join("..");
            }),
            ("sets PORT", &|set| {
                set.environment.insert("PORT".to_owned(), "80".to_owned());
            }),
            ("impossible name", &|set| {
                set.environment.insert("A=B".to_owned(), String::new());
            }),
            ("impossible name or value", &|set| {
                set.environment.insert("A".to_owned(), "\0".to_owned());
            }),
            ("command is empty", &|set| set.command.clear()),
            ("command is empty", &|set| set.command = vec![String::new()]),
            ("NUL", &|set| set.command.push("\0".to_owned())),
            ("program absent-program was not found", &|set| {
                set.command = vec!["absent-program".to_owned()];
            }),
            ("program ./absent was not found", &|set| {
                set.command = vec!["./absent".to_owned()];
            }),
        ];
        for (words, spoil) in faults {
            let mut set = good(&artifact);
            spoil(&mut set);
            let error = check(set, &state).unwrap_err().to_string();
            assert!(error.contains(words), "{error:?} does not say {words:?}");
        }
    }
}
