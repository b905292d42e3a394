//! A server inside this process, for `serin up` and `serin demo`.
//!
//! Even here the commands speak to it only through its public API, as any other client would.

mod explain;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compute::process::ReaperCommand;
use release::Manifest;
use server::Daemon;

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::log;

pub use explain::unusable;

#[derive(Debug)]
pub struct ServerProcess {
    daemon: Daemon,
    state: PathBuf,
}

/// What a server is started with.
#[derive(Debug)]
pub struct Setup<'a> {
    pub manifest: Manifest,
    pub state: &'a Path,
    pub api: SocketAddr,
    /// How long the tasks of a server that was killed wait for the next one.
    pub grace: Duration,
}

impl ServerProcess {
    pub async fn start(setup: Setup<'_>) -> Result<Self, Failure> {
        let state = setup.state;
        log::to_file(state).map_err(|source| unusable(state, source))?;
        let program =
            std::env::current_exe().map_err(|source| Failure::new(Exit::Failed, source))?;
        let daemon = Daemon::start(server::Options {
            manifest: setup.manifest,
            state: state.to_owned(),
            api: setup.api,
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
        })
    }

    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::find(None, &self.state)?)
    }

    pub fn api(&self) -> SocketAddr {
        self.daemon.api()
    }

    pub fn gateway(&self) -> SocketAddr {
        self.daemon.gateway()
    }

    /// Lets requests under way finish, and stops every task.
    pub async fn shutdown(self) {
        self.daemon.shutdown().await;
    }
}
