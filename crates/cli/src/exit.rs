//! Exit codes: one enum, documented for people in `serin --help`, stable for scripts.

use std::fmt;
use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Invalid = 3,
    CheckFailed = 4,
    Unreachable = 5,
    RolledBack = 20,
    Interrupted = 130,
}

impl Exit {
    const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Invalid,
        Self::CheckFailed,
        Self::Unreachable,
        Self::RolledBack,
        Self::Interrupted,
    ];

    fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed, for the reason on standard error",
            Self::Usage => "the command line is not understood",
            Self::Invalid => "a manifest, patch or value is refused; nothing was changed",
            Self::CheckFailed => "this machine lacks something, as `serin check` shows",
            Self::Unreachable => "no server answers, or it does not know this token",
            Self::RolledBack => "the release that was followed was rolled back",
            Self::Interrupted => "interrupted, or nobody reads the output any more",
        }
    }

    /// All codes with their meanings, a row each, as help shows them.
    pub fn table() -> String {
        Self::ALL
            .map(|exit| format!("  {exit:>3}  {}", exit.meaning()))
            .join("\n")
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self as u8).fmt(f)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
