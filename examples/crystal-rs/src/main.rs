//! The crystal service of the App Mesh Workshop, in Rust without dependencies.
//!
//! The twin of `../crystal` for machines without a Crystal compiler: same
//! settings, same answers, same log. This file reads the settings, starts the
//! server and stops it gently; what the service answers stands in `backend.rs`.

mod backend;
mod encoding;
mod http;
mod log;
mod running;
mod server;
mod termination;

use std::env;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use backend::Backend;
use log::Severity::{Debug, Info, Warn};
use server::Server;
use termination::Termination;

/// How long requests under way may take after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    // First of all: threads started later inherit what is done here.
    let termination = Termination::expect();

    log::event(Debug, "Created logger");
    log::event(Info, "Program started");
    log::event(Warn, "Nothing to do!");

    let code_hash = fs::read_to_string("code_hash.txt").map_err(|error| {
        format!(
            "cannot read code_hash.txt: {error}: start the server in the directory that holds it"
        )
    })?;
    let ip = setting("IP", "127.0.0.1")?;
    let az = setting("AZ", "'127.0.0.1 in AZ-a'")?;
    let host = env::var("HOST").unwrap_or_else(|_| "0.0.0.0".to_owned());
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let port: u16 = port
        .parse()
        .map_err(|_| format!("PORT={port} is not a port: give a number from 0 to 65535"))?;

    log::event(Debug, &format!("code_hash is: {}", code_hash.trim_end()));
    log::event(Debug, &format!("ip is: {ip}"));
    log::event(Debug, &format!("az is: {az}"));

    let server = Server::start(&host, port, Backend::new(az, code_hash)).map_err(|error| {
        format!("cannot listen on {host}:{port}: {error}: choose another port with PORT")
    })?;
    log::line(&format!("Listening on http://{}", server.address()));

    termination.wait();
    server.stop(GRACE);
    Ok(())
}

fn setting(name: &str, example: &str) -> Result<String, String> {
    env::var(name).map_err(|_| {
        format!(
            "the environment variable {name} is not set: start the server with {name}={example}"
        )
    })
}
