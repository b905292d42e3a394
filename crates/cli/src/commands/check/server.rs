//! The manifest and the server of this directory, where there are any.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use release::Manifest;

use super::{Checked, Outcome};
use crate::args::Global;
use crate::client::{AddressError, Client};

const MANIFEST: &str = "manifest";
const SERVER: &str = "server";

pub async fn checks(manifest: &Path, global: &Global) -> Vec<Checked> {
    let client = Client::find(global.server.as_deref(), &global.state);
    let server = reachable(&client).await;
    let is_running = server.result == Outcome::Passed;
    let mut checks = match manifest.exists() {
        true => of_manifest(manifest, is_running),
        false => vec![Checked::new(
            MANIFEST,
            "valid",
            Outcome::Skipped,
            format!("there is no {}", manifest.display()),
        )],
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
            let found = error.to_string().replace('\n', " ");
            vec![
                Checked::new(MANIFEST, "valid", Outcome::Failed, found)
                    .hint(format!("mend {}", path.display())),
            ]
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
        Err(error) => return Checked::new(SERVER, id, Outcome::Failed, error.to_string()),
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
        Err(error) => Checked::new(SERVER, id, Outcome::Failed, error.to_string())
            .hint("`serin up` starts it again; see server.log in the state directory"),
    }
}
