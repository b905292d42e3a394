//! `serin proxy`: one node's proxy beside its application, in the foreground until it is told to end.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admin::Admin;
use model::{Arn, Kind, ResourceId};
use sidecar::{Options, ServerUrl, Sidecar, Token};
use tokio::sync::Notify;
use view::{Binding, ProxyProtocol};

use crate::args::{Global, PortPair, Proxy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::log;
use crate::server_process::NoAdmin;
use crate::terminal::Terminal;

/// What App Mesh's users set beside Envoy, the newer variable first.
const APP_MESH_VARIABLES: [&str; 2] = ["APPMESH_RESOURCE_ARN", "APPMESH_VIRTUAL_NODE_NAME"];

/// How long the process before this one may keep the admin port once this one serves.
const LETTING_GO: Duration = Duration::from_secs(5);

const TOKEN_VARIABLE: &str = "SERIN_TOKEN";

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no node is named")]
    NoNode,
    #[error("no server is named")]
    NoServer,
    #[error("`{0}` is neither a virtual node nor a virtual gateway")]
    NotANode(String),
    #[error("could not read the token in {path}")]
    Token {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("there is no token in {path}")]
    NoToken { path: String },
}

pub async fn run(args: &Proxy, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let options = options(args, global)?;
    let mut interrupt = Interrupt::listen()?;
    let level = log::to_stderr();
    let node = options.node.clone();
    let server = options.server.clone();
    let mut sidecar = Sidecar::start(options)
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    terminal.note(
        Line::new()
            .plain("proxy of ")
            .strong(node)
            .plain(format!(", server {server}; Ctrl-C stops it")),
    );
    let end = tokio::select! {
        end = serve(&mut sidecar, args, level) => end,
        () = interrupt.received() => Ok(End::Told),
    };
    match end {
        Ok(End::Told) => terminal.note(Line::new().plain("stopping: requests under way finish")),
        Ok(End::Succeeded) => {
            terminal
                .note(Line::new().plain("another process serves now: requests under way finish"));
        }
        Err(failure) => {
            sidecar.stop(Duration::ZERO).await;
            return Err(failure);
        }
    }
    sidecar.stop(args.drain.0).await;
    Ok(Exit::Done)
}

enum End {
    Told,
    Succeeded,
}

/// Serves until it is told to end at the admin port, or another process does it instead.
async fn serve(sidecar: &mut Sidecar, args: &Proxy, level: log::Level) -> Result<End, Failure> {
    let failed = |error: Box<dyn Error + Send + Sync>| Failure::new(Exit::Failed, error);
    sidecar
        .take_place(args.replace_timeout.0)
        .await
        .map_err(|error| failed(Box::from(error)))?;
    let quit = Arc::new(Notify::new());
    let admin = match args.admin {
        Some(address) => {
            let subject = admin::Subject {
                plane: sidecar.plane(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                log_level: Box::new(level),
                drain: args.drain.0,
                quit: Arc::clone(&quit),
            };
            let patience = match args.replace {
                true => LETTING_GO,
                false => Duration::ZERO,
            };
            let started = Admin::start(address, subject, patience).await;
            Some(started.map_err(|source| NoAdmin { address, source })?)
        }
        None => None,
    };
    let end = tokio::select! {
        () = quit.notified() => End::Told,
        () = sidecar.succeeded() => End::Succeeded,
    };
    // The one that serves now wants the port.
    drop(admin);
    Ok(end)
}

fn options(args: &Proxy, global: &Global) -> Result<Options, Failure> {
    let invalid = |error| Failure::new(Exit::Invalid, error);
    let node = match &args.node {
        Some(node) => node.clone(),
        None => node_of_app_mesh().ok_or_else(|| {
            invalid(Refused::NoNode).hint(
                "`--node mesh/M/virtualNode/N`, or SERIN_NODE, APPMESH_RESOURCE_ARN or APPMESH_VIRTUAL_NODE_NAME",
            )
        })?,
    };
    let node = node_id(&node).ok_or_else(|| {
        invalid(Refused::NotANode(node)).hint("write it as `mesh/M/virtualNode/N`")
    })?;
    let url = global.server.as_deref().ok_or_else(|| {
        invalid(Refused::NoServer).hint("`--server https://HOST:7470`, or SERIN_SERVER")
    })?;
    let server: ServerUrl = url
        .trim_end_matches('/')
        .parse()
        .map_err(|error: sidecar::UrlError| Failure::new(Exit::Invalid, error))?;
    let mut proxy = sidecar::ProxyOptions {
        keep_alive: args.keep_alive.0,
        head_timeout: args.head_timeout.0,
        ceilings: args.ceilings.settings().into(),
        ..sidecar::ProxyOptions::default()
    };
    if let Some(workers) = args.workers {
        proxy.workers = workers;
    }
    Ok(Options {
        node: node.path(),
        server,
        token: token(args.token_file.as_deref()).map_err(invalid)?,
        roots: args.server_ca.clone(),
        binding: binding(args),
        state: global.state.clone(),
        replace: args.replace,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        proxy,
    })
}

fn node_of_app_mesh() -> Option<String> {
    let mut values = APP_MESH_VARIABLES
        .iter()
        .filter_map(|name| std::env::var(name).ok());
    values.find(|value| !value.is_empty())
}

/// Of a path or an ARN.
fn node_id(text: &str) -> Option<ResourceId> {
    let id = match text.parse::<Arn>() {
        Ok(arn) => arn.id,
        Err(_) => text.parse().ok()?,
    };
    matches!(id.kind(), Kind::VirtualNode | Kind::VirtualGateway).then_some(id)
}

fn token(file: Option<&Path>) -> Result<Option<Token>, Refused> {
    let text = match file {
        Some(path) => Some(
            std::fs::read_to_string(path).map_err(|source| Refused::Token {
                path: path.display().to_string(),
                source,
            })?,
        ),
        None => std::env::var(TOKEN_VARIABLE).ok(),
    };
    match text.as_deref().map(str::trim) {
        Some("") => Err(Refused::NoToken {
            path: match file {
                Some(path) => path.display().to_string(),
                None => TOKEN_VARIABLE.to_owned(),
            },
        }),
        Some(token) => Ok(Some(Token::from(token.to_owned()))),
        None => Ok(None),
    }
}

fn binding(args: &Proxy) -> Binding {
    let ports = |pairs: &[PortPair]| {
        pairs
            .iter()
            .map(|pair| (pair.listener, pair.port))
            .collect()
    };
    let egress = args.egress.0;
    Binding {
        address: args.bind,
        egress_port: egress.map(|egress| egress.port()),
        egress_address: egress.map(|egress| egress.ip()),
        ingress_port: Some(args.ingress_port),
        ingress_ports: ports(&args.ingress),
        application_ports: ports(&args.app_port),
        gateway_ports: ports(&args.gateway_port),
        proxy_protocol: ProxyProtocol {
            expected_on: args.proxy_protocol.iter().copied().collect(),
            ..ProxyProtocol::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_by_its_path_or_its_arn() {
        for text in [
            "mesh/m/virtualNode/n",
            "arn:aws:appmesh:us-east-1:111122223333:mesh/m/virtualNode/n",
        ] {
            assert_eq!(node_id(text).unwrap().path(), "mesh/m/virtualNode/n");
        }
        assert!(node_id("mesh/m/virtualGateway/g").is_some());
        for text in ["", "mesh/m", "mesh/m/virtualRouter/r", "n"] {
            assert!(node_id(text).is_none(), "{text}");
        }
    }
}
