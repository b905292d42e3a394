//! Peers of our own making and Serin: built beside the driver, told the setup in their one argument.

use std::path::{Path, PathBuf};
use std::process::Command;

use setup::{Protocol, Setup};

use super::Peer;

fn file_name(peer: Peer) -> &'static str {
    match peer {
        Peer::Serin => "serin-peer",
        Peer::Pingora => "pingora-peer",
        Peer::Hyper => "hyper-peer",
        _ => "forwarder-peer",
    }
}

/// Small proxies: neither route nor log nor retry.
pub(super) fn proxy_supports(peer: Peer, setup: &Setup) -> bool {
    setup.routes <= 1
        && setup.access_log.is_none()
        && !setup.retries
        && (peer == Peer::Hyper || setup.downstream != Protocol::Tcp)
}

/// Bytes in, bytes out: both sides must speak the same, each client connection has one upstream.
pub(super) fn forwarder_supports(setup: &Setup) -> bool {
    setup.tls.is_none()
        && setup.downstream == setup.upstream
        && setup.workers == 1
        && setup.routes <= 1
        && setup.access_log.is_none()
}

pub(super) fn program(peer: Peer) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?;
    Some(beside.with_file_name(file_name(peer))).filter(|program| program.is_file())
}

pub(super) fn command(
    peer: Peer,
    program: &Path,
    setup: &Setup,
    directory: &Path,
) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    command.arg(serde_json::to_string(setup)?);
    match peer {
        Peer::Forwarder => drop(command.arg("copy")),
        Peer::Splice => drop(command.arg("splice")),
        Peer::Serin => drop(command.arg(directory)),
        _ => {}
    }
    Ok(command)
}

/// Of the library that a peer stands for, as this workspace's lock file has it.
pub(super) fn version(peer: Peer) -> String {
    const LOCK: &str = include_str!("../../../Cargo.lock");
    let package = match peer {
        Peer::Pingora => "pingora-proxy",
        Peer::Hyper => "hyper",
        Peer::Serin => return crate::machine::commit(),
        _ => return String::new(),
    };
    let entry = format!("name = \"{package}\"\nversion = \"");
    LOCK.split_once(&entry)
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}
