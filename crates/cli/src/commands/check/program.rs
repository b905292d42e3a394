//! The programs that builds call.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{Checked, Outcome};

const BUILD: &str = "build";

/// The program that a shell would run under this name.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| {
            let metadata = std::fs::metadata(program);
            metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
}

pub fn checks() -> Vec<Checked> {
    let (crystal, rustc) = (find("crystal"), find("rustc"));
    let neither = crystal.is_none() && rustc.is_none();
    vec![
        match neither {
            true => Checked::new(
                BUILD,
                "compiler",
                Outcome::Failed,
                "neither `crystal` nor `rustc`",
            )
            .hint("`serin demo` builds its example with one of them; see `serin demo`"),
            false => Checked::new(
                BUILD,
                "compiler",
                Outcome::Passed,
                "the example of `serin demo` can be built",
            ),
        },
        program(
            "crystal",
            crystal,
            "the demo's example in Crystal; without, its twin in Rust is used",
        ),
        program("rustc", rustc, "the demo's twin in Rust"),
        program(
            "git",
            find("git"),
            "people who make patches; serin itself applies them alone",
        ),
    ]
}

fn program(id: &'static str, found: Option<PathBuf>, purpose: &str) -> Checked {
    match found {
        Some(path) => Checked::new(BUILD, id, Outcome::Passed, path.display().to_string()),
        None => {
            Checked::new(BUILD, id, Outcome::Warning, "not found").hint(format!("for {purpose}"))
        }
    }
}
