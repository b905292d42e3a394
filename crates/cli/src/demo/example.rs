//! The two examples, carried inside this binary, so that the demo runs from anywhere.

use std::io;
use std::path::{Path, PathBuf};

use crate::args::Demo;

/// A service to release, and what its versions say.
#[derive(Debug)]
pub struct Example {
    /// The directory it is unpacked to.
    pub name: &'static str,
    pub compiler: &'static str,
    files: &'static [(&'static str, &'static str)],
}

/// A patch of an example.
#[derive(Debug)]
pub struct Change {
    pub patch: &'static str,
    /// The new version's name.
    pub tag: &'static str,
    /// The commit that the new version names in its answers.
    pub commit: &'static str,
}

/// The version that both examples begin with.
pub const FIRST_TAG: &str = "vanilla";
pub const FIRST_COMMIT: &str = "NOHASH";

pub const GOOD: Change = Change {
    patch: "patches/add_time_ms.patch",
    tag: "epoch",
    commit: "CANARY",
};
pub const BAD: Change = Change {
    patch: "patches/error.patch",
    tag: "error",
    commit: "ERROR",
};

/// The files of an example, from its directory at the root of the repository.
macro_rules! files {
    ($directory:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../examples/", $directory, "/", $path)))),*]
    };
}

pub const CRYSTAL: Example = Example {
    name: "crystal",
    compiler: "crystal",
    files: files!["crystal":
        "README.md", "code_hash.txt", "serin.yaml", "shard.yml",
        "patches/add_time_ms.patch", "patches/error.patch",
        "src/backend.cr", "src/in_flight.cr", "src/log.cr", "src/server.cr",
    ],
};

pub const TWIN: Example = Example {
    name: "crystal-rs",
    compiler: "rustc",
    files: files!["crystal-rs":
        "README.md", "code_hash.txt", "serin.yaml",
        "patches/add_time_ms.patch", "patches/error.patch",
        "src/backend.rs", "src/encoding.rs", "src/http.rs", "src/log.rs", "src/main.rs", "src/running.rs",
        "src/server.rs", "src/termination.rs",
    ],
};

/// How to get the compiler of the example in Crystal.
pub const GET_CRYSTAL: &str =
    "`apt install crystal zlib1g-dev`, or https://crystal-lang.org/install";
const GET_RUST: &str = "https://rustup.rs";

#[derive(Debug, thiserror::Error)]
pub enum NoCompiler {
    #[error("no compiler runs here: the demo builds its example with `crystal` or `rustc`")]
    Any,
    #[error("`{0}` is not found, or does not run")]
    Wanted(&'static str),
}

impl NoCompiler {
    pub fn hint(&self) -> String {
        match self {
            Self::Wanted("crystal") => {
                format!("get it with {GET_CRYSTAL}; `serin demo --rust` needs `rustc` instead")
            }
            Self::Wanted(_) => {
                format!("get it from {GET_RUST}; `serin demo --crystal` needs `crystal` instead")
            }
            Self::Any => format!("get Rust from {GET_RUST}, or Crystal with {GET_CRYSTAL}"),
        }
    }
}

/// The example that is asked for, else the first whose compiler is found.
pub fn choose(args: &Demo, has: impl Fn(&str) -> bool) -> Result<&'static Example, NoCompiler> {
    let wanted = match (args.crystal, args.rust) {
        (true, _) => Some(&CRYSTAL),
        (_, true) => Some(&TWIN),
        _ => None,
    };
    match wanted {
        Some(example) if has(example.compiler) => Ok(example),
        Some(example) => Err(NoCompiler::Wanted(example.compiler)),
        None => [&CRYSTAL, &TWIN]
            .into_iter()
            .find(|example| has(example.compiler))
            .ok_or(NoCompiler::Any),
    }
}

impl Example {
    /// The text of one of its files.
    pub fn text(&self, path: &str) -> Option<&'static str> {
        let file = self.files.iter().find(|(name, _)| *name == path);
        file.map(|(_, text)| *text)
    }

    /// Writes the example below `parent`, as it was when this binary was built; what equals is left
    /// alone. Returns its directory.
    pub fn unpack(&self, parent: &Path) -> io::Result<PathBuf> {
        let directory = parent.join(self.name);
        for (path, text) in self.files {
            let path = directory.join(path);
            if std::fs::read_to_string(&path).is_ok_and(|there| there == *text) {
                continue;
            }
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, text)?;
        }
        Ok(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(crystal: bool, rust: bool) -> Demo {
        Demo {
            bad: false,
            crystal,
            rust,
        }
    }

    #[test]
    fn crystal_is_preferred_and_its_twin_stands_in() {
        let chosen = |args: Demo, found: &[&str]| {
            choose(&args, |name| found.contains(&name)).map(|example| example.name)
        };
        assert_eq!(
            chosen(args(false, false), &["crystal", "rustc"]).unwrap(),
            "crystal"
        );
        assert_eq!(
            chosen(args(false, false), &["rustc"]).unwrap(),
            "crystal-rs"
        );
        assert_eq!(
            chosen(args(false, true), &["crystal", "rustc"]).unwrap(),
            "crystal-rs"
        );
        assert!(matches!(
            chosen(args(true, false), &["rustc"]),
            Err(NoCompiler::Wanted("crystal"))
        ));
        assert!(matches!(
            chosen(args(false, false), &[]),
            Err(NoCompiler::Any)
        ));
    }

    #[test]
    fn the_binary_carries_every_file_of_the_examples() {
        for example in [&CRYSTAL, &TWIN] {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../examples")
                .join(example.name);
            let mut waiting = vec![directory.clone()];
            let mut found = Vec::new();
            while let Some(path) = waiting.pop() {
                if path.is_dir() {
                    waiting.extend(
                        std::fs::read_dir(path)
                            .unwrap()
                            .map(|entry| entry.unwrap().path()),
                    );
                } else if !path.ends_with("server") {
                    found.push(
                        path.strip_prefix(&directory)
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned(),
                    );
                }
            }
            found.sort();
            let mut carried: Vec<_> = example.files.iter().map(|(path, _)| *path).collect();
            carried.sort();
            assert_eq!(found, carried, "{}", example.name);
        }
    }

    #[test]
    fn unpacking_mends_what_was_changed_and_leaves_the_rest() {
        let parent = tempfile::tempdir().unwrap();
        let directory = TWIN.unpack(parent.path()).unwrap();
        std::fs::write(directory.join("code_hash.txt"), "other").unwrap();
        std::fs::write(directory.join("mine.txt"), "mine").unwrap();
        let untouched = std::fs::metadata(directory.join("serin.yaml"))
            .unwrap()
            .modified()
            .unwrap();
        TWIN.unpack(parent.path()).unwrap();
        assert_eq!(
            std::fs::read_to_string(directory.join("code_hash.txt")).unwrap(),
            "NOHASH\n"
        );
        assert_eq!(
            std::fs::read_to_string(directory.join("mine.txt")).unwrap(),
            "mine"
        );
        assert_eq!(
            std::fs::metadata(directory.join("serin.yaml"))
                .unwrap()
                .modified()
                .unwrap(),
            untouched
        );
    }

    #[test]
    fn both_manifests_are_good() {
        for example in [&CRYSTAL, &TWIN] {
            let manifest = release::Manifest::parse(example.text("serin.yaml").unwrap()).unwrap();
            assert_eq!(
                manifest.host("crystal"),
                "crystal.appmeshworkshop.hosted.local"
            );
            assert_eq!(manifest.services["crystal"].tag.as_str(), FIRST_TAG);
        }
    }
}
