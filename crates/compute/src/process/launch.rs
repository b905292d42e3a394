//! From the definition of a task to a running child.
//!
//! The child gets its own process group (a Ctrl-C in the server's terminal is not meant for it), nothing
//! to read, its log as output, and an environment of four parts: a few variables of the server that
//! programs rely on, the set's own, what the driver says of the task, and the marker it is found by.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::marker::{self, Marker};
use super::working_copy::CopyError;
use crate::driver::TaskSet;

/// Taken over from the server. Everything else, secrets above all, stays with the server.
const INHERITED: [&str; 8] = [
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
];

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const BUSY_ATTEMPTS: u32 = 100;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Set by the driver; a task set may not set them.
pub(super) const RESERVED: [&str; 5] = [
    "PORT",
    "SERIN_SERVICE",
    "SERIN_VERSION",
    "SERIN_TASK",
    marker::VARIABLE,
];

/// Why a task could not be started; it becomes the task's `last_exit`.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("could not start: the command is empty")]
    NoCommand,
    #[error("could not start: program {program} was not found in {searched}")]
    NotFound { program: String, searched: String },
    #[error("could not start: {path} is not an executable file")]
    NotExecutable { path: PathBuf },
    #[error("could not start: running {program} failed (is its interpreter there?): {source}")]
    Spawn { program: PathBuf, source: io::Error },
    #[error("could not start: {}", with_source(.0))]
    WorkingCopy(#[from] CopyError),
    #[error("could not start: {operation}: {source}")]
    Prepare {
        operation: &'static str,
        source: io::Error,
    },
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A task that has everything it needs to run.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub definition: &'a TaskSet,
    pub index: u32,
    pub port: u16,
    pub working_copy: &'a Path,
    pub log: File,
    pub marker: &'a Marker,
}

impl Launch<'_> {
    pub(super) fn spawn(self) -> Result<Child, StartError> {
        let environment = self.environment(|name| env::var_os(name));
        let (program, arguments) = self
            .definition
            .command
            .split_first()
            .ok_or(StartError::NoCommand)?;
        let program = find_program(
            &self.fill_in(program),
            self.working_copy,
            environment.get(OsStr::new("PATH")),
        )?;
        let errors = self.log.try_clone().map_err(|source| StartError::Prepare {
            operation: "duplicate the log's descriptor",
            source,
        })?;
        let mut command = Command::new(&program);
        command
            .args(arguments.iter().map(|argument| self.fill_in(argument)))
            .env_clear()
            .envs(&environment)
            .current_dir(self.working_copy)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(self.log)
            .stderr(errors);
        once_not_busy(|| command.spawn()).map_err(|source| StartError::Spawn { program, source })
    }

    fn environment(
        &self,
        of_server: impl Fn(&str) -> Option<OsString>,
    ) -> BTreeMap<OsString, OsString> {
        let id = &self.definition.id;
        let inherited = INHERITED
            .iter()
            .filter_map(|name| Some((OsString::from(name), of_server(name)?)));
        let own = self
            .definition
            .environment
            .iter()
            .map(|(name, value)| (name.into(), self.fill_in(value).into()));
        let of_task = [
            ("PORT", self.port.to_string()),
            ("SERIN_SERVICE", id.service.clone()),
            ("SERIN_VERSION", id.version.clone()),
            ("SERIN_TASK", self.index.to_string()),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let marker = (marker::VARIABLE.into(), self.marker.value().to_owned());
        std::iter::once(("PATH".into(), DEFAULT_PATH.into()))
            .chain(inherited)
            .chain(own)
            .chain(of_task)
            .chain([marker])
            .collect()
    }

    fn fill_in(&self, text: &str) -> String {
        text.replace("{task}", &self.index.to_string())
            .replace("{port}", &self.port.to_string())
    }
}

/// A program that was just copied may still be open for writing in a process that was forked meanwhile
/// and has not yet executed its own program (ETXTBSY, execve(2)). That takes milliseconds.
fn once_not_busy<T>(mut spawn: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..BUSY_ATTEMPTS {
        match spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                thread::sleep(BUSY_PAUSE);
            }
            result => return result,
        }
    }
    spawn()
}

/// As a shell finds it: a name in the search path, anything with a slash from `directory`.
pub(super) fn find_program(
    program: &str,
    directory: &Path,
    search_path: Option<&OsString>,
) -> Result<PathBuf, StartError> {
    let not_found = |searched: &OsStr| StartError::NotFound {
        program: program.to_owned(),
        searched: searched.to_string_lossy().into_owned(),
    };
    if program.contains('/') {
        let path = directory.join(program);
        return match path.metadata() {
            Err(_) => Err(not_found(directory.as_os_str())),
            Ok(_) if is_executable(&path) => Ok(path),
            Ok(_) => Err(StartError::NotExecutable { path }),
        };
    }
    let search_path = search_path.map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str);
    env::split_paths(search_path)
        .map(|entry| directory.join(entry).join(program))
        .find(|path| is_executable(path))
        .ok_or_else(|| not_found(search_path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::TaskSetId;

    #[test]
    fn a_program_that_is_still_open_for_writing_elsewhere_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::copy(find_program("true", directory.path(), None).unwrap(), &path).unwrap();
        let mut open = Some(File::options().append(true).open(&path).unwrap());
        let mut attempts = 0;
        let status = once_not_busy(|| {
            attempts += 1;
            if attempts == 3 {
                open = None;
            }
            Command::new(&path).status()
        });
        assert!(status.unwrap().success());
        assert_eq!(attempts, 3);
    }

    #[test]
    fn the_environment_has_four_parts_and_nothing_else() {
        let definition = TaskSet {
            id: TaskSetId {
                service: "crystal".to_owned(),
                version: "epoch".to_owned(),
            },
            artifact: "/artifact".into(),
            command: vec!["serve".to_owned()],
            environment: BTreeMap::from([
                ("ZONE".to_owned(), "zone-{task} at {port}".to_owned()),
                ("LANG".to_owned(), "C".to_owned()),
            ]),
            count: 3,
            health: None,
            stop_grace: Duration::ZERO,
        };
        let launch = Launch {
            definition: &definition,
            index: 2,
            port: 21_000,
            working_copy: Path::new("/copy"),
            log: tempfile::tempfile().unwrap(),
            marker: &Marker::new("run", Path::new("/state")),
        };
        let of_server = |name: &str| match name {
            "HOME" | "LANG" | "AWS_SECRET_ACCESS_KEY" => Some(OsString::from(name.to_lowercase())),
            _ => None,
        };
        let environment: Vec<String> = launch
            .environment(of_server)
            .into_iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        assert_eq!(
            environment,
            [
                "HOME=home",
                "LANG=C",
                &format!("PATH={DEFAULT_PATH}"),
                "PORT=21000",
                "SERIN_SERVICE=crystal",
                "SERIN_TASK=2",
                "SERIN_TASK_RUN=run@/state",
                "SERIN_VERSION=epoch",
                "ZONE=zone-2 at 21000",
            ]
        );
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        std::fs::create_dir(here.join("bin")).unwrap();
        std::fs::copy("/bin/true", here.join("bin/serve")).unwrap();
        std::fs::write(here.join("notes"), "").unwrap();

        let search_path = OsString::from("/nowhere:bin");
        let find = |program| {
            find_program(program, here, Some(&search_path)).map_err(|error| error.to_string())
        };
        assert_eq!(find("serve").unwrap(), here.join("bin/serve"));
        assert_eq!(find("bin/serve").unwrap(), here.join("bin/serve"));
        assert_eq!(find("./bin/serve").unwrap(), here.join("./bin/serve"));
        assert_eq!(find("/bin/true").unwrap(), Path::new("/bin/true"));
        assert_eq!(
            find("absent").unwrap_err(),
            "could not start: program absent was not found in /nowhere:bin"
        );
        assert_eq!(
            find("./notes").unwrap_err(),
            format!(
                "could not start: {} is not an executable file",
                here.join("./notes").display()
            )
        );
        assert_eq!(
            find("./bin").unwrap_err(),
            format!(
                "could not start: {} is not an executable file",
                here.join("./bin").display()
            )
        );
    }
}
