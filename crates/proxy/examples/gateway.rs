//! A gateway over a weighted split, from the command line: to try the data plane, and to measure it.
//!
//! `gateway BIND WORKERS [guarded] ADDRESS=WEIGHT...`, for example `gateway 127.0.0.1:8088 1
//! 127.0.0.1:9001=95 127.0.0.1:9002=5`. With `guarded` it limits its connection pool, ejects outliers and
//! retries. Ends, and prints what it counted, when its standard input ends.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to a terminal"
)]

use std::error::Error;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use proxy::{DataPlane, Options};
use view::{
    Cluster, Discovery, Endpoint, Entry, GatewayRoute, Listener, NodeView, OutlierDetection,
    PathMatch, PathRewrite, PoolLimits, Protocol, RequestMatch, RetryOn, RetryPolicy, Rewrite,
    Route, Service, Split, Target, Timeouts, Traffic,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bind, workers, targets @ ..] = arguments.as_slice() else {
        eprintln!("usage: gateway BIND WORKERS [guarded] ADDRESS=WEIGHT...");
        return Err("not enough arguments".into());
    };
    let plane = DataPlane::start(Options {
        workers: workers.parse()?,
        ..Options::default()
    })?;
    let view = match targets {
        [first, targets @ ..] if first == "guarded" => guarded(view(bind, targets)?),
        targets => view(bind, targets)?,
    };
    for listener in plane.apply(Arc::new(view)).await? {
        println!("{} listens on {}", listener.name, listener.address);
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    for observations in plane.shutdown(Duration::from_secs(5)).await {
        println!("{observations:#?}");
    }
    Ok(())
}

/// With everything on that protects services, at limits that a healthy run does not reach.
fn guarded(mut view: NodeView) -> NodeView {
    for listener in &mut view.listeners {
        listener.limits.max_connections = Some(1024);
    }
    for cluster in &mut view.clusters {
        cluster.outlier_detection = Some(OutlierDetection {
            consecutive_server_errors: 5,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection_percent: 10,
        });
    }
    for route in view
        .services
        .iter_mut()
        .flat_map(|service| &mut service.routes)
    {
        route.retry = Some(RetryPolicy {
            max_retries: 2,
            per_try_timeout: None,
            on: RetryOn {
                connect_failure: true,
                reset: true,
                status_codes: vec![503],
                ..RetryOn::default()
            },
            backoff_base: Duration::from_millis(25),
            backoff_max: Duration::from_millis(250),
        });
    }
    view
}

fn view(bind: &str, targets: &[String]) -> Result<NodeView, Box<dyn Error>> {
    let any = RequestMatch {
        path: PathMatch::Prefix("/".to_owned()),
        method: None,
        scheme: None,
        headers: vec![],
        query: vec![],
    };
    let timeouts = Timeouts {
        per_request: Some(Duration::from_secs(15)),
        idle: Some(Duration::from_secs(300)),
    };
    let mut clusters = Vec::new();
    let mut split = Split {
        id: "all".to_owned(),
        targets: Vec::new(),
    };
    for (cluster, target) in targets.iter().enumerate() {
        let (address, weight) = target.split_once('=').ok_or("a target is ADDRESS=WEIGHT")?;
        let endpoint = Endpoint {
            id: address.to_owned(),
            address: address.parse()?,
            zone: None,
        };
        split.targets.push(Target {
            arm: address.to_owned(),
            cluster,
            weight: weight.parse()?,
        });
        clusters.push(Cluster {
            name: address.to_owned(),
            virtual_node: address.to_owned(),
            protocol: Protocol::Http,
            discovery: Discovery::Static {
                endpoints: vec![endpoint],
            },
            connect_timeout: Duration::from_secs(1),
            health_check: None,
            outlier_detection: None,
            sends_proxy_header: None,
            tls: None,
        });
    }
    Ok(NodeView {
        node: "mesh/example/virtualGateway/gateway".to_owned(),
        revision: 1,
        listeners: vec![Listener {
            name: "ingress".to_owned(),
            bind: bind.parse()?,
            protocol: Protocol::Http,
            entry: Entry::Gateway {
                routes: vec![GatewayRoute {
                    name: "all".to_owned(),
                    hostname: None,
                    matches: any.clone(),
                    rewrite: Rewrite {
                        host: None,
                        path: PathRewrite::Keep,
                    },
                    service: 0,
                }],
            },
            timeouts: Timeouts::default(),
            limits: PoolLimits::default(),
            expects_proxy_header: false,
            tls: None,
            access_log: None,
        }],
        services: vec![Service {
            name: "service".to_owned(),
            routes: vec![Route {
                name: "all".to_owned(),
                matches: any,
                split,
                traffic: Traffic::default(),
                retry: None,
                timeouts,
            }],
        }],
        clusters,
    })
}
