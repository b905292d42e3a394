//! A server inside this process, for `serin up`, `serin serve` and `serin demo`.
//!
//! Even here the commands speak to it only through its public API, as any other client would.

mod explain;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use admin::{Admin, Subject};
use compute::process::ReaperCommand;
use release::Manifest;
use serde::Serialize;
use server::{Configuration, Daemon};
use tokio::sync::Notify;

use crate::args::Serving;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::line::Line;
use crate::log::{self, Level};
use crate::render::moment;
use crate::terminal::Terminal;

pub use explain::{not_configured, unusable};

/// How long requests under way may take when an administrator drains the listeners.
const DRAIN: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct ServerProcess {
    daemon: Daemon,
    state: PathBuf,
    log_level: Level,
}

/// There is no admin port where it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("could not listen for administrators on {address}")]
pub struct NoAdmin {
    pub address: SocketAddr,
    pub source: std::io::Error,
}

/// Where a server that was started is reached: its first line.
#[derive(Debug, Serialize)]
struct Addresses<'d> {
    /// None without a manifest.
    gateway: Option<String>,
    api: &'d str,
    admin: Option<String>,
}

impl Addresses<'_> {
    fn lines(&self) -> Vec<Line> {
        let Self {
            gateway,
            api,
            admin,
        } = self;
        let gateway = gateway
            .iter()
            .map(|gateway| Line::new().plain("gateway  ").strong(gateway));
        let admin = admin
            .iter()
            .map(|admin| Line::new().plain("admin    ").plain(admin));
        let api = [
            Line::new().plain("api      ").strong(*api),
            Line::new().plain(format!("export AWS_ENDPOINT_URL_APP_MESH={api}")),
        ];
        gateway.chain(api).chain(admin).collect()
    }
}

/// For people; programs have the addresses.
pub fn say_up(started: Instant, interrupt: &str, terminal: &mut Terminal) -> Result<(), Failure> {
    if !terminal.is_json() {
        let elapsed = moment::duration(started.elapsed());
        let up = format!("server up after {elapsed}; Ctrl-C {interrupt}");
        terminal.say(Line::new().faint(up))?;
    }
    Ok(())
}

/// What people should know before they rely on a server.
pub fn warn(warnings: &[String], terminal: &mut Terminal) {
    for warning in warnings {
        terminal.note(Line::new().canary("warning: ").plain(warning));
    }
}

impl From<NoAdmin> for Failure {
    fn from(error: NoAdmin) -> Self {
        Self::new(Exit::Failed, error)
            .hint("--admin names another address; port 0 takes a free one")
    }
}

/// What a server is started with.
#[derive(Debug)]
pub struct Setup<'a> {
    /// What runs here; none for a control plane alone.
    pub manifest: Option<Manifest>,
    pub configuration: Configuration,
    pub state: &'a Path,
    /// How long the tasks of a server that was killed wait for the next one.
    pub grace: Duration,
}

impl<'a> Setup<'a> {
    pub fn control_plane(configuration: Configuration, state: &'a Path) -> Self {
        Self {
            manifest: None,
            configuration,
            state,
            grace: Duration::ZERO,
        }
    }
}

/// The configuration of the file that is named, if any; flags come before it. Refused here, it leaves no
/// trace.
pub fn configuration(serving: &Serving) -> Result<Configuration, Failure> {
    let mut configuration = match &serving.config {
        Some(file) => Configuration::load(file).map_err(|error| not_configured(error.into()))?,
        None => Configuration::default(),
    };
    if let Some(api) = serving.api {
        configuration.api = api;
    }
    server::check(&configuration).map_err(not_configured)?;
    Ok(configuration)
}

/// Whether an API could listen there now.
pub fn is_free(api: SocketAddr) -> Result<(), Failure> {
    match std::net::TcpListener::bind(api) {
        Ok(_) => Ok(()),
        Err(source) => Err(explain::taken(server::Error::Api {
            address: api,
            source,
        })),
    }
}

impl ServerProcess {
    pub async fn start(setup: Setup<'_>) -> Result<Self, Failure> {
        let state = setup.state;
        let log_level = log::to_file(state).map_err(|source| unusable(state, source))?;
        let program =
            std::env::current_exe().map_err(|source| Failure::new(Exit::Failed, source))?;
        let daemon = Daemon::start(server::Options {
            manifest: setup.manifest,
            configuration: setup.configuration,
            state: state.to_owned(),
            reaper: Some(ReaperCommand {
                program,
                arguments: vec!["reaper".into()],
                grace: setup.grace,
            }),
        });
        Ok(Self {
            // Large, and started once.
            daemon: Box::pin(daemon)
                .await
                .map_err(|error| explain::not_started(error, state))?,
            state: state.to_owned(),
            log_level,
        })
    }

    /// Opens the admin port of the data plane, if one runs here. `quit` is told when the server is to end.
    pub async fn administer(
        &self,
        address: SocketAddr,
        quit: Arc<Notify>,
    ) -> Result<Option<Admin>, Failure> {
        let Some(plane) = self.daemon.plane() else {
            return Ok(None);
        };
        let subject = Subject {
            plane,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log_level: Box::new(self.log_level.clone()),
            drain: DRAIN,
            quit,
        };
        match Admin::start(address, subject, Duration::ZERO).await {
            Ok(admin) => Ok(Some(admin)),
            Err(source) => Err(NoAdmin { address, source }.into()),
        }
    }

    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::find(None, &self.state)?)
    }

    /// Where traffic enters the mesh of the manifest.
    pub fn gateway(&self) -> Option<SocketAddr> {
        self.daemon.gateway()
    }

    /// Says where the server is, with the line that points AWS's clients at it.
    pub fn announce(
        &self,
        admin: Option<&Admin>,
        warnings: &[String],
        terminal: &mut Terminal,
    ) -> Result<(), Failure> {
        let url = |address: SocketAddr| format!("http://{address}");
        let addresses = Addresses {
            gateway: self.gateway().map(url),
            api: self.daemon.url(),
            admin: admin.map(|admin| url(admin.address)),
        };
        match terminal.is_json() {
            true => terminal.json(&addresses)?,
            false => terminal.say_all(addresses.lines())?,
        }
        warn(warnings, terminal);
        Ok(())
    }

    /// Lets requests under way finish, and stops every task.
    pub async fn shutdown(self) {
        self.daemon.shutdown().await;
    }
}
