//! From a recipe to a version: read, patch, look whether it is there already, else copy, build,
//! keep, tag.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::records::{self, InputRecord};
use super::workspace::Workspace;
use super::{Built, ImageError, Images, Planned, Version};
use crate::clock;
use crate::digest::{Digest, Hasher};
use crate::disk::{self, DiskError};
use crate::patch::{DiffStat, Patch};
use crate::pattern::Pattern;
use crate::recipe::Recipe;
use crate::run::{self, Run};
use crate::tree::Tree;

/// A recipe with its patched source, and the digest of all that decides what is built from it.
struct Prepared {
    recipe: Recipe,
    tree: Tree,
    source: Digest,
    input: Digest,
    diffstat: DiffStat,
}

impl Images {
    /// What [`Images::build`] would do. Touches nothing.
    pub fn plan(&self, recipe: &Recipe) -> Result<Planned, ImageError> {
        let prepared = self.prepare(recipe.clone())?;
        Ok(Planned {
            reused: self.built_before(&prepared.input)?,
            tagged: self.tagged(&recipe.service, &recipe.tag)?,
            diffstat: prepared.diffstat,
            input: prepared.input,
        })
    }

    /// Makes the version of a recipe and tags it. Each line of the build's output goes to
    /// `on_line`.
    ///
    /// Dropping the future ends the build command and leaves no trace but its log.
    pub async fn build(
        &self,
        recipe: &Recipe,
        on_line: impl FnMut(&str) + Send,
    ) -> Result<Built, ImageError> {
        let started = clock::now();
        let (images, recipe) = (self.clone(), recipe.clone());
        let prepared = Arc::new(blocking(move || images.prepare(recipe)).await?);
        let workspace = Arc::new(Workspace::claim(&self.workspaces(), &prepared.input).await?);

        let (images, known) = (self.clone(), Arc::clone(&prepared));
        let found = blocking(move || images.tag_if_built(&known)).await?;
        let reused = found.is_some();
        let log = self.log(&prepared.input);
        let version = match found {
            Some(version) => version,
            None => self.make(prepared, workspace, on_line).await?,
        };
        Ok(Built {
            version,
            reused,
            took: clock::now().duration_since(started),
            log,
        })
    }

    async fn make(
        &self,
        prepared: Arc<Prepared>,
        workspace: Arc<Workspace>,
        on_line: impl FnMut(&str) + Send,
    ) -> Result<Version, ImageError> {
        let (from, to) = (Arc::clone(&prepared), Arc::clone(&workspace));
        blocking(move || copy_source(&from, &to.source())).await?;

        let log = self.log(&prepared.input);
        match &prepared.recipe.build {
            Some(command) => {
                let (directory, environment) = (&workspace.source(), &prepared.recipe.environment);
                run::run(
                    &Run {
                        command,
                        directory,
                        environment,
                        log: &log,
                    },
                    on_line,
                )
                .await?;
            }
            None => disk::write_whole(&log, b"")?,
        }

        let images = self.clone();
        blocking(move || images.keep(&prepared, &workspace)).await
    }

    /// Tags the version that an earlier build of the same input made, if it is still there.
    fn tag_if_built(&self, prepared: &Prepared) -> Result<Option<Version>, ImageError> {
        let lock = self.lock()?;
        match self.built_before(&prepared.input)? {
            Some(content) => self
                .tag_made(&prepared.recipe, content, prepared.diffstat.clone(), &lock)
                .map(Some),
            None => Ok(None),
        }
    }

    fn prepare(&self, recipe: Recipe) -> Result<Prepared, ImageError> {
        let no_source = || ImageError::NoSource {
            service: recipe.service.clone(),
            path: recipe.source.clone(),
        };
        let root = match fs::canonicalize(&recipe.source) {
            Ok(root) if root.is_dir() => root,
            Ok(_) => return Err(no_source()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_source()),
            Err(error) => {
                return Err(DiskError::on("read the source", &recipe.source)(error).into());
            }
        };
        let mut tree = Tree::read(&root, &self.ignored(&recipe, &root)?)?;
        let mut diffstat = DiffStat::default();
        for path in &recipe.patches {
            let text = fs::read(path).map_err(DiskError::on("read the patch", path))?;
            let refused = |refusal| ImageError::Patch {
                path: path.clone(),
                refusal: Box::new(refusal),
            };
            let patch = Patch::parse(&text).map_err(refused)?;
            tree = patch.apply(&tree).map_err(refused)?;
            diffstat.extend(patch.stat());
        }
        let source = tree.digest()?;
        let mut hasher = Hasher::new("serin input 1");
        hasher.field(source.hex().as_bytes());
        recipe.add_to(&mut hasher);
        Ok(Prepared {
            recipe,
            tree,
            source,
            input: hasher.finish(),
            diffstat,
        })
    }

    /// What the recipe ignores, and these images, should they be kept inside the source.
    fn ignored(&self, recipe: &Recipe, root: &Path) -> Result<Vec<Pattern>, ImageError> {
        let mut ignored = recipe.ignored()?;
        if let Some(inside) = self
            .directory
            .strip_prefix(root)
            .ok()
            .and_then(Path::to_str)
        {
            ignored.push(Pattern::anchored(inside)?);
        }
        Ok(ignored)
    }

    /// The version that an earlier build of this input made, if it is still there.
    fn built_before(&self, input: &Digest) -> Result<Option<Digest>, ImageError> {
        let record: Option<InputRecord> = records::read(&self.input(input))?;
        Ok(record
            .map(|record| record.content)
            .filter(|content| self.version(content).is_dir()))
    }

    /// Makes a version of what was built in `workspace`, and tags it.
    fn keep(&self, prepared: &Prepared, workspace: &Workspace) -> Result<Version, ImageError> {
        let artifacts = self.collect(prepared, workspace)?;
        let content = Tree::read(&artifacts, &[])?.digest()?;
        let lock = self.lock()?;
        let version = self.version(&content);
        if !version.is_dir() {
            disk::rename(&artifacts, &version)?;
        }
        records::write(&self.input(&prepared.input), &InputRecord { content })?;
        self.tag_made(&prepared.recipe, content, prepared.diffstat.clone(), &lock)
    }

    /// Puts the artifacts that the recipe keeps into a directory of their own.
    fn collect(&self, prepared: &Prepared, workspace: &Workspace) -> Result<PathBuf, ImageError> {
        let (built, recipe) = (workspace.source(), &prepared.recipe);
        let patterns = recipe.kept()?;
        if patterns.is_empty() {
            return Ok(built);
        }
        let mut tree = Tree::read(&built, &[])?;
        for pattern in &patterns {
            if !tree.iter().any(|(path, _)| pattern.chooses(path)) {
                let (service, log) = (recipe.service.clone(), self.log(&prepared.input));
                return Err(ImageError::NoArtifact {
                    service,
                    pattern: pattern.to_string(),
                    log,
                });
            }
        }
        tree.retain(|path| patterns.iter().any(|pattern| pattern.chooses(path)));
        tree.move_to(&built, &workspace.artifacts())?;
        Ok(workspace.artifacts())
    }
}

/// Writes the private copy, and makes sure that it is what the digest was taken of.
fn copy_source(prepared: &Prepared, copy: &Path) -> Result<(), ImageError> {
    prepared.tree.write_to(copy)?;
    if Tree::read(copy, &[])?.digest()? == prepared.source {
        Ok(())
    } else {
        Err(ImageError::SourceChanged {
            path: prepared.recipe.source.clone(),
        })
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ImageError::Interrupted),
        },
    }
}
