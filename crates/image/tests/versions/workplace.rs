//! A source and a place for images, in a temporary directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::{BuildCommand, Built, ImageError, Images, Name, Recipe};
use tempfile::TempDir;

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) struct Workplace {
    directory: TempDir,
    pub(crate) images: Images,
}

impl Workplace {
    /// With a source of one file, `greeting`, and one script, `bin/run`.
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let images = Images::open(directory.path().join("images")).unwrap();
        let workplace = Self { directory, images };
        workplace.write("source/greeting", "hello\n");
        workplace.write("source/bin/run", "#!/bin/sh\ncat greeting\n");
        let runnable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(workplace.path("source/bin/run"), runnable).unwrap();
        workplace
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, content: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn recipe(&self, tag: &str) -> Recipe {
        Recipe::new(name("crystal"), name(tag), self.path("source"))
    }

    pub(crate) fn shell(&self, tag: &str, command: &str) -> Recipe {
        Recipe {
            build: Some(BuildCommand::Shell(command.to_owned())),
            ..self.recipe(tag)
        }
    }

    pub(crate) async fn build(&self, recipe: &Recipe) -> Result<Built, ImageError> {
        self.images.build(recipe, |_| {}).await
    }

    /// The names of what lies in a directory, but for lock files.
    pub(crate) fn names(&self, relative: &str) -> Vec<String> {
        let names = fs::read_dir(self.path(relative)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.ends_with(".lock")).collect();
        names.sort();
        names
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}

/// Whether the process whose number is in `file` is alive. A zombie is not.
pub(crate) fn is_alive(file: &Path) -> bool {
    let number = fs::read_to_string(file).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", number.trim())).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with('Z'))
}
