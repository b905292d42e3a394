//! The programs that builds call.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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

/// The program's own word on its version. One that is found need not run: rustup's `rustc` without a
/// toolchain does not.
pub fn version(name: &str) -> Result<String, NoProgram> {
    let program = find(name).ok_or(NoProgram::NotFound)?;
    let output = Command::new(&program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    let path = program.display().to_string();
    let first = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.lines().next().unwrap_or_default().to_owned()
    };
    match output {
        Ok(output) if output.status.success() => Ok(format!("{}, {path}", first(&output.stdout))),
        Ok(output) => {
            let reason = match first(&output.stderr) {
                silence if silence.is_empty() => output.status.to_string(),
                words => words,
            };
            Err(NoProgram::DoesNotRun { path, reason })
        }
        Err(error) => Err(NoProgram::DoesNotRun {
            path,
            reason: error.to_string(),
        }),
    }
}

#[derive(Debug, thiserror::Error)]
pub enum NoProgram {
    #[error("not found")]
    NotFound,
    #[error("{path} does not run: {reason}")]
    DoesNotRun { path: String, reason: String },
}

pub fn checks() -> Vec<Checked> {
    let (crystal, rustc) = (version("crystal"), version("rustc"));
    vec![
        match crystal.is_err() && rustc.is_err() {
            true => Checked::new(
                BUILD,
                "compiler",
                Outcome::Failed,
                "neither `crystal` nor `rustc` runs",
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
            version("git"),
            "people who make patches; serin itself applies them alone",
        ),
    ]
}

fn program(id: &'static str, found: Result<String, NoProgram>, purpose: &str) -> Checked {
    match found {
        Ok(version) => Checked::new(BUILD, id, Outcome::Passed, version),
        Err(missing) => Checked::new(BUILD, id, Outcome::Warning, missing.to_string())
            .hint(format!("for {purpose}")),
    }
}
