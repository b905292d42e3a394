//! A Pingora proxy with its best known settings: as many threads as workers, no work stealing where one
//! thread carries everything, a keep-alive pool that is never too small, and no logs.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::Result;
use pingora_core::apps::HttpServerOptions;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::{ALPN, HttpPeer};
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use setup::{Protocol, Setup};

struct Split {
    setup: Setup,
    total: u32,
}

impl Split {
    fn draw(&self) -> SocketAddr {
        self.setup.drawn(fastrand::u32(0..self.total))
    }
}

#[async_trait]
impl ProxyHttp for Split {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut ()) -> Result<Box<HttpPeer>> {
        let mut peer = HttpPeer::new(self.draw(), false, String::new());
        peer.options.connection_timeout = Some(Duration::from_secs(1));
        peer.options.idle_timeout = Some(Duration::from_secs(60));
        if self.setup.upstream == Protocol::Http2 {
            peer.options.alpn = ALPN::H2;
            peer.options.max_h2_streams = 128;
        }
        Ok(Box::new(peer))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let setup = Setup::from_arguments()?;
    let configuration = ServerConf {
        threads: setup.workers,
        work_stealing: setup.workers > 1,
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();

    let split = Split {
        total: setup.total_weight(),
        setup: setup.clone(),
    };
    let mut service = http_proxy_service(&server.configuration, split);
    if setup.downstream == Protocol::Http2 && setup.tls.is_none() {
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        let logic = service.app_logic_mut().ok_or("the service has no logic")?;
        logic.server_options = Some(options);
    }
    let listen = setup.listen.to_string();
    match &setup.tls {
        None => service.add_tcp(&listen),
        Some(certificate) => {
            let chain = certificate.chain.to_string_lossy();
            let key = certificate.key.to_string_lossy();
            let mut settings = TlsSettings::intermediate(&chain, &key)?;
            settings.enable_h2();
            service.add_tls_with_settings(&listen, None, settings);
        }
    }
    server.add_service(service);
    server.run_forever()
}
