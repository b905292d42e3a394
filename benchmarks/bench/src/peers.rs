//! The peers: how each is started for a setup, with its best known settings, and what it cannot do.

mod envoy;
mod haproxy;
mod nginx;
mod own;

use std::path::{Path, PathBuf};
use std::process::Command;

use setup::Setup;

/// A proxy that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Serin,
    Nginx,
    Haproxy,
    Envoy,
    Pingora,
    Hyper,
    /// The limit: a bare byte forwarder with epoll.
    Forwarder,
    /// The limit: a bare byte forwarder with epoll and splice.
    Splice,
}

impl Peer {
    pub const ALL: [Self; 8] = [
        Self::Serin,
        Self::Nginx,
        Self::Haproxy,
        Self::Envoy,
        Self::Pingora,
        Self::Hyper,
        Self::Forwarder,
        Self::Splice,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Serin => "serin",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Pingora => "pingora",
            Self::Hyper => "hyper",
            Self::Forwarder => "forwarder",
            Self::Splice => "splice",
        }
    }

    pub fn by_name(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|peer| peer.name() == name)
            .ok_or(format!("no peer is called {name:?}: there are {names}"))
    }

    /// Understands nothing of what passes: no match for a proxy, but the limit for one.
    pub fn is_limit(self) -> bool {
        matches!(self, Self::Forwarder | Self::Splice)
    }

    pub fn supports(self, setup: &Setup) -> bool {
        match self {
            Self::Serin | Self::Envoy | Self::Haproxy => true,
            Self::Nginx => nginx::supports(setup),
            Self::Pingora | Self::Hyper => own::proxy_supports(self, setup),
            Self::Forwarder | Self::Splice => own::forwarder_supports(setup),
        }
    }

    /// Where its program is, if it is installed.
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Self::Nginx => installed("NGINX", "nginx"),
            Self::Haproxy => installed("HAPROXY", "haproxy"),
            Self::Envoy => installed("ENVOY", "envoy"),
            _ => own::program(self),
        }
    }

    /// The command that runs it in `directory`, where it may keep what it likes.
    pub fn command(
        self,
        program: &Path,
        setup: &Setup,
        directory: &Path,
    ) -> anyhow::Result<Command> {
        match self {
            Self::Nginx => nginx::command(program, setup, directory),
            Self::Haproxy => haproxy::command(program, setup, directory),
            Self::Envoy => envoy::command(program, setup, directory),
            _ => own::command(self, program, setup, directory),
        }
    }

    pub fn version(self, program: &Path) -> String {
        let of = |argument: &str| {
            let output = Command::new(program).arg(argument).output();
            output.map_or(String::new(), |output| {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                said.lines()
                    .find(|line| !line.trim().is_empty())
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
        };
        match self {
            Self::Nginx => of("-v").replace("nginx version: nginx/", ""),
            Self::Haproxy => of("-v")
                .split_whitespace()
                .nth(2)
                .unwrap_or_default()
                .to_owned(),
            Self::Envoy => of("--version")
                .split('/')
                .nth_back(3)
                .unwrap_or_default()
                .to_owned(),
            _ => own::version(self),
        }
    }
}

/// A program from the environment, or from where programs are.
fn installed(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into()).filter(|path: &PathBuf| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// A configuration with everything between at signs filled in.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    text
}

/// The text of several lines where one stands in a template.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("\n")
}
