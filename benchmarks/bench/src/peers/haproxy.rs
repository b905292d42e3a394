//! HAProxy, configured by `peers/haproxy/haproxy.cfg`.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use setup::{Protocol, Setup};

use super::{fill, lines};

const TEMPLATE: &str = include_str!("../../../peers/haproxy/haproxy.cfg");

pub(super) fn command(program: &Path, setup: &Setup, directory: &Path) -> anyhow::Result<Command> {
    let is_tcp = setup.downstream == Protocol::Tcp;
    let speaks_http2 = if setup.upstream == Protocol::Http2 {
        " proto h2"
    } else {
        ""
    };
    let upstreams = setup
        .upstreams
        .iter()
        .enumerate()
        .map(|(number, upstream)| {
            let (address, weight) = (upstream.address, upstream.weight);
            format!("server version-{number} {address} weight {weight}{speaks_http2}")
        });
    let mut bind = format!("{} backlog 4096", setup.listen);
    match (&setup.tls, setup.downstream) {
        (Some(tls), downstream) => {
            let pem = directory.join("haproxy.pem");
            let both = [std::fs::read(&tls.chain)?, std::fs::read(&tls.key)?].concat();
            std::fs::write(&pem, both).context("HAProxy's certificate cannot be written")?;
            let alpn = if downstream == Protocol::Http2 {
                "h2"
            } else {
                "http/1.1"
            };
            bind.push_str(&format!(" ssl crt {} alpn {alpn}", pem.display()));
        }
        (None, Protocol::Http2) => bind.push_str(" proto h2"),
        (None, Protocol::Http1 | Protocol::Tcp) => {}
    }
    let routes = if setup.routes > 1 {
        let path = directory.join("routes.map");
        let map = setup
            .prefixes()
            .into_iter()
            .map(|prefix| format!("{prefix} split"));
        std::fs::write(&path, lines(map) + "\n").context("HAProxy's routes cannot be written")?;
        format!("use_backend %[path,map_beg({},split)]", path.display())
    } else {
        String::new()
    };
    let log = match setup.access_log {
        Some(_) => "log stdout format raw local0 info\n    option httplog",
        None => "no log",
    };
    let values = [
        ("WORKERS", setup.workers.to_string()),
        ("MODE", if is_tcp { "tcp" } else { "http" }.to_owned()),
        ("LOG", log.to_owned()),
        ("RETRIES", if setup.retries { "2" } else { "0" }.to_owned()),
        (
            "RETRY_ON",
            if setup.retries {
                "retry-on conn-failure empty-response 503"
            } else {
                ""
            }
            .to_owned(),
        ),
        (
            "REUSE",
            if is_tcp { "" } else { "http-reuse always" }.to_owned(),
        ),
        (
            "BUFFERS",
            if setup.large_bodies {
                "tune.bufsize 131072"
            } else {
                ""
            }
            .to_owned(),
        ),
        ("BIND", bind),
        ("ROUTES", routes),
        ("UPSTREAMS", lines(upstreams)),
    ];
    let path = directory.join("haproxy.cfg");
    std::fs::write(&path, fill(TEMPLATE, &values) + "\n")
        .context("HAProxy's configuration cannot be written")?;
    let mut command = Command::new(program);
    command.arg("-db").arg("-f").arg(path);
    Ok(command)
}
