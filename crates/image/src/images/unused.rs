//! Removes what no tag leads to.

use std::collections::BTreeSet;
use std::path::Path;

use super::records::{self, InputRecord};
use super::{ImageError, Images};
use crate::digest::Digest;
use crate::disk;

impl Images {
    /// Removes the versions that no tag stands for, with their records and logs, and says which
    /// those were.
    pub fn remove_unused(&self) -> Result<Vec<Digest>, ImageError> {
        let _lock = self.lock()?;
        let tagged = self.list()?.into_iter();
        let used: BTreeSet<Digest> = tagged.map(|version| version.digest).collect();
        for path in disk::list(&self.directory.join("inputs"))? {
            // What has another name is a draft that a crash has left.
            let record: Option<InputRecord> = match digest_in_name(&path) {
                Some(_) => records::read(&path)?,
                None => None,
            };
            if record.is_none_or(|record| !used.contains(&record.content)) {
                disk::remove(&path)?;
            }
        }
        for log in disk::list(&self.directory.join("logs"))? {
            if digest_in_name(&log).is_none_or(|input| !self.is_known(&input)) {
                disk::remove(&log)?;
            }
        }
        let versions = disk::list(&self.directory.join("versions"))?;
        let digests = versions.iter().filter_map(|path| digest_in_name(path));
        let unused: Vec<Digest> = digests.filter(|digest| !used.contains(digest)).collect();
        for digest in &unused {
            // Moved away first: a crash in the middle must not leave a part of a version where a
            // whole one is expected.
            let away = self.workspaces().join(digest.hex());
            disk::rename(&self.version(digest), &away)?;
            disk::remove(&away)?;
        }
        Ok(unused)
    }

    /// Whether an input was built, or is being built.
    fn is_known(&self, input: &Digest) -> bool {
        self.input(input).exists() || self.workspaces().join(input.hex()).exists()
    }
}

/// The digest that a file is named after.
fn digest_in_name(path: &Path) -> Option<Digest> {
    Digest::of_hex(path.file_stem()?.to_str()?)
}
