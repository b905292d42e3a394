//! One start of a task, and its undoing: directory, working copy, log, record, process, record.
//!
//! The record is written with the run's marker before there is a process. Wherever the server dies, the
//! next one finds the process by the marker.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Child;

use super::identity::Identity;
use super::launch::{Launch, StartError};
use super::layout::{self, Layout};
use super::marker::Marker;
use super::record::{self, RunRecord, TaskRecord};
use super::{log, working_copy};

/// Blocks. Keeps `record` as it is on disk.
pub(super) fn start(
    layout: &Layout,
    log_limit: u64,
    record: &mut TaskRecord,
) -> Result<(Child, Marker), StartError> {
    let id = &record.definition.id;
    let directory = layout.task(id, record.slot());
    let path = layout::task_record(&directory);
    let working_copy = layout::working_copy(&directory);
    if !path.exists() {
        // What lies here belongs to no task: half made, or half deleted.
        working_copy::delete(&directory).map_err(prepare("clear the task's directory"))?;
    }
    fs::create_dir_all(&directory).map_err(prepare("make the task's directory"))?;
    working_copy::make(&record.definition.artifact, &working_copy)?;
    let log =
        log::open(&layout.log(id, record.index), log_limit).map_err(prepare("open the log"))?;

    let name = fs::read_to_string("/proc/sys/kernel/random/uuid");
    let name = name.map_err(prepare("draw a name for the run"))?;
    let name = name.trim_end();
    record.run = Some(RunRecord {
        marker: name.to_owned(),
        process: None,
    });
    record::write(&path, record).map_err(prepare("write the task's record"))?;

    let marker = Marker::new(name, layout.root());
    let launch = Launch {
        definition: &record.definition,
        index: record.index,
        port: record.port,
        working_copy: &working_copy,
        log,
        marker: &marker,
    };
    let child = launch.spawn()?;
    record.run = Some(RunRecord {
        marker: name.to_owned(),
        process: Identity::of(child.id()).ok(),
    });
    if let Err(error) = record::write(&path, record) {
        tracing::warn!(path = %path.display(), %error, "could not write the pid of a task down");
    }
    Ok((child, marker))
}

/// Deletes what [`start`] made, but for the log. The record goes first, so that a half deleted task is
/// not taken for a living one.
pub(super) fn forget(directory: &Path) -> io::Result<()> {
    record::delete_durably(&layout::task_record(directory))?;
    working_copy::delete(directory)
}

pub(super) fn prepare(operation: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Prepare { operation, source }
}
