//! The files that access logs go to: one writing thread for each, whichever workers and listeners share it.
//!
//! A file is opened to append, and again when its path leads elsewhere, as after a rotation. The thread ends
//! with the last worker that has the file.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::clock;

/// Buffers that wait for the disk: at most 2 MiB a file.
const MOST_WAITING: usize = 64;
const LOOKS_FOR_ROTATION: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Files {
    open: Mutex<HashMap<String, Weak<File>>>,
}

#[derive(Debug)]
pub(super) struct File {
    chunks: SyncSender<Chunk>,
    lost: Arc<AtomicU64>,
}

/// Whole lines.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u64,
}

impl Files {
    /// The file at `path`, which is opened when the first lines come.
    pub(super) fn at(&self, path: &str) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(path).and_then(Weak::upgrade) {
            return Ok(file);
        }
        open.retain(|_, file| file.strong_count() > 0);
        let (chunks, waiting) = sync_channel(MOST_WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let mut writer = Writer {
            path: path.to_owned(),
            file: None,
            lost: Arc::clone(&lost),
        };
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.run(&waiting))?;
        let file = Arc::new(File { chunks, lost });
        open.insert(path.to_owned(), Arc::downgrade(&file));
        Ok(file)
    }
}

impl File {
    /// Never waits.
    pub(super) fn hand(&self, chunk: Chunk) {
        let lines = chunk.lines;
        if self.chunks.try_send(chunk).is_err() {
            self.lost.fetch_add(lines, Ordering::Relaxed);
        }
    }
}

struct Writer {
    path: String,
    /// With the device and inode that tell it from others.
    file: Option<(std::fs::File, (u64, u64))>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(&mut self, waiting: &Receiver<Chunk>) {
        let mut looked = None;
        while let Ok(chunk) = waiting.recv() {
            let now = clock::now();
            if looked.is_none_or(|at| now.duration_since(at) >= LOOKS_FOR_ROTATION) {
                looked = Some(now);
                self.follow_rotation();
                self.tell_losses();
            }
            if let Err(error) = self.write(&chunk.bytes) {
                tracing::warn!(path = self.path, %error, "an access log cannot be written");
                self.lost.fetch_add(chunk.lines, Ordering::Relaxed);
                self.file = None;
            }
        }
        self.tell_losses();
    }

    fn follow_rotation(&mut self) {
        let now = std::fs::metadata(&self.path).map(|found| identity(&found));
        if let Some((_, opened)) = &self.file
            && now.ok().as_ref() != Some(opened)
        {
            self.file = None;
        }
    }

    fn tell_losses(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(path = self.path, lost, "lines of an access log were lost");
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // They may be sockets, which cannot be opened by a path.
        match self.path.as_str() {
            "/dev/stdout" => return write_whole(io::stdout().lock(), bytes),
            "/dev/stderr" => return write_whole(io::stderr().lock(), bytes),
            _ => {}
        }
        let file = match &mut self.file {
            Some((file, _)) => file,
            none => {
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&self.path)?;
                let identity = identity(&file.metadata()?);
                &mut none.insert((file, identity)).0
            }
        };
        file.write_all(bytes)
    }
}

fn write_whole(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
