//! A server with a state directory and a configuration of its own.

use std::net::SocketAddr;
use std::path::Path;

use server::{Configuration, Daemon, Error, Options};
use tempfile::TempDir;
use testkit::raw::{RawClient, RawResponse};

pub(crate) struct Server {
    pub(crate) daemon: Daemon,
    pub(crate) directory: TempDir,
}

impl Server {
    /// On a free port of loopback unless the configuration says otherwise.
    pub(crate) async fn start(configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::start_in(directory, configuration).await
    }

    pub(crate) async fn start_in(directory: TempDir, configuration: &str) -> Self {
        let daemon = start(directory.path(), configuration).await.unwrap();
        Self { daemon, directory }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.daemon.api()
    }

    pub(crate) async fn connect(&self) -> RawClient {
        RawClient::connect(self.address()).await.unwrap()
    }

    /// One request on a connection of its own, from its lines; the body is the rest after an empty one.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> RawResponse {
        self.connect().await.ask(request).await.unwrap()
    }
}

pub(crate) async fn start(directory: &Path, configuration: &str) -> Result<Daemon, Error> {
    let file = directory.join("server.yaml");
    std::fs::write(&file, format!("api: 127.0.0.1:0\n{configuration}")).unwrap();
    let options = Options {
        manifest: None,
        configuration: Configuration::load(&file)?,
        state: directory.join("state"),
        reaper: None,
    };
    Daemon::start(options).await
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

pub(crate) fn put(path: &str, body: &str) -> String {
    format!(
        "PUT {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) const MESHES: &str = "/v20190125/meshes";
