//! Tags: the names that people give to versions.

use std::fs::File;

use super::records::{self, TagRecord};
use super::{ImageError, Images, Version, workspace};
use crate::digest::Digest;
use crate::disk;
use crate::name::Name;
use crate::patch::DiffStat;
use crate::recipe::Recipe;

/// The right to add and remove versions and tags, held as long as the value lives.
pub(super) struct Lock {
    _file: File,
}

impl Images {
    /// The version that a tag stands for.
    pub fn get(&self, service: &Name, tag: &Name) -> Result<Option<Version>, ImageError> {
        let record: Option<TagRecord> = records::read(&self.tag(service, tag))?;
        Ok(record
            .map(|record| self.describe(service, tag, record))
            .filter(|version| version.directory.is_dir()))
    }

    /// All tagged versions, by service and tag.
    pub fn list(&self) -> Result<Vec<Version>, ImageError> {
        let mut versions = Vec::new();
        for directory in disk::list(&self.directory.join("tags"))? {
            for path in disk::list(&directory)? {
                let service = directory.file_name().and_then(|name| name.to_str());
                let tag = path
                    .file_name()
                    .and_then(|name| name.to_str()?.strip_suffix(".json"));
                let (Some(Ok(service)), Some(Ok(tag))) =
                    (service.map(str::parse), tag.map(str::parse))
                else {
                    continue;
                };
                versions.extend(self.get(&service, &tag)?);
            }
        }
        Ok(versions)
    }

    /// Makes a tag stand for a version that is there already, whatever it stood for before. `from`
    /// is the version itself, under a tag of the same or of another service.
    pub fn retag(&self, service: &Name, tag: &Name, from: &Version) -> Result<Version, ImageError> {
        let lock = self.lock()?;
        let record = TagRecord {
            content: from.digest,
            diffstat: from.diffstat.clone(),
        };
        self.write_tag(service, tag, record, &lock)
    }

    /// Removes a tag; the version stays until [`Images::remove_unused`]. Says whether the tag was
    /// there.
    pub fn untag(&self, service: &Name, tag: &Name) -> Result<bool, ImageError> {
        let _lock = self.lock()?;
        let path = self.tag(service, tag);
        let there = path.exists();
        disk::remove(&path)?;
        Ok(there)
    }

    /// The digest that a tag stands for.
    pub(super) fn tagged(&self, service: &Name, tag: &Name) -> Result<Option<Digest>, ImageError> {
        Ok(self.get(service, tag)?.map(|version| version.digest))
    }

    /// Tags what a recipe made. The caller holds the lock.
    pub(super) fn tag_made(
        &self,
        recipe: &Recipe,
        content: Digest,
        diffstat: DiffStat,
        lock: &Lock,
    ) -> Result<Version, ImageError> {
        let (service, tag) = (&recipe.service, &recipe.tag);
        if let Some(current) = self.tagged(service, tag)?
            && current != content
            && !recipe.retag
        {
            let (service, tag) = (service.clone(), tag.clone());
            return Err(ImageError::TagTaken {
                service,
                tag,
                current,
                wanted: content,
            });
        }
        self.write_tag(service, tag, TagRecord { content, diffstat }, lock)
    }

    fn write_tag(
        &self,
        service: &Name,
        tag: &Name,
        record: TagRecord,
        _lock: &Lock,
    ) -> Result<Version, ImageError> {
        if !self.version(&record.content).is_dir() {
            let (service, tag) = (service.clone(), tag.clone());
            return Err(ImageError::NoVersion {
                service,
                tag,
                digest: record.content,
            });
        }
        let path = self.tag(service, tag);
        if let Some(directory) = path.parent() {
            disk::make_directory(directory)?;
        }
        records::write(&path, &record)?;
        Ok(self.describe(service, tag, record))
    }

    fn describe(&self, service: &Name, tag: &Name, record: TagRecord) -> Version {
        Version {
            service: service.clone(),
            tag: tag.clone(),
            digest: record.content,
            directory: self.version(&record.content),
            diffstat: record.diffstat,
        }
    }

    /// Waits until nobody else adds or removes versions and tags.
    pub(super) fn lock(&self) -> Result<Lock, ImageError> {
        Ok(Lock {
            _file: workspace::lock(&self.directory.join("lock"))?,
        })
    }
}
