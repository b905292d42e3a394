//! Which server a request reaches, by listener: ingress, egress, gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use testkit::Backend;
use testkit::raw::RawServer;
use view::*;

use crate::mesh::{Proxy, any, cluster, get, listener, node};

/// A server that says its name and what it was asked.
async fn named(name: &'static str) -> Backend {
    Backend::answering(move |request| {
        let host = request
            .headers()
            .get("host")
            .and_then(|host| host.to_str().ok())
            .unwrap_or("-");
        hyper::Response::new(format!("{name} {host} {}", request.uri()).into())
    })
    .await
    .unwrap()
}

fn egress(port: Option<u16>, unmatched: Unmatched) -> Entry {
    let host = ServiceHost {
        host: "crystal.local".into(),
        port,
        service: 0,
    };
    Entry::Egress {
        hosts: vec![host],
        unmatched,
    }
}

fn ask(target: &str, host: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test]
async fn ingress_goes_to_the_local_application_whatever_is_asked() {
    let app = named("app").await;
    let proxy = Proxy::running(&node(
        Entry::Ingress { cluster: 0 },
        &[("n", 1, &[app.address])],
    ))
    .await;
    let response = proxy.ask(ask("/a?b", "any.name:1234")).await;
    assert_eq!(response.text(), "app any.name:1234 /a?b");
}

#[tokio::test]
async fn egress_reaches_services_by_host_in_either_form() {
    let crystal = named("crystal").await;
    let view = node(
        egress(Some(3000), Unmatched::Refuse),
        &[("n", 1, &[crystal.address])],
    );
    let proxy = Proxy::running(&view).await;
    for (target, host, status, text) in [
        (
            "/a",
            "crystal.local:3000",
            200,
            "crystal crystal.local:3000 /a",
        ),
        ("/a", "Crystal.Local", 200, "crystal Crystal.Local /a"),
        (
            "http://crystal.local:3000/a?b",
            "x",
            200,
            "crystal crystal.local:3000 /a?b",
        ),
        (
            "http://crystal.local:3000",
            "x",
            200,
            "crystal crystal.local:3000 /",
        ),
        ("/a", "crystal.local:3001", 404, "DROP_ALL"),
        (
            "/a",
            "other.local",
            404,
            "no virtual service is called \"other.local\"",
        ),
        (
            "http://other.local/",
            "crystal.local",
            404,
            "no virtual service is called \"other.local\"",
        ),
    ] {
        let response = proxy.ask(ask(target, host)).await;
        assert_eq!(response.status, status, "{target} {host}");
        assert!(
            response.text().contains(text),
            "{target} {host}: {}",
            response.text()
        );
    }
}

#[tokio::test]
async fn egress_forwards_what_is_outside_where_the_mesh_allows_it() {
    let (crystal, outside) = (named("crystal").await, named("outside").await);
    let view = node(
        egress(None, Unmatched::Forward),
        &[("n", 1, &[crystal.address])],
    );
    let proxy = Proxy::running(&view).await;
    let outside_host = format!("localhost:{}", outside.address.port());
    for authority in [outside_host, outside.address.to_string()] {
        for request in [
            ask("/a", &authority),
            ask(&format!("http://{authority}/a"), "x"),
        ] {
            assert_eq!(
                proxy.ask(request).await.text(),
                format!("outside {authority} /a")
            );
        }
    }
    assert_eq!(proxy.get("/").await.text(), "crystal crystal.local /");

    let own = proxy.address.to_string();
    assert_eq!(
        proxy.ask(ask("/", &own)).await.status,
        508,
        "a loop is noticed"
    );
    let response = proxy.ask(ask("/", "does-not-exist.invalid")).await;
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(
        response
            .text()
            .contains("cannot resolve does-not-exist.invalid"),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn a_gateway_rewrites_host_and_path() {
    let server = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let entry = Entry::Gateway {
        routes: vec![GatewayRoute {
            name: "ecs".into(),
            hostname: None,
            matches: RequestMatch {
                path: PathMatch::Prefix("/ecs".into()),
                ..any()
            },
            rewrite: Rewrite {
                host: Some("crystal.local".into()),
                path: PathRewrite::Prefix {
                    from: "/ecs".into(),
                    to: "/".into(),
                },
            },
            service: 0,
        }],
    };
    let proxy = Proxy::running(&node(entry, &[("n", 1, &[server.address])])).await;
    let response = proxy
        .ask("GET /ecs//./crystal?a=/.. HTTP/1.1\r\nA: b\r\nHost: public:80\r\nC: d\r\n\r\n")
        .await;
    assert_eq!(response.status, 200);
    assert_eq!(
        server.seen(),
        ["GET /crystal?a=/.. HTTP/1.1\r\nhost: crystal.local\r\nA: b\r\nC: d\r\n\r\n"]
    );
    let response = proxy.get("/eks").await;
    assert_eq!(
        (response.status, response.text().as_str()),
        (404, "no gateway route matches\n")
    );
}

/// The workshop's header route, with a name that other proxies drop for its underscore.
#[tokio::test]
async fn routes_are_tried_in_order() {
    let (canary, stable) = (named("canary").await, named("stable").await);
    let mut view = node(
        egress(None, Unmatched::Refuse),
        &[
            ("canary", 1, &[canary.address]),
            ("stable", 0, &[stable.address]),
        ],
    );
    let mut header_route = view.services[0].routes[0].clone();
    header_route.matches.headers = vec![HeaderMatch {
        name: "canary_fleet".into(),
        invert: false,
        value: ValueMatch::Exact("true".into()),
    }];
    let targets = &mut view.services[0].routes[0].split.targets;
    (targets[0].weight, targets[1].weight) = (0, 1);
    view.services[0].routes.insert(0, header_route);
    let proxy = Proxy::running(&view).await;
    for (header, expected) in [
        ("canary_fleet: true", "canary"),
        ("Canary_Fleet: true", "canary"),
        ("canary-fleet: true", "stable"),
        ("canary_fleet: truee", "stable"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: crystal.local\r\n{header}\r\n\r\n");
        let text = proxy.ask(request).await.text();
        assert!(text.starts_with(expected), "{header}: {text}");
    }
}

#[tokio::test]
async fn one_data_plane_carries_many_nodes() {
    let (one, two) = (named("one").await, named("two").await);
    let ingress = |name: &str, to: SocketAddr| {
        let mut view = node(Entry::Ingress { cluster: 0 }, &[("n", 1, &[to])]);
        view.node = name.into();
        view
    };
    let proxy = Proxy::running(&ingress("one", one.address)).await;
    let second = proxy.apply(&ingress("two", two.address)).await.unwrap();
    assert_ne!(proxy.address, second);
    assert!(proxy.get("/").await.text().starts_with("one"));
    let mut client = testkit::raw::RawClient::connect(second).await.unwrap();
    assert!(
        client
            .ask(get("/"))
            .await
            .unwrap()
            .text()
            .starts_with("two")
    );
}

#[tokio::test]
async fn a_node_may_have_several_listeners() {
    let app = named("app").await;
    let mut view = node(Entry::Ingress { cluster: 0 }, &[("n", 1, &[app.address])]);
    view.listeners
        .push(listener("lds_egress", egress(None, Unmatched::Refuse)));
    view.clusters.push(cluster("unused", &[]));
    let proxy = Proxy::running(&view).await;
    let bound = proxy.plane.apply(Arc::new(view.clone())).await.unwrap();
    let names: Vec<_> = bound.iter().map(|bound| bound.name.as_str()).collect();
    assert_eq!(names, ["lds_ingress", "lds_egress"]);
    assert_eq!(bound[0].address, proxy.address, "port 0 is chosen once");
    let mut client = testkit::raw::RawClient::connect(bound[1].address)
        .await
        .unwrap();
    assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
    assert_eq!(client.ask(ask("/", "other")).await.unwrap().status, 404);
}
