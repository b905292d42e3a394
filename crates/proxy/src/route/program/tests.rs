//! Tables of requests and where they go.

use view::*;

use super::super::matcher::Asked;
use super::super::path;
use super::{Destination, Program};
use crate::error::ApplyError;
use crate::http1::request::Authority;

fn any_path(path: PathMatch) -> RequestMatch {
    RequestMatch {
        path,
        method: None,
        scheme: None,
        headers: vec![],
        query: vec![],
    }
}

fn service(name: &str, routes: Vec<RequestMatch>) -> Service {
    let routes = routes
        .into_iter()
        .enumerate()
        .map(|(number, matches)| Route {
            name: number.to_string(),
            matches,
            split: Split {
                id: format!("{name}/{number}"),
                targets: vec![],
            },
            traffic: Traffic::default(),
            retry: None,
            timeouts: Timeouts::default(),
        });
    Service {
        name: name.into(),
        routes: routes.collect(),
    }
}

fn program(entry: Entry, services: Vec<Service>) -> Program {
    Program::compile(&NodeView {
        node: "mesh/m/virtualNode/n".into(),
        revision: 1,
        listeners: vec![Listener {
            name: "l".into(),
            bind: "127.0.0.1:0".parse().unwrap(),
            protocol: Protocol::Http,
            entry,
            timeouts: Timeouts::default(),
            limits: PoolLimits::default(),
            expects_proxy_header: false,
            tls: None,
            access_log: None,
        }],
        services,
        clusters: vec![],
    })
    .unwrap()
}

/// `service/route host path`, or why not.
fn routed(program: &Program, authority: &str, path_and_query: &str) -> String {
    let authority = Authority::parse(authority.as_bytes()).unwrap();
    let asked = Asked {
        method: "GET",
        authority: authority.text,
        path: path::without_query(path_and_query),
        query: None,
        lines: &[],
    };
    match program.route(0, authority, path_and_query, asked) {
        Ok(Destination::Route {
            service,
            route,
            host,
            path_and_query,
        }) => {
            format!("{service}/{route} {} {path_and_query}", host.unwrap_or("-"))
        }
        Ok(other) => format!("{other:?}"),
        Err(reason) => reason.to_string(),
    }
}

#[test]
fn an_egress_listener_goes_by_authority_and_port() {
    let host = |host: &str, port, service| ServiceHost {
        host: host.into(),
        port,
        service,
    };
    let everything = || vec![any_path(PathMatch::Prefix("/".into()))];
    let hosts = vec![
        host("crystal.local", Some(3000), 0),
        host("crystal.local", Some(80), 1),
        host("nodejs.local", None, 2),
        host("ruby.local", Some(3000), 3),
    ];
    let services = vec![
        service("crystal.local", everything()),
        service("crystal.local", everything()),
        service(
            "nodejs.local",
            vec![any_path(PathMatch::Prefix("/a".into()))],
        ),
        service("ruby.local", everything()),
    ];
    let refuse = Entry::Egress {
        hosts: hosts.clone(),
        unmatched: Unmatched::Refuse,
    };
    let refuse = program(refuse, services.clone());
    for (authority, path, expected) in [
        ("crystal.local:3000", "/", "0/0 - /"),
        ("CRYSTAL.local:3000", "/?q", "0/0 - /?q"),
        ("crystal.local", "/", "1/0 - /"),
        ("crystal.local:80", "/", "1/0 - /"),
        ("nodejs.local:1234", "/ab", "2/0 - /ab"),
        (
            "nodejs.local",
            "/b",
            "no route of virtual service \"nodejs.local\" matches",
        ),
        ("ruby.local", "/", "3/0 - /"),
        ("s3.amazonaws.com", "/", "Outside"),
    ] {
        assert_eq!(routed(&refuse, authority, path), expected, "{authority}");
    }
    for authority in ["crystal.local:81", "example.com", "amazonaws.com", ""] {
        assert!(
            routed(&refuse, authority, "/").contains("DROP_ALL"),
            "{authority}"
        );
    }
    let forward = program(
        Entry::Egress {
            hosts,
            unmatched: Unmatched::Forward,
        },
        services,
    );
    assert_eq!(routed(&forward, "example.com", "/"), "Outside");
    assert_eq!(routed(&forward, "crystal.local:3000", "/"), "0/0 - /");
}

#[test]
fn a_gateway_tries_its_routes_in_order_and_rewrites() {
    let route = |hostname, path, host: Option<&str>, path_rewrite, service| GatewayRoute {
        name: "g".into(),
        hostname,
        matches: any_path(path),
        rewrite: Rewrite {
            host: host.map(Into::into),
            path: path_rewrite,
        },
        service,
    };
    let prefix = |from: &str, to: &str| PathRewrite::Prefix {
        from: from.into(),
        to: to.into(),
    };
    let routes = vec![
        route(
            Some(HostMatch::Suffix(".example.com".into())),
            PathMatch::Prefix("/".into()),
            None,
            PathRewrite::Keep,
            1,
        ),
        route(
            None,
            PathMatch::Prefix("/ecs".into()),
            Some("crystal"),
            prefix("/ecs", "/"),
            0,
        ),
        route(
            None,
            PathMatch::Prefix("/v1".into()),
            None,
            prefix("/v1", "/v2"),
            0,
        ),
        route(
            None,
            PathMatch::Exact("/exact".into()),
            None,
            PathRewrite::Exact("/other".into()),
            0,
        ),
        route(
            None,
            PathMatch::Prefix("/only".into()),
            None,
            PathRewrite::Keep,
            2,
        ),
    ];
    let everything = || any_path(PathMatch::Prefix("/".into()));
    let services = vec![
        service(
            "crystal",
            vec![any_path(PathMatch::Exact("/crystal".into())), everything()],
        ),
        service("host", vec![any_path(PathMatch::Prefix("/".into()))]),
        service("empty", vec![]),
    ];
    let program = program(Entry::Gateway { routes }, services);
    for (authority, path, expected) in [
        ("a.example.com:8080", "/ecs/crystal", "1/0 - /ecs/crystal"),
        (
            "example.com",
            "/ecs/crystal?a=b",
            "0/0 crystal /crystal?a=b",
        ),
        ("x", "/ecs", "0/1 crystal /"),
        ("x", "/ecs?a", "0/1 crystal /?a"),
        ("x", "/ecsx", "0/1 crystal /x"),
        ("x", "/v1/a", "0/1 - /v2/a"),
        ("x", "/exact?q", "0/1 - /other?q"),
        ("x", "/exactly", "no gateway route matches"),
        (
            "x",
            "/only",
            "no route of virtual service \"empty\" matches",
        ),
    ] {
        assert_eq!(
            routed(&program, authority, path),
            expected,
            "{authority}{path}"
        );
    }
}

#[test]
fn a_view_that_points_nowhere_is_refused() {
    let view = |service, cluster| NodeView {
        node: "n".into(),
        revision: 1,
        listeners: vec![Listener {
            name: "l".into(),
            bind: "127.0.0.1:0".parse().unwrap(),
            protocol: Protocol::Http,
            entry: Entry::Egress {
                hosts: vec![ServiceHost {
                    host: "a".into(),
                    port: None,
                    service,
                }],
                unmatched: Unmatched::Refuse,
            },
            timeouts: Timeouts::default(),
            limits: PoolLimits::default(),
            expects_proxy_header: false,
            tls: None,
            access_log: None,
        }],
        services: vec![Service {
            name: "a".into(),
            routes: vec![Route {
                name: "r".into(),
                matches: any_path(PathMatch::Prefix("/".into())),
                split: Split {
                    id: "s".into(),
                    targets: vec![Target {
                        arm: "a".into(),
                        cluster,
                        weight: 1,
                    }],
                },
                traffic: Traffic::default(),
                retry: None,
                timeouts: Timeouts::default(),
            }],
        }],
        clusters: vec![],
    };
    for (service, cluster) in [(1, 0), (0, 0)] {
        let refused = Program::compile(&view(service, cluster));
        assert!(
            matches!(refused, Err(ApplyError::Broken { .. })),
            "{refused:?}"
        );
    }
}
