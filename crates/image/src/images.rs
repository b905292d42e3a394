//! The versions on this machine.
//!
//! ```text
//! versions/<digest>/            the artifacts of a version, under the digest of their content
//! inputs/<digest>.json          what came of building an input: source, patches, command and so on
//! tags/<service>/<tag>.json     which version a tag stands for
//! logs/<digest of input>.log    the output of the build
//! building/<digest of input>/   a build under way
//! ```
//!
//! Versions never change. Each of them, and each record, appears by one rename after all that it
//! refers to: a crash at any instant leaves whole versions, and rubbish in `building` that the next
//! [`Images::open`] removes.

mod build;
mod records;
mod tags;
mod unused;
mod workspace;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::digest::Digest;
use crate::disk::{self, DiskError};
use crate::name::Name;
use crate::patch::{DiffStat, Refusal};
use crate::pattern::PatternError;
use crate::run::BuildError;

/// The versions kept in one directory.
#[derive(Clone, Debug)]
pub struct Images {
    directory: PathBuf,
}

/// Something a driver can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The service that it is a version of.
    pub service: Name,
    /// Its tag.
    pub tag: Name,
    /// The digest of its content.
    pub digest: Digest,
    /// Where its files are. They must not be changed.
    pub directory: PathBuf,
    /// What the patches changed in the source.
    pub diffstat: DiffStat,
}

/// A version, and how it came about.
#[derive(Clone, Debug)]
pub struct Built {
    /// The version.
    pub version: Version,
    /// Whether nothing had to be built, since nothing had changed.
    pub reused: bool,
    /// How long all of it took this time.
    pub took: Duration,
    /// The output of the build that made it; the file is empty if it needed no command.
    pub log: PathBuf,
}

/// What building a recipe would do.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// What the patches change in the source.
    pub diffstat: DiffStat,
    /// The digest of source, patches, command and environment.
    pub input: Digest,
    /// The digest of the version, if it was built before and would be reused.
    pub reused: Option<Digest>,
    /// The digest that the tag stands for now.
    pub tagged: Option<Digest>,
}

/// Why there is no version.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The source is not there.
    #[error(
        "cannot read the source of `{service}`: there is no directory {}; check `source` in the \
         manifest",
        path.display()
    )]
    NoSource {
        /// The service.
        service: Name,
        /// Where its source should be.
        path: PathBuf,
    },
    /// The source was written to while it was read.
    #[error(
        "the source {} changed while it was being copied; run the same again when it is at rest",
        path.display()
    )]
    SourceChanged {
        /// Where the source is.
        path: PathBuf,
    },
    /// A patch does not apply.
    #[error("cannot apply {}: {refusal}", path.display())]
    Patch {
        /// The patch file.
        path: PathBuf,
        /// What does not apply.
        refusal: Box<Refusal>,
    },
    /// The build command failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The build did not make what the recipe keeps.
    #[error(
        "the build of `{service}` made nothing that matches the artifact `{pattern}`; check \
         `artifacts` in the manifest, or the log {}",
        log.display()
    )]
    NoArtifact {
        /// The service.
        service: Name,
        /// The pattern without a match.
        pattern: String,
        /// The output of the build.
        log: PathBuf,
    },
    /// The tag stands for something else.
    #[error(
        "cannot tag {wanted} as `{service}:{tag}`: that tag stands for {current}; take \
         another tag, or move this one explicitly"
    )]
    TagTaken {
        /// The service.
        service: Name,
        /// The tag.
        tag: Name,
        /// What it stands for.
        current: Digest,
        /// What it should have stood for.
        wanted: Digest,
    },
    /// There is no such version.
    #[error("there is no version {digest} to tag as `{service}:{tag}`; build it first")]
    NoVersion {
        /// The service.
        service: Name,
        /// The tag.
        tag: Name,
        /// The digest that no version has.
        digest: Digest,
    },
    /// A record cannot be understood.
    #[error(
        "cannot understand the record {}: {source}; remove that file and build again",
        path.display()
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A pattern of the recipe is wrong.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The program is ending.
    #[error("the work on an image was interrupted because the program is ending")]
    Interrupted,
}

impl Images {
    /// Opens the images in `directory`, which is made if needed, and removes what interrupted
    /// builds left behind.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, ImageError> {
        let given: PathBuf = directory.into();
        disk::make_directory(&given)?;
        let directory = given
            .canonicalize()
            .map_err(DiskError::on("open", &given))?;
        let images = Self { directory };
        for part in ["versions", "inputs", "tags", "logs", "building"] {
            disk::make_directory(&images.directory.join(part))?;
        }
        workspace::sweep(&images.workspaces())?;
        Ok(images)
    }

    /// Where the images are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn version(&self, content: &Digest) -> PathBuf {
        self.directory.join("versions").join(content.hex())
    }

    fn input(&self, input: &Digest) -> PathBuf {
        self.directory
            .join("inputs")
            .join(format!("{}.json", input.hex()))
    }

    fn log(&self, input: &Digest) -> PathBuf {
        self.directory
            .join("logs")
            .join(format!("{}.log", input.hex()))
    }

    fn tag(&self, service: &Name, tag: &Name) -> PathBuf {
        self.directory
            .join("tags")
            .join(service.as_str())
            .join(format!("{tag}.json"))
    }

    fn workspaces(&self) -> PathBuf {
        self.directory.join("building")
    }
}
