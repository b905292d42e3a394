//! What an earlier server left: its task sets and the tasks that still run.
//!
//! Task sets that cannot be read are set aside for a human to look at, and the others go on. A process
//! that carries our marker but belongs to no task we know is killed: nothing would ever stop it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::Identity;
use super::layout::{self, Layout};
use super::marker::{self, Marker};
use super::open_error::OpenError;
use super::record::{self, ReadError, SetRecord, TaskRecord};
use super::run::Run;
use super::working_copy;

#[derive(Debug)]
pub(super) struct Recovered {
    pub record: SetRecord,
    pub tasks: Vec<RecoveredTask>,
}

#[derive(Debug)]
pub(super) struct RecoveredTask {
    pub record: TaskRecord,
    /// `None`: it has ended, or was never started.
    pub run: Option<Run>,
}

/// Blocks; needs a runtime to watch what it adopts. The state must be locked.
pub(super) fn recover(layout: &Layout) -> Result<Vec<Recovered>, OpenError> {
    let mut sets = Vec::new();
    for directory in set_directories(layout)? {
        match read_set(layout, &directory) {
            Ok(Some(record)) => sets.push(Recovered {
                record,
                tasks: adopt_tasks(layout, &directory)?,
            }),
            // Half deleted, or not written yet.
            Ok(None) => delete(&directory),
            Err(ReadError::Malformed { path, source }) => {
                tracing::error!(path = %path.display(), error = %source, "set aside a task set");
                set_aside(layout, &directory)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    kill_strays(layout, &sets)?;
    Ok(sets)
}

/// Every recorded task, whether its set can be read or not. As [`recover`] in all else.
pub(super) fn all_tasks(layout: &Layout) -> Result<Vec<RecoveredTask>, OpenError> {
    let mut tasks = Vec::new();
    for directory in set_directories(layout)? {
        tasks.extend(adopt_tasks(layout, &directory)?);
    }
    Ok(tasks)
}

/// Only looks, so the state need not be locked.
pub(super) fn has_tasks(layout: &Layout) -> Result<bool, OpenError> {
    for directory in set_directories(layout)? {
        let tasks = subdirectories(&layout::tasks(&directory))?;
        if tasks.iter().any(|task| layout::task_record(task).exists()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn set_directories(layout: &Layout) -> Result<Vec<PathBuf>, OpenError> {
    let mut directories = Vec::new();
    for service in subdirectories(&layout.task_sets())? {
        directories.extend(subdirectories(&service)?);
    }
    Ok(directories)
}

fn read_set(layout: &Layout, directory: &Path) -> Result<Option<SetRecord>, ReadError> {
    let path = layout::set_record(directory);
    let record: Option<SetRecord> = record::read(&path)?;
    match record {
        Some(record) if layout.set(&record.desired.id) != directory => {
            Err(ReadError::misplaced(path))
        }
        record => Ok(record),
    }
}

fn adopt_tasks(layout: &Layout, set: &Path) -> Result<Vec<RecoveredTask>, OpenError> {
    let mut tasks = Vec::new();
    for directory in subdirectories(&layout::tasks(set))? {
        match read_task(layout, &directory) {
            Ok(Some(record)) => {
                let run = find_run(layout, &record)
                    .map_err(OpenError::io("adopt the task in", &directory))?;
                tasks.push(RecoveredTask { record, run });
            }
            Ok(None) => delete(&directory),
            Err(ReadError::Malformed { path, source }) => {
                tracing::error!(path = %path.display(), error = %source, "gave up a task");
                delete(&directory);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(tasks)
}

fn read_task(layout: &Layout, directory: &Path) -> Result<Option<TaskRecord>, ReadError> {
    let path = layout::task_record(directory);
    let record: Option<TaskRecord> = record::read(&path)?;
    match record {
        Some(record) if layout.task(&record.definition.id, record.slot()) != directory => {
            Err(ReadError::misplaced(path))
        }
        record => Ok(record),
    }
}

fn find_run(layout: &Layout, record: &TaskRecord) -> io::Result<Option<Run>> {
    let Some(run) = &record.run else {
        return Ok(None);
    };
    let marker = Marker::new(&run.marker, layout.root());
    match &run.process {
        Some(process) => Run::adopt(process, marker),
        None => find_unrecorded(marker),
    }
}

/// The server died between the start and its record. The task leads its process group.
fn find_unrecorded(marker: Marker) -> io::Result<Option<Run>> {
    let processes = marker.processes()?;
    let leader = processes
        .iter()
        .find(|process| process.pid == process.group);
    // Without an identity it has just ended.
    match leader.and_then(|leader| Identity::of(leader.pid).ok()) {
        Some(leader) => Run::adopt(&leader, marker),
        None => Ok(None),
    }
}

fn kill_strays(layout: &Layout, sets: &[Recovered]) -> Result<(), OpenError> {
    let adopted: Vec<&Marker> = sets
        .iter()
        .flat_map(|set| &set.tasks)
        .filter_map(|task| task.run.as_ref())
        .map(Run::marker)
        .collect();
    let killed = marker::kill_strays(layout.root(), &adopted)
        .map_err(OpenError::io("look for stray tasks of", layout.root()))?;
    if killed > 0 {
        tracing::warn!(killed, "killed processes that no task answers for");
    }
    Ok(())
}

fn set_aside(layout: &Layout, set: &Path) -> Result<(), OpenError> {
    let attic = layout.set_aside();
    fs::create_dir_all(&attic).map_err(OpenError::io("make the directory", &attic))?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
    let mut base = name(set.parent().unwrap_or(set));
    base.push("@");
    base.push(name(set));
    let free = (1_u32..)
        .map(|number| {
            let mut name = base.clone();
            name.push(format!(".{number}"));
            attic.join(name)
        })
        .find(|place| !place.exists());
    match free {
        Some(place) => fs::rename(set, place).map_err(OpenError::io("set aside", set)),
        None => Ok(()),
    }
}

fn subdirectories(directory: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let failed = || OpenError::io("list", directory);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed()(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed())?;
        if entry.file_type().map_err(failed())?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// What cannot be deleted is in nobody's way.
fn delete(directory: &Path) {
    if let Err(error) = working_copy::delete(directory) {
        tracing::warn!(directory = %directory.display(), %error, "could not delete");
    }
}
