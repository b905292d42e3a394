//! The arguments of `serin proxy`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use release::manifest::TextDuration;

use super::{Ceilings, values};

#[derive(Debug, Args)]
pub struct Proxy {
    /// The virtual node or virtual gateway, as `mesh/M/virtualNode/N` or its ARN
    #[arg(long, env = "SERIN_NODE")]
    pub node: Option<String>,
    /// A file with the token for the server [default: SERIN_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificates in PEM that an https server is trusted by [default: the system's]
    #[arg(long, env = "SERIN_SERVER_CA", value_name = "FILE")]
    pub server_ca: Option<PathBuf>,
    /// Where callers reach the node
    #[arg(long, default_value = "0.0.0.0", value_name = "ADDRESS", value_parser = values::ip)]
    pub bind: IpAddr,
    /// The port for callers of a node with one listener
    #[arg(long, default_value = "15000", value_name = "PORT", value_parser = values::port)]
    pub ingress_port: u16,
    /// The port for callers of one of the node's listeners, as `8080=15080`
    #[arg(long, value_name = "LISTENER=PORT")]
    pub ingress: Vec<PortPair>,
    /// The application's port where it is not its listener's, as `8080=9080`
    #[arg(long, value_name = "LISTENER=PORT")]
    pub app_port: Vec<PortPair>,
    /// Where the application reaches its backends; `off` for none
    #[arg(long, default_value = "127.0.0.1:15001", value_name = "ADDRESS")]
    pub egress: Egress,
    /// Another port for one of a virtual gateway's listeners, as `443=8443`
    #[arg(long, value_name = "LISTENER=PORT")]
    pub gateway_port: Vec<PortPair>,
    /// Expect a PROXY protocol header on each connection to the listener with this port of the node, from a
    /// relay that nobody can pass by: 1 to 65535, as often as needed
    #[arg(long, value_name = "LISTENER", value_parser = clap::value_parser!(u16).range(1..))]
    pub proxy_protocol: Vec<u16>,
    /// Threads that carry traffic [default: one for each core]
    #[arg(long, value_name = "N", value_parser = values::at_least_one::<NonZeroUsize>)]
    pub workers: Option<NonZeroUsize>,
    /// How long a client's connection may stay without a request
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub keep_alive: TextDuration,
    /// How long a request's head may take, once it has begun
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub head_timeout: TextDuration,
    /// Take over from the proxy of this node that runs with this state, which drains once this one serves
    #[arg(long)]
    pub replace: bool,
    /// How long the takeover may take before this process gives up, and the other goes on
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub replace_timeout: TextDuration,
    /// Where the admin port listens [default: none]
    #[arg(long, value_name = "ADDRESS", value_parser = values::address)]
    pub admin: Option<SocketAddr>,
    /// How long requests under way may take when the proxy ends
    #[arg(long, default_value = "20s", value_name = "DURATION")]
    pub drain: TextDuration,
    #[command(flatten)]
    pub ceilings: Ceilings,
}

/// A listener's port in the mesh, and the one that stands for it on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortPair {
    pub listener: u16,
    pub port: u16,
}

impl FromStr for PortPair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = text.split_once('=').and_then(|(listener, port)| {
            Some(Self {
                listener: listener.parse().ok()?,
                port: port.parse().ok()?,
            })
        });
        pair.ok_or("write it as LISTENER=PORT, two port numbers")
    }
}

/// Where calls leave, if they do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress(pub Option<SocketAddr>);

impl FromStr for Egress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            address => address
                .parse()
                .map(|address| Self(Some(address)))
                .map_err(|_| "write it as ADDRESS:PORT, or `off`"),
        }
    }
}
