//! Gateway routes: hosts, rewrites, ports and listeners, with the service's own routes behind them.

use std::collections::BTreeMap;

use model::ResourceId;
use serde_json::{Value, json};
use view::Binding;

use crate::mesh::{MESH, Mesh, Proxy, listener};

/// A gateway with listeners on 8080 and 8081 in front of `shop.local` and `blog.local`.
async fn gateway(routes: &[(&str, Option<i32>, Value)]) -> Proxy {
    let mut mesh = Mesh::new();
    for node in ["cart", "shop", "blog"] {
        mesh.node(node).await;
    }
    mesh.service("shop.local", &[80]);
    mesh.route("shop.local", "cart", Some(1), json!({"prefix": "/cart"}));
    mesh.route("shop.local", "shop", None, json!({"prefix": "/"}));
    mesh.service("blog.local", &[80]);
    mesh.route("blog.local", "blog", None, json!({"prefix": "/"}));
    let gateway = ResourceId::virtual_gateway(MESH, "ingress");
    mesh.put(
        gateway.clone(),
        json!({"listeners": [listener(8080), listener(8081)]}),
    );
    for (number, (service, priority, route)) in routes.iter().enumerate() {
        let mut route = route.clone();
        route["action"]["target"] = json!({"virtualService": {"virtualServiceName": service}});
        if route["match"].get("port").is_none() {
            route["match"]["port"] = json!(8080);
        }
        let mut spec = json!({"httpRoute": route});
        if let Some(priority) = priority {
            spec["priority"] = json!(priority);
        }
        let id = ResourceId::gateway_route(MESH, "ingress", format!("route-{number}"));
        mesh.put(id, spec);
    }
    let binding = Binding {
        gateway_ports: BTreeMap::from([(8080, 0), (8081, 0)]),
        ..Binding::loopback()
    };
    mesh.proxy(&gateway, &binding).await
}

#[tokio::test]
async fn prefixes_are_rewritten_by_segment_and_the_services_routes_come_after() {
    let proxy = gateway(&[
        ("shop.local", None, json!({"match": {"prefix": "/shop"}})),
        (
            "blog.local",
            None,
            json!({
                "match": {"prefix": "/news/"},
                "action": {"rewrite": {"prefix": {"value": "/blog/"}}},
            }),
        ),
        (
            "blog.local",
            None,
            json!({
                "match": {"prefix": "/kept"},
                "action": {"rewrite": {
                    "prefix": {"defaultPrefix": "DISABLED"},
                    "hostname": {"defaultTargetHostname": "DISABLED"},
                }},
            }),
        ),
        (
            "blog.local",
            None,
            json!({
                "match": {"path": {"exact": "/one"}},
                "action": {"rewrite": {"path": {"exact": "/other"}}},
            }),
        ),
        (
            "blog.local",
            None,
            json!({"match": {"path": {"regex": "/r[0-9]"}}}),
        ),
    ])
    .await;
    let host: &[&str] = &["Host: www.example.com"];
    proxy
        .answers(
            0,
            &[
                ("GET /shop", host, "shop GET / shop.local"),
                ("GET /shop/", host, "shop GET / shop.local"),
                (
                    "GET /shop/cart/1?a=b",
                    host,
                    "cart GET /cart/1?a=b shop.local",
                ),
                ("GET /shopping", host, "shop GET /ping shop.local"),
                ("GET /news/today", host, "blog GET /blog/today blog.local"),
                (
                    "GET /kept/as/is",
                    host,
                    "blog GET /kept/as/is www.example.com",
                ),
                ("GET /one?a", host, "blog GET /other?a blog.local"),
                ("GET /one/more", host, "404"),
                ("GET /r7", host, "blog GET /r7 blog.local"),
                ("GET /r77", host, "404"),
                ("GET /", host, "404"),
            ],
        )
        .await;
}

#[tokio::test]
async fn hosts_headers_methods_and_queries_choose_and_priority_decides() {
    let to_root = |matches: Value| json!({"match": matches});
    let proxy = gateway(&[
        (
            "shop.local",
            Some(1),
            to_root(json!({"prefix": "/", "hostname": {"exact": "shop.example.com"}})),
        ),
        (
            "blog.local",
            Some(2),
            to_root(json!({"prefix": "/", "hostname": {"suffix": ".example.com"}})),
        ),
        (
            "blog.local",
            Some(3),
            to_root(json!({
                "prefix": "/", "headers": [{"name": "x-blog", "match": {"exact": "yes"}}],
            })),
        ),
        (
            "blog.local",
            Some(4),
            to_root(json!({"prefix": "/", "method": "PUT"})),
        ),
        (
            "blog.local",
            Some(5),
            to_root(json!({
                "prefix": "/", "queryParameters": [{"name": "to", "match": {"exact": "blog"}}],
            })),
        ),
        ("shop.local", Some(6), to_root(json!({"prefix": "/"}))),
    ])
    .await;
    proxy
        .answers(
            0,
            &[
                ("GET /", &["Host: shop.example.com"], "shop"),
                ("GET /", &["Host: SHOP.Example.COM:8080"], "shop"),
                ("GET /", &["Host: blog.example.com"], "blog"),
                ("GET /", &["Host: example.com"], "shop"),
                ("GET /", &["Host: other.org", "X-Blog: yes"], "blog"),
                ("PUT /", &["Host: other.org", "Content-Length: 0"], "blog"),
                ("GET /?to=blog", &["Host: other.org"], "blog"),
                ("GET /?to=shop", &["Host: other.org"], "shop"),
            ],
        )
        .await;
}

#[tokio::test]
async fn each_listener_has_the_routes_of_its_port() {
    let proxy = gateway(&[
        ("shop.local", None, json!({"match": {"port": 8080}})),
        (
            "blog.local",
            None,
            json!({"match": {"prefix": "/", "port": 8081}}),
        ),
    ])
    .await;
    proxy
        .answers(0, &[("GET /a", &["Host: x"], "shop GET /a")])
        .await;
    proxy
        .answers(1, &[("GET /a", &["Host: x"], "blog GET /a")])
        .await;
}
