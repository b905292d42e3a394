//! Routes of a virtual router, as a caller's proxy sees them.

use serde_json::json;

use crate::mesh::Mesh;

const HOST: &str = "Host: shop.local";

#[tokio::test]
async fn priority_then_the_longest_path_then_the_most_conditions() {
    let mut mesh = Mesh::new();
    for node in ["first", "long", "exact", "regex", "short", "posted", "last"] {
        mesh.node(node).await;
    }
    mesh.service("shop.local", &[80]);
    let mut route = |node, priority, matches| mesh.route("shop.local", node, priority, matches);
    route("first", Some(0), json!({"prefix": "/pick"}));
    route("last", Some(1000), json!({"prefix": "/"}));
    route("long", None, json!({"prefix": "/unprioritised/is/last"}));
    route("short", Some(5), json!({"prefix": "/a"}));
    route("exact", Some(5), json!({"path": {"exact": "/abc"}}));
    route("regex", Some(5), json!({"path": {"regex": "/a[0-9]+/.*"}}));
    route("posted", Some(5), json!({"prefix": "/a", "method": "POST"}));
    let proxy = mesh.caller(&["shop.local"]).await;
    proxy
        .answers(
            0,
            &[
                ("GET /pick/a", &[HOST], "first"),
                ("GET /picky", &[HOST], "first"),
                ("GET /abc", &[HOST], "exact"),
                ("GET /abcd", &[HOST], "short"),
                ("POST /abcd", &[HOST, "Content-Length: 0"], "posted"),
                ("GET /a17/b", &[HOST], "regex"),
                ("GET /a17", &[HOST], "short"),
                ("GET /ax17/b", &[HOST], "short"),
                ("GET /unprioritised/is/last", &[HOST], "last"),
                ("GET /abc?query=does+not+count", &[HOST], "exact"),
                ("GET /A", &[HOST], "last"),
            ],
        )
        .await;
}

#[tokio::test]
async fn every_condition_on_fields_and_query() {
    let mut mesh = Mesh::new();
    let nodes = [
        "exact", "prefix", "suffix", "regex", "range", "present", "absent", "not", "query", "flag",
        "rest",
    ];
    for node in nodes {
        mesh.node(node).await;
    }
    mesh.service("shop.local", &[80]);
    let mut under = |node: &'static str, condition| {
        let matches = json!({"prefix": format!("/{node}"), "headers": [condition]});
        mesh.route("shop.local", node, Some(1), matches);
    };
    under(
        "exact",
        json!({"name": "X-Value", "match": {"exact": "one"}}),
    );
    under(
        "prefix",
        json!({"name": "x-value", "match": {"prefix": "on"}}),
    );
    under(
        "suffix",
        json!({"name": "x-value", "match": {"suffix": "ne"}}),
    );
    under(
        "regex",
        json!({"name": "x-value", "match": {"regex": "[0-9]{3}"}}),
    );
    under(
        "range",
        json!({"name": "x-value", "match": {"range": {"start": 10, "end": 20}}}),
    );
    under("present", json!({"name": "x-value"}));
    under("absent", json!({"name": "x-value", "invert": true}));
    under(
        "not",
        json!({"name": "x-value", "match": {"exact": "one"}, "invert": true}),
    );
    let query = |parameters| json!({"prefix": "/", "queryParameters": parameters});
    let one = query(json!([{"name": "version", "match": {"exact": "v 2"}}]));
    mesh.route("shop.local", "query", Some(2), one);
    mesh.route(
        "shop.local",
        "flag",
        Some(3),
        query(json!([{"name": "beta"}])),
    );
    mesh.route("shop.local", "rest", None, json!({"prefix": "/"}));
    let proxy = mesh.caller(&["shop.local"]).await;
    proxy
        .answers(
            0,
            &[
                ("GET /exact", &[HOST, "x-VALUE: one"], "exact"),
                ("GET /exact", &[HOST, "x-value: ONE"], "rest"),
                ("GET /exact", &[HOST], "rest"),
                ("GET /prefix", &[HOST, "x-value: once"], "prefix"),
                ("GET /prefix", &[HOST, "x-value: bonce"], "rest"),
                ("GET /suffix", &[HOST, "x-value: nine"], "suffix"),
                ("GET /suffix", &[HOST, "x-value: nines"], "rest"),
                ("GET /regex", &[HOST, "x-value: 123"], "regex"),
                ("GET /regex", &[HOST, "x-value: 1234"], "rest"),
                ("GET /range", &[HOST, "x-value: 10"], "range"),
                ("GET /range", &[HOST, "x-value: 19"], "range"),
                ("GET /range", &[HOST, "x-value: 20"], "rest"),
                ("GET /range", &[HOST, "x-value: ten"], "rest"),
                ("GET /present", &[HOST, "x-value:"], "present"),
                ("GET /present", &[HOST], "rest"),
                ("GET /absent", &[HOST], "absent"),
                ("GET /absent", &[HOST, "x-value:"], "rest"),
                ("GET /not", &[HOST, "x-value: two"], "not"),
                ("GET /not", &[HOST, "x-value: one"], "rest"),
                ("GET /not", &[HOST], "rest"),
                ("GET /?version=v%202", &[HOST], "query"),
                ("GET /?a=b&version=v%202&c", &[HOST], "query"),
                ("GET /?version=v2", &[HOST], "rest"),
                ("GET /?beta", &[HOST], "flag"),
                ("GET /?beta=no", &[HOST], "flag"),
                ("GET /?alpha=beta", &[HOST], "rest"),
            ],
        )
        .await;
}

#[tokio::test]
async fn methods_schemes_and_conditions_on_them() {
    let mut mesh = Mesh::new();
    for node in ["deleting", "secure", "plain", "asked-by-method", "rest"] {
        mesh.node(node).await;
    }
    mesh.service("shop.local", &[80]);
    let mut route = |node, priority, matches| mesh.route("shop.local", node, priority, matches);
    route(
        "deleting",
        Some(1),
        json!({"prefix": "/", "method": "DELETE"}),
    );
    route("secure", Some(2), json!({"prefix": "/", "scheme": "https"}));
    route(
        "plain",
        Some(3),
        json!({"prefix": "/plain", "scheme": "http"}),
    );
    let patch = json!([{"name": ":method", "match": {"exact": "PATCH"}}]);
    route(
        "asked-by-method",
        Some(4),
        json!({"prefix": "/", "headers": patch}),
    );
    route("rest", None, json!({"prefix": "/"}));
    let proxy = mesh.caller(&["shop.local"]).await;
    let empty = "Content-Length: 0";
    proxy
        .answers(
            0,
            &[
                ("DELETE /", &[HOST], "deleting"),
                ("delete /", &[HOST], "rest"),
                ("GET /", &[HOST], "rest"),
                ("GET /plain", &[HOST], "plain"),
                ("PATCH /", &[HOST, empty], "asked-by-method"),
                ("GET http://shop.local/plain", &[HOST], "plain"),
            ],
        )
        .await;
}

#[tokio::test]
async fn a_service_on_several_ports_has_routes_for_each() {
    let mut mesh = Mesh::new();
    for node in ["one", "two"] {
        mesh.node(node).await;
    }
    mesh.service("shop.local", &[80, 8080]);
    mesh.route(
        "shop.local",
        "one",
        None,
        json!({"prefix": "/", "port": 80}),
    );
    mesh.route("shop.local", "two", None, json!({"port": 8080}));
    let proxy = mesh.caller(&["shop.local"]).await;
    proxy
        .answers(
            0,
            &[
                ("GET /", &["Host: shop.local"], "one"),
                ("GET /", &["Host: SHOP.local:80"], "one"),
                ("GET /", &["Host: shop.local:8080"], "two"),
                ("GET /", &["Host: shop.local:81"], "404"),
                ("GET /", &["Host: other.local"], "404"),
            ],
        )
        .await;
}

#[tokio::test]
async fn paths_are_normalised_before_they_are_matched_and_sent_so() {
    let mut mesh = Mesh::new();
    for node in ["admin", "rest"] {
        mesh.node(node).await;
    }
    mesh.service("shop.local", &[80]);
    mesh.route("shop.local", "admin", None, json!({"prefix": "/admin"}));
    mesh.route("shop.local", "rest", None, json!({"prefix": "/"}));
    let proxy = mesh.caller(&["shop.local"]).await;
    proxy
        .answers(
            0,
            &[
                (
                    "GET /public/../admin/x",
                    &[HOST],
                    "admin GET /admin/x shop.local",
                ),
                ("GET //admin//x", &[HOST], "admin GET /admin/x shop.local"),
                ("GET /%61dmin", &[HOST], "admin GET /admin shop.local"),
                (
                    "GET /a%2Fdmin?b=../c",
                    &[HOST],
                    "rest GET /a%2Fdmin?b=../c shop.local",
                ),
                (
                    "GET /./%2e%2e/admin",
                    &[HOST],
                    "admin GET /admin shop.local",
                ),
                (
                    "GET /public%2F..%2Fadmin",
                    &[HOST],
                    "rest GET /public%2F..%2Fadmin shop.local",
                ),
            ],
        )
        .await;
}
