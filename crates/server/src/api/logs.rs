//! Logs: what tasks and builds wrote.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use compute::Fleet;
use http_body_util::channel::{Channel, Sender};
use serde::Deserialize;

use super::Releases;
use super::problem::Refusal;
use super::releases::find;
use super::types::Problem;
use crate::engine;

/// How often log files are looked at for more.
const POLL: Duration = Duration::from_millis(250);

/// How far back a file is searched for its last lines.
const TAIL: u64 = 1024 * 1024;

const DEFAULT_LINES: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    version: Option<String>,
    task: Option<u32>,
    #[serde(default)]
    follow: bool,
    lines: Option<usize>,
}

/// The last lines of a service's tasks, each behind its task's id. A version or task that does not run is
/// not found.
#[utoipa::path(
    get,
    path = "/v1/services/{service}/logs",
    params(
        ("service" = String, Path, description = "the service's name in the manifest"),
        ("version" = Option<String>, Query, description = "only this version's tasks"),
        ("task" = Option<u32>, Query, description = "only the task of this index"),
        ("follow" = Option<bool>, Query, description = "go on with new lines"),
        ("lines" = Option<usize>, Query, description = "last lines of each task to begin with, 100 unless given")
    ),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn logs(
    server: Releases,
    Path(service): Path<String>,
    Query(query): Query<LogsQuery>,
) -> Result<Response, Refusal> {
    if !server
        .engine
        .manifest
        .services
        .contains_key(service.as_str())
    {
        return Err(engine::Error::NoService(service).into());
    }
    if let Some((message, hint)) = unknown(&server.engine.fleet(), &service, &query) {
        return Err(Refusal::not_found(message, &hint));
    }
    let (sender, body) = Channel::<Bytes>::new(16);
    tokio::spawn(send(server, service, query, sender));
    Ok(text(Body::new(body)))
}

/// What a release's build wrote.
#[utoipa::path(
    get,
    path = "/v1/releases/{id}/build-log",
    params(("id" = String, Path, description = "a release (crystal-2), or a service for its running, else last one")),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn build_log(
    server: Releases,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id = find(&server, &id).await?.id.clone();
    let path = server.engine.actuator.layout.build_log(&id);
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(text(Body::from(bytes))),
        // A build that has not begun has written nothing yet.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(text(Body::empty())),
        Err(error) => Err(Refusal::internal(&error)),
    }
}

fn text(body: Body) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

/// Ends when the caller is gone or the server stops; without `follow` after what is there.
async fn send(server: Releases, service: String, query: LogsQuery, mut to: Sender<Bytes>) {
    let lines = query.lines.unwrap_or(DEFAULT_LINES);
    let mut files: BTreeMap<String, LogFile> = BTreeMap::new();
    let mut stopping = server.stopping.clone();
    loop {
        for (id, path) in wanted(&server.engine.fleet(), &service, &query) {
            let file = files
                .entry(id.clone())
                .or_insert_with(|| LogFile::new(path, lines));
            let fresh = file.fresh_lines();
            if !fresh.is_empty() {
                let text: String = fresh
                    .iter()
                    .map(|line| format!("[{id}] {line}\n"))
                    .collect();
                if to.send_data(text.into()).await.is_err() {
                    return;
                }
            }
        }
        if !query.follow {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// That no task is the one asked for, and which there are.
fn unknown(fleet: &Fleet, service: &str, query: &LogsQuery) -> Option<(String, String)> {
    let asked = match (&query.version, query.task) {
        (None, None) => return None,
        (Some(version), None) => format!("version {version} of {service} has no tasks"),
        (None, Some(task)) => format!("{service} has no task {task}"),
        (Some(version), Some(task)) => {
            format!("version {version} of {service} has no task {task}")
        }
    };
    if !wanted(fleet, service, query).is_empty() {
        return None;
    }
    let all = LogsQuery::default();
    let tasks: Vec<String> = wanted(fleet, service, &all)
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    let hint = match tasks.is_empty() {
        true => "no task of it runs now".to_owned(),
        false => format!("these run: {}", tasks.join(", ")),
    };
    Some((asked, hint))
}

fn wanted(fleet: &Fleet, service: &str, query: &LogsQuery) -> Vec<(String, PathBuf)> {
    let sets = fleet.task_sets.iter().filter(|(id, _)| {
        id.service == service
            && query
                .version
                .as_ref()
                .is_none_or(|version| *version == id.version)
    });
    let tasks = sets.flat_map(|(_, set)| &set.tasks);
    let tasks = tasks.filter(|task| query.task.is_none_or(|index| index == task.index));
    tasks
        .map(|task| (task.id.clone(), task.log.clone()))
        .collect()
}

/// A log file and how far it was read.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    read: Option<u64>,
    first_lines: usize,
    /// A line that has not ended yet.
    partial: Vec<u8>,
}

impl LogFile {
    fn new(path: PathBuf, first_lines: usize) -> Self {
        Self {
            path,
            read: None,
            first_lines,
            partial: Vec::new(),
        }
    }

    /// Whole lines since the last call. A file that cannot be read has none.
    fn fresh_lines(&mut self) -> Vec<String> {
        let first = self.read.is_none();
        let mut lines = self.read_on().unwrap_or_default();
        if first && lines.len() > self.first_lines {
            lines.drain(..lines.len() - self.first_lines);
        }
        lines
    }

    fn read_on(&mut self) -> std::io::Result<Vec<String>> {
        let mut file = std::fs::File::open(&self.path)?;
        let length = file.metadata()?.len();
        let from = match self.read {
            None => length.saturating_sub(TAIL),
            // The driver cut the log, or began another.
            Some(read) if read > length => 0,
            Some(read) => read,
        };
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = std::mem::take(&mut self.partial);
        file.take(length - from).read_to_end(&mut bytes)?;
        self.read = Some(length);
        let end = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        self.partial = bytes.split_off(end);
        Ok(String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use compute::{Task, TaskSetId, TaskSetStatus, TaskState};

    use super::*;

    fn fleet(sets: &[(&str, &str, u32)]) -> Fleet {
        let task = |service: &str, version: &str, index| Task {
            id: format!("{service}/{version}/{index}"),
            index,
            outdated: false,
            address: ([127, 0, 0, 1], 1).into(),
            state: TaskState::Healthy,
            pid: None,
            restarts: 0,
            last_exit: None,
            probe_failure: None,
            log: "log".into(),
        };
        let sets = sets.iter().map(|&(service, version, desired)| {
            let id = TaskSetId {
                service: service.to_owned(),
                version: version.to_owned(),
            };
            let set = TaskSetStatus {
                desired,
                draining: false,
                tasks: (0..desired)
                    .map(|index| task(service, version, index))
                    .collect(),
            };
            (id, set)
        });
        Fleet {
            task_sets: sets.collect(),
        }
    }

    #[test]
    fn what_does_not_run_is_answered_with_what_does() {
        let fleet = fleet(&[
            ("crystal", "epoch", 1),
            ("crystal", "vanilla", 2),
            ("shop", "v1", 1),
        ]);
        let ask = |service: &str, version: Option<&str>, task| {
            let query = LogsQuery {
                version: version.map(str::to_owned),
                task,
                ..LogsQuery::default()
            };
            unknown(&fleet, service, &query)
        };
        assert_eq!(ask("crystal", None, None), None);
        assert_eq!(ask("crystal", Some("epoch"), Some(0)), None);
        let (message, hint) = ask("crystal", Some("epoch"), Some(1)).unwrap();
        assert_eq!(message, "version epoch of crystal has no task 1");
        assert_eq!(
            hint,
            "these run: crystal/epoch/0, crystal/vanilla/0, crystal/vanilla/1"
        );
        let (message, _) = ask("crystal", Some("v1"), None).unwrap();
        assert_eq!(message, "version v1 of crystal has no tasks");
        let (_, hint) = ask("other", None, Some(0)).unwrap();
        assert_eq!(hint, "no task of it runs now");
    }

    #[test]
    fn a_log_is_read_from_its_last_lines_on_and_only_in_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("task.log");
        let mut log = LogFile::new(path.clone(), 2);
        assert!(log.fresh_lines().is_empty(), "no file yet");
        let mut file = std::fs::File::create(&path).unwrap();
        write!(file, "1\n2\n3\nfo").unwrap();
        assert_eq!(log.fresh_lines(), ["2", "3"]);
        write!(file, "ur\n5\n").unwrap();
        assert_eq!(log.fresh_lines(), ["four", "5"]);
        std::fs::write(&path, "again\n").unwrap();
        assert_eq!(log.fresh_lines(), ["again"]);
    }
}
