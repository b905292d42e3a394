//! nginx, configured by `peers/nginx/`.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use setup::{Protocol, Setup};

use super::{fill, lines};

const HTTP: &str = include_str!("../../../peers/nginx/http.conf");
const TCP: &str = include_str!("../../../peers/nginx/tcp.conf");

/// Debian's nginx speaks no HTTP/2 to upstreams.
pub(super) fn supports(setup: &Setup) -> bool {
    setup.upstream != Protocol::Http2
}

pub(super) fn command(program: &Path, setup: &Setup, directory: &Path) -> anyhow::Result<Command> {
    let is_tcp = setup.downstream == Protocol::Tcp;
    let upstreams = setup.upstreams.iter().map(|upstream| {
        format!(
            "server {} weight={} max_fails=0;",
            upstream.address, upstream.weight
        )
    });
    let mut listen = setup.listen.to_string();
    if !is_tcp {
        listen.push_str(" backlog=4096");
    }
    if setup.workers > 1 {
        listen.push_str(" reuseport");
    }
    if setup.tls.is_some() {
        listen.push_str(" ssl");
    }
    if setup.downstream == Protocol::Http2 {
        listen.push_str(" http2");
    }
    let certificate = setup.tls.as_ref().map(|tls| {
        let (chain, key) = (tls.chain.display(), tls.key.display());
        format!("ssl_certificate {chain}; ssl_certificate_key {key};")
    });
    let routes = setup
        .prefixes()
        .into_iter()
        .map(|prefix| format!("location {prefix} {{ proxy_pass http://split; }}"));
    let buffers = match setup.large_bodies {
        true => "proxy_buffer_size 256k; proxy_buffers 4 256k; proxy_busy_buffers_size 512k;",
        false => "",
    };
    let values = [
        ("WORKERS", setup.workers.to_string()),
        (
            "MASTER",
            if setup.workers > 1 { "on" } else { "off" }.to_owned(),
        ),
        ("DIRECTORY", directory.display().to_string()),
        ("UPSTREAMS", lines(upstreams)),
        ("LISTEN", listen),
        ("CERTIFICATE", certificate.unwrap_or_default()),
        ("ROUTES", lines(routes)),
        ("BUFFERS", buffers.to_owned()),
        (
            "ACCESS_LOG",
            setup.access_log.as_ref().map_or("off".to_owned(), |path| {
                format!("{} combined buffer=64k flush=1s", path.display())
            }),
        ),
        (
            "RETRIES",
            if setup.retries {
                "error timeout http_502 http_503 http_504"
            } else {
                "off"
            }
            .to_owned(),
        ),
    ];
    let path = directory.join("nginx.conf");
    std::fs::write(&path, fill(if is_tcp { TCP } else { HTTP }, &values))
        .context("nginx's configuration cannot be written")?;
    let mut command = Command::new(program);
    command.arg("-c").arg(path).arg("-p").arg(directory);
    command.arg("-e").arg(directory.join("start.log"));
    Ok(command)
}
