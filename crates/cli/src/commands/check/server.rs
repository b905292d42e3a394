//! The manifest and the server of this directory, where there are any.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use release::Manifest;
use release::manifest;

use super::{Checked, Outcome};
use crate::args::Global;
use crate::client::{AddressError, Client};
use crate::failure::in_one_row;

const MANIFEST: &str = "manifest";
/// Where `serin up` looks too.
const USUAL_MANIFEST: &str = "serin.yaml";
const SERVER: &str = "server";

/// A manifest that is named must be there; the usual one need not.
pub async fn checks(manifest: Option<&Path>, global: &Global) -> Vec<Checked> {
    let client = Client::find(global.server.as_deref(), &global.state);
    let server = reachable(&client).await;
    let is_running = server.result == Outcome::Passed;
    let usual = Path::new(USUAL_MANIFEST);
    let mut checks = match manifest {
        None if !usual.exists() => vec![Checked::new(
            MANIFEST,
            "valid",
            Outcome::Skipped,
            format!("there is no {USUAL_MANIFEST}"),
        )],
        manifest => of_manifest(manifest.unwrap_or(usual), is_running),
    };
    checks.push(server);
    checks
}

fn of_manifest(path: &Path, is_running: bool) -> Vec<Checked> {
    match Manifest::load(path) {
        Ok(manifest) => {
            let services: Vec<String> = manifest.services.keys().map(ToString::to_string).collect();
            let found = format!("mesh {}: {}", manifest.mesh, services.join(", "));
            let valid = Checked::new(MANIFEST, "valid", Outcome::Passed, found);
            vec![valid, gateway_port(manifest.gateway.port, is_running)]
        }
        Err(error) => {
            let hint = match &error {
                manifest::Error::Read { .. } => "name another with -f".to_owned(),
                _ => format!("mend {}", path.display()),
            };
            vec![Checked::new(MANIFEST, "valid", Outcome::Failed, in_one_row(&error)).hint(hint)]
        }
    }
}

fn gateway_port(port: u16, is_running: bool) -> Checked {
    let id = "gateway-port";
    if is_running {
        return Checked::new(MANIFEST, id, Outcome::Skipped, "a server runs here");
    }
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Checked::new(
            MANIFEST,
            id,
            Outcome::Passed,
            format!("127.0.0.1:{port} is free"),
        ),
        Err(error) => Checked::new(
            MANIFEST,
            id,
            Outcome::Failed,
            format!("127.0.0.1:{port}: {error}"),
        )
        .hint("choose another as `gateway: { port: … }`, or stop what listens there"),
    }
}

async fn reachable(client: &Result<Client, AddressError>) -> Checked {
    let id = "reachable";
    let client = match client {
        Ok(client) => client,
        Err(AddressError::NoServer { .. }) => {
            return Checked::new(SERVER, id, Outcome::Skipped, "no server runs here");
        }
        Err(error) => return Checked::new(SERVER, id, Outcome::Failed, in_one_row(&error)),
    };
    // Health needs no token; the status does.
    match client.status().await {
        Ok(status) => Checked::new(
            SERVER,
            id,
            Outcome::Passed,
            match &status.mesh {
                Some(mesh) => format!("{}, mesh {mesh}", client.url()),
                None => format!("{}, without a manifest", client.url()),
            },
        ),
        Err(error) => Checked::new(SERVER, id, Outcome::Failed, in_one_row(&error))
            .hint("`serin up` starts it again; see server.log in the state directory"),
    }
}
