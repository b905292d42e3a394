//! `serin.yaml`: a mesh and its services, as their owner writes them.
//!
//! The YAML is read strictly (an unknown key, a number where a duration belongs: refused, with its line)
//! into the types here, which hold only what is allowed. What spans several fields is checked by
//! [`Manifest::parse`] after that, so nothing downstream validates again.

mod fields;
mod policy;
mod traffic;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use fields::{Command, Name, PathPrefix, Percent, TextDuration};
pub use policy::{Limits, Mode, Policy, PolicyKind, ReleaseSettings};
pub use traffic::{
    AbortSettings, DelaySettings, FaultSettings, FieldName, MirrorSettings, PinSettings,
    StickySettings, Token, TrafficSettings,
};

/// A checked manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub mesh: Name,
    #[serde(default)]
    pub gateway: Gateway,
    pub services: BTreeMap<Name, Service>,
}

/// The virtual gateway: where traffic from outside enters the mesh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    pub name: Name,
    /// On loopback; 0 takes a free one.
    pub port: u16,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            name: Name::literal("ingress-gw"),
            port: 8080,
        }
    }
}

/// One service: how a version of it is made, run and released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The virtual service's name, which callers use as authority. Default: `<service>.<mesh>.local`.
    #[serde(default)]
    pub host: Option<Name>,
    /// The source directory, relative to the manifest.
    #[serde(default = "here")]
    pub source: PathBuf,
    /// Builds a version, run in a copy of the source.
    #[serde(default)]
    pub build: Option<Command>,
    /// What a build leaves that tasks need; empty keeps the whole tree.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// Starts one task; it listens on `$PORT`.
    pub run: Command,
    /// The tag of the version that runs before any release.
    #[serde(default = "first_tag")]
    pub tag: Name,
    /// The port of the virtual node's listener, as callers within the mesh name it.
    #[serde(default = "listener_port")]
    pub port: u16,
    #[serde(default)]
    pub protocol: Protocol,
    #[serde(default)]
    pub health: Health,
    #[serde(default = "one")]
    pub tasks: u32,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Services of this manifest that this one calls.
    #[serde(default)]
    pub backends: Vec<Name>,
    /// The gateway's path prefix for this service. Default: `/` for an only service, else `/<service>`.
    #[serde(default)]
    pub path: Option<PathPrefix>,
    /// From SIGTERM to SIGKILL.
    #[serde(default = "stop_grace")]
    pub stop_grace: TextDuration,
    #[serde(default)]
    pub traffic: TrafficSettings,
    #[serde(default)]
    pub release: ReleaseSettings,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Http,
}

/// The health check of a service's tasks, by the driver that runs them and by the proxies that call them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    pub path: PathPrefix,
    pub interval: TextDuration,
    pub timeout: TextDuration,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: PathPrefix::literal("/health"),
            interval: TextDuration(Duration::from_secs(5)),
            timeout: TextDuration(Duration::from_secs(2)),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        }
    }
}

impl Health {
    /// The key and the broken rule, of the first that is broken: App Mesh's limits on health checks, which
    /// a virtual node's listener must keep.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let seconds = Duration::from_secs;
        for (key, value, low, high) in [
            ("interval", self.interval.0, seconds(5), seconds(300)),
            ("timeout", self.timeout.0, seconds(2), seconds(60)),
        ] {
            if !(low..=high).contains(&value) {
                let [value, low, high] = [value, low, high].map(TextDuration);
                return Err((key, format!("{value} is not in {low}..={high}")));
            }
        }
        for (key, value) in [
            ("healthy_threshold", self.healthy_threshold),
            ("unhealthy_threshold", self.unhealthy_threshold),
        ] {
            if !(2..=10).contains(&value) {
                return Err((key, format!("{value} is out of range, allowed are 2 to 10")));
            }
        }
        Ok(())
    }
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

fn first_tag() -> Name {
    Name::literal("vanilla")
}

fn listener_port() -> u16 {
    3000
}

fn one() -> u32 {
    1
}

fn stop_grace() -> TextDuration {
    TextDuration(Duration::from_secs(10))
}

/// Tasks of one service on one machine.
const MOST_TASKS: u32 = 100;

impl Manifest {
    /// Reads a manifest and checks what spans several fields.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let manifest: Self = serde_saphyr::from_str(text).map_err(|error| Error::Yaml {
            reason: with_its_line(text, &error),
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads the manifest at `path`; sources are taken relative to its directory.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut manifest = Self::parse(&text).map_err(|error| Error::Refused {
            path: path.to_owned(),
            source: Box::new(error),
        })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        for service in manifest.services.values_mut() {
            service.source =
                std::path::absolute(directory.join(&service.source)).map_err(|source| {
                    Error::Read {
                        path: service.source.clone(),
                        source,
                    }
                })?;
        }
        Ok(manifest)
    }

    /// The name callers use for a service.
    pub fn host(&self, service: &str) -> String {
        match self
            .services
            .get(service)
            .and_then(|service| service.host.as_ref())
        {
            Some(host) => host.to_string(),
            None => format!("{service}.{}.local", self.mesh),
        }
    }

    /// The gateway's path prefix for a service.
    pub fn path(&self, name: &str) -> String {
        match self
            .services
            .get(name)
            .and_then(|service| service.path.as_ref())
        {
            Some(path) => path.to_string(),
            None if self.services.len() == 1 => "/".to_owned(),
            None => format!("/{name}"),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |field: String, rule: String| Err(Error::Rule { field, rule });
        if self.services.is_empty() {
            return refuse(
                "services".to_owned(),
                "holds no service; add one".to_owned(),
            );
        }
        let mut hosts = BTreeMap::new();
        let mut paths = BTreeMap::new();
        for (name, service) in &self.services {
            let field = |key: &str| format!("services.{name}.{key}");
            if service.tasks == 0 || service.tasks > MOST_TASKS {
                return refuse(
                    field("tasks"),
                    format!("{} is not in 1..={MOST_TASKS}", service.tasks),
                );
            }
            if service.port == 0 {
                return refuse(
                    field("port"),
                    "0 is not a port that callers could name".to_owned(),
                );
            }
            service.health.check().map_err(|(key, rule)| Error::Rule {
                field: field(&format!("health.{key}")),
                rule,
            })?;
            for backend in &service.backends {
                if !self.services.contains_key(backend) {
                    return refuse(
                        field("backends"),
                        format!("{backend} is no service of this manifest"),
                    );
                }
            }
            if let Some(other) = hosts.insert(self.host(name.as_str()), name) {
                return refuse(field("host"), format!("is the host of {other} too"));
            }
            if let Some(other) = paths.insert(self.path(name.as_str()), name) {
                return refuse(field("path"), format!("is the path of {other} too"));
            }
            service.traffic.check().map_err(|(key, rule)| Error::Rule {
                field: field(&format!("traffic.{key}")),
                rule,
            })?;
            if service.traffic.sticky.is_some() && !service.release.bake.0.is_zero() {
                return refuse(
                    field("release.bake"),
                    "cannot be set with traffic.sticky: the old version's record then counts users, and \
                     after the promotion there are only requests to compare with it"
                        .to_owned(),
                );
            }
            service.release.check().map_err(|(key, rule)| Error::Rule {
                field: field(&format!("release.{key}")),
                rule,
            })?;
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read {path}", path = path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the manifest {} is refused", path.display())]
    Refused {
        path: PathBuf,
        #[source]
        source: Box<Error>,
    },
    #[error("{reason}")]
    Yaml { reason: String },
    #[error("{field}: {rule}")]
    Rule { field: String, rule: String },
}

/// What is wrong, and below it the line that it is about. The reader's own excerpt says all of it again.
fn with_its_line(text: &str, error: &serde_saphyr::Error) -> String {
    let reason = error.without_snippet().to_string();
    let line = error.location().map(|location| location.line());
    let number = line.and_then(|line| usize::try_from(line).ok());
    let row = number.and_then(|number| text.lines().nth(number.checked_sub(1)?));
    match (number, row) {
        (Some(number), Some(row)) => format!("{reason}\n{number:>4} | {}", row.trim_end()),
        _ => reason,
    }
}

#[cfg(test)]
mod tests;
