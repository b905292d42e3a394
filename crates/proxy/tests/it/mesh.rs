//! Views as small as tests need them, and a data plane that runs one.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proxy::{ApplyError, DataPlane, Options};
use testkit::raw::{RawClient, RawResponse};
use view::*;

pub(crate) const NODE: &str = "mesh/m/virtualGateway/g";
pub(crate) const SPLIT: &str = "mesh/m/virtualRouter/r/route/all";

/// A data plane with one node and the address of that node's first listener.
pub(crate) struct Proxy {
    pub(crate) plane: DataPlane,
    pub(crate) address: SocketAddr,
}

impl Proxy {
    pub(crate) async fn running(view: &NodeView) -> Self {
        Self::with(view, options()).await
    }

    pub(crate) async fn with(view: &NodeView, options: Options) -> Self {
        let plane = DataPlane::start(options).unwrap();
        let address = plane.apply(Arc::new(view.clone())).await.unwrap()[0].address;
        Self { plane, address }
    }

    pub(crate) async fn apply(&self, view: &NodeView) -> Result<SocketAddr, ApplyError> {
        Ok(self.plane.apply(Arc::new(view.clone())).await?[0].address)
    }

    pub(crate) async fn client(&self) -> RawClient {
        RawClient::connect(self.address).await.unwrap()
    }

    /// Of clients.
    pub(crate) async fn connections(&self) -> u64 {
        let statistics = self.plane.statistics().await;
        statistics.of_workers(|worker| worker.connections as u64)
    }

    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> RawResponse {
        self.client().await.ask(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> RawResponse {
        self.ask(get(path)).await
    }
}

/// Two workers, as every change must reach more than one.
pub(crate) fn options() -> Options {
    Options {
        workers: NonZeroUsize::new(2).unwrap(),
        ..Options::default()
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: crystal.local\r\n\r\n")
}

/// A gateway in front of one service with one route, which splits by these weights.
pub(crate) fn gateway(arms: &[(&str, u32, &[SocketAddr])]) -> NodeView {
    let entry = Entry::Gateway {
        routes: vec![GatewayRoute {
            name: "all".into(),
            hostname: None,
            matches: any(),
            rewrite: Rewrite {
                host: None,
                path: PathRewrite::Keep,
            },
            service: 0,
        }],
    };
    node(entry, arms)
}

/// One endpoint, one arm.
pub(crate) fn gateway_to(endpoint: SocketAddr) -> NodeView {
    gateway(&[("stable", 1, &[endpoint])])
}

/// A node whose one listener enters like this; its service 0 is `crystal.local`.
pub(crate) fn node(entry: Entry, arms: &[(&str, u32, &[SocketAddr])]) -> NodeView {
    let target = |(cluster, (arm, weight, _)): (usize, &(&str, u32, &[SocketAddr]))| Target {
        arm: (*arm).to_owned(),
        cluster,
        weight: *weight,
    };
    NodeView {
        node: NODE.into(),
        revision: 1,
        listeners: vec![listener("lds_ingress", entry)],
        services: vec![Service {
            name: "crystal.local".into(),
            routes: vec![Route {
                name: "all".into(),
                matches: any(),
                split: Split {
                    id: SPLIT.into(),
                    targets: arms.iter().enumerate().map(target).collect(),
                },
                traffic: Traffic::default(),
                retry: None,
                timeouts: Timeouts::default(),
            }],
        }],
        clusters: arms
            .iter()
            .map(|(arm, _, endpoints)| cluster(arm, endpoints))
            .collect(),
    }
}

pub(crate) fn listener(name: &str, entry: Entry) -> Listener {
    Listener {
        name: name.into(),
        bind: "127.0.0.1:0".parse().unwrap(),
        protocol: Protocol::Http,
        entry,
        timeouts: Timeouts::default(),
        limits: PoolLimits::default(),
        expects_proxy_header: false,
        tls: None,
        access_log: None,
    }
}

pub(crate) fn any() -> RequestMatch {
    RequestMatch {
        path: PathMatch::Prefix("/".into()),
        method: None,
        scheme: None,
        headers: vec![],
        query: vec![],
    }
}

pub(crate) fn cluster(virtual_node: &str, endpoints: &[SocketAddr]) -> Cluster {
    let endpoint = |address: &SocketAddr| Endpoint {
        id: address.to_string(),
        address: *address,
        zone: None,
    };
    Cluster {
        name: format!("cds_egress_m_{virtual_node}_http_3000"),
        virtual_node: virtual_node.into(),
        protocol: Protocol::Http,
        discovery: Discovery::Static {
            endpoints: endpoints.iter().map(endpoint).collect(),
        },
        connect_timeout: Duration::from_secs(1),
        health_check: None,
        outlier_detection: None,
        sends_proxy_header: None,
        tls: None,
    }
}

/// App Mesh's default, with other codes and tries.
pub(crate) fn retrying(max_retries: u32, status_codes: &[u16]) -> Option<RetryPolicy> {
    Some(RetryPolicy {
        max_retries,
        per_try_timeout: None,
        on: RetryOn {
            connect_failure: true,
            reset: true,
            refused_stream: true,
            status_codes: status_codes.to_vec(),
            grpc_status: vec![],
        },
        backoff_base: Duration::from_millis(2),
        backoff_max: Duration::from_millis(10),
    })
}

/// An address that nobody listens on.
pub(crate) fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
