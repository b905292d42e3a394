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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    version: Option<String>,
    task: Option<u32>,
    #[serde(default)]
    follow: bool,
    lines: Option<usize>,
}

/// The last lines of a service's tasks, each behind its task's id.
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
        for (id, path) in wanted(&server, &service, &query) {
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

fn wanted(server: &Releases, service: &str, query: &LogsQuery) -> Vec<(String, PathBuf)> {
    let fleet = server.engine.fleet();
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
    use super::LogFile;
    use std::io::Write;

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
