//! What a spec alone may say, kind by kind: each row is refused with exactly these violations, or taken.

use model::{ErrorKind, ResourceId};
use serde_json::{Value, json};

use crate::world::{World, gateway, gateway_route, node, node_spec, route, router};

fn check(id: &ResourceId, rows: &[(Value, &[&str])]) {
    let world = World::with_one_of_everything();
    for (spec, expected) in rows {
        let refusal = world.refusal(id.clone(), spec.clone());
        let message = match refusal {
            Some((kind, message)) => {
                assert_eq!(kind, ErrorKind::BadRequest, "{message}");
                message
            }
            None => String::new(),
        };
        assert_eq!(message, expected.join("; "), "{id}: {spec}");
    }
}

#[test]
fn virtual_nodes() {
    let with = |member: &str, value: Value| {
        let mut spec = node_spec(&[(80, "http")]);
        spec["listeners"][0][member] = value;
        spec
    };
    let health = |change: Value| {
        let mut check = json!({"protocol": "http", "path": "/health", "port": 80, "intervalMillis": 5000,
            "timeoutMillis": 2000, "healthyThreshold": 2, "unhealthyThreshold": 2});
        check
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        with("healthCheck", check)
    };
    let outliers = |interval: Value| {
        let ejection = json!({"unit": "s", "value": 10});
        with(
            "outlierDetection",
            json!({"maxServerErrors": 1, "interval": interval,
            "baseEjectionDuration": ejection, "maxEjectionPercent": 50}),
        )
    };
    let backends = |names: &[&str]| {
        let backend = |name: &&str| json!({"virtualService": {"virtualServiceName": name}});
        json!({"backends": names.iter().map(backend).collect::<Vec<_>>()})
    };
    let id = node("new");
    check(
        &id,
        &[
            (json!({}), &[]),
            (node_spec(&[(80, "http"), (81, "grpc")]), &[]),
            (
                json!({"listeners": [{"portMapping": {"port": 80, "protocol": "http"}}]}),
                &["spec.serviceDiscovery: is required beside a listener"],
            ),
            (
                node_spec(&[(80, "http"), (80, "tcp")]),
                &["spec.listeners[1].portMapping.port: 80 is the port of an earlier listener"],
            ),
            (
                node_spec(&[(0, "http")]),
                &["spec.listeners[0].portMapping.port: 0 is out of range, allowed are 1 to 65535"],
            ),
            (health(json!({})), &[]),
            (health(json!({"protocol": "tcp", "path": "ignored"})), &[]),
            (
                health(json!({"port": 81, "path": "health"})),
                &[
                    "spec.listeners[0].healthCheck.port: 81 is not the listener's port 80",
                    "spec.listeners[0].healthCheck.path: \"health\" does not start with /",
                ],
            ),
            (
                with("connectionPool", json!({"http": {"maxConnections": 1}})),
                &[],
            ),
            (
                with("connectionPool", json!({"grpc": {"maxRequests": 1}})),
                &["spec.listeners[0].connectionPool.grpc: is not for a listener that speaks http"],
            ),
            (
                with(
                    "timeout",
                    json!({"http": {"idle": {"unit": "s", "value": 0}}}),
                ),
                &[],
            ),
            (
                with("timeout", json!({"tcp": {"idle": {"value": 1}}})),
                &[
                    "spec.listeners[0].timeout.tcp: is not for a listener that speaks http",
                    "spec.listeners[0].timeout.tcp.idle.unit: is required in a time",
                ],
            ),
            (outliers(json!({"unit": "ms", "value": 0})), &[]),
            (
                outliers(json!({"unit": "ms"})),
                &["spec.listeners[0].outlierDetection.interval.value: is required in a time"],
            ),
            (backends(&["one.local", "two.local"]), &[]),
            (
                backends(&["one.local", "two.local", "one.local"]),
                &[
                    "spec.backends[2].virtualService.virtualServiceName: \"one.local\" is already a backend",
                ],
            ),
        ],
    );
}

#[test]
fn virtual_routers_and_gateways() {
    let listeners = |first: &str, second: u16| {
        json!({"listeners": [
            {"portMapping": {"port": 80, "protocol": first}},
            {"portMapping": {"port": second, "protocol": "http"}},
        ]})
    };
    let twice = "spec.listeners[1].portMapping.port: 80 is the port of an earlier listener";
    let tcp = "spec.listeners[0].portMapping.protocol: \"tcp\" is none of http, http2, grpc";
    let pool = json!({"listeners": [
        {"portMapping": {"port": 80, "protocol": "http"}, "connectionPool": {"http2": {"maxRequests": 1}}},
    ]});
    check(
        &router("new"),
        &[
            (json!({}), &[]),
            (listeners("tcp", 81), &[]),
            (listeners("tcp", 80), &[twice]),
        ],
    );
    check(
        &gateway("new"),
        &[
            (json!({"listeners": []}), &[]),
            (listeners("grpc", 81), &[]),
            (listeners("grpc", 80), &[twice]),
            (listeners("tcp", 81), &[tcp]),
            (
                pool,
                &["spec.listeners[0].connectionPool.http2: is not for a listener that speaks http"],
            ),
        ],
    );
}

#[test]
fn criteria_of_routes() {
    let http = |matches: Value| json!({"httpRoute": {"match": matches, "action": to_http()}});
    let grpc =
        |matches: Value| json!({"grpcRoute": {"match": matches, "action": to("grpc", &[1])}});
    let header = |method: Value| http(json!({"headers": [{"name": "x", "match": method}]}));
    check(
        &route("http"),
        &[
            // AWS's own examples have matches without a path.
            (http(json!({})), &[]),
            (http(json!({"port": 3000})), &[]),
            (
                http(json!({"prefix": "/", "method": "GET", "scheme": "http"})),
                &[],
            ),
            (http(json!({"path": {"regex": "/v[0-9]+/.*"}})), &[]),
            (
                http(json!({"prefix": "/", "path": {"exact": "/"}})),
                &["spec.httpRoute.match.path: excludes a prefix"],
            ),
            (
                http(json!({"prefix": "api"})),
                &["spec.httpRoute.match.prefix: \"api\" does not start with /"],
            ),
            (
                http(json!({"path": {}})),
                &["spec.httpRoute.match.path: needs exactly one of exact, regex"],
            ),
            (
                http(json!({"path": {"exact": "/", "regex": "/"}})),
                &["spec.httpRoute.match.path: needs exactly one of exact, regex"],
            ),
            (
                http(json!({"path": {"regex": "/("}})),
                &[
                    "spec.httpRoute.match.path.regex: \"/(\" is no regular expression: unclosed group",
                ],
            ),
            (
                http(json!({"headers": [{"name": ":method", "invert": true}]})),
                &[],
            ),
            (header(json!({"range": {"start": -5, "end": -4}})), &[]),
            (
                header(json!({"range": {"start": 5, "end": 5}})),
                &["spec.httpRoute.match.headers[0].match.range: ends at 5, not after its start 5"],
            ),
            (
                header(json!({"regex": "a(?=b)"})),
                &[
                    "spec.httpRoute.match.headers[0].match.regex: \"a(?=b)\" is no regular expression: \
               look-around, including look-ahead and look-behind, is not supported",
                ],
            ),
            (http(json!({"queryParameters": [{"name": "q"}]})), &[]),
            (
                http(json!({"queryParameters": [{"name": "q", "match": {}}]})),
                &[
                    "spec.httpRoute.match.queryParameters[0].match.exact: is required in a query parameter's match",
                ],
            ),
        ],
    );
    check(
        &route("grpc"),
        &[
            (grpc(json!({"serviceName": "s", "methodName": "m"})), &[]),
            (
                grpc(json!({"methodName": "m"})),
                &["spec.grpcRoute.match.serviceName: is required beside a method name"],
            ),
            (
                grpc(
                    json!({"metadata": [{"name": "x", "match": {"range": {"start": 1, "end": 0}}}]}),
                ),
                &["spec.grpcRoute.match.metadata[0].match.range: ends at 0, not after its start 1"],
            ),
        ],
    );
}

#[test]
fn kinds_weights_and_retries_of_routes() {
    let http = |action: Value| json!({"httpRoute": {"match": {}, "action": action}});
    let retries = |policy: Value| json!({"httpRoute": {"match": {}, "action": to_http(), "retryPolicy": policy}});
    let two_kinds = json!({
        "httpRoute": {"match": {}, "action": to_http()},
        "tcpRoute": {"action": to_http()},
    });
    let one_kind = "spec: needs exactly one of httpRoute, http2Route, grpcRoute, tcpRoute";
    let no_weight = "spec.httpRoute.action.weightedTargets: has a total weight of zero, a target needs a weight";
    let second = json!({"unit": "s", "value": 1});
    let id = route("http");
    check(
        &id,
        &[
            (json!({}), &[one_kind]),
            (json!({"priority": 0}), &[one_kind]),
            (two_kinds, &[one_kind]),
            (http(to("http", &[1, 2])), &[]),
            (http(to("http", &[100, 0])), &[]),
            (http(to("http", &[100, 100, 100])), &[]),
            (http(to("http", &[0])), &[no_weight]),
            (http(to("http", &[0, 0])), &[no_weight]),
            (
                http(to("http", &[101, -1])),
                &[
                    "spec.httpRoute.action.weightedTargets[0].weight: 101 is out of range, allowed are 0 to 100",
                    "spec.httpRoute.action.weightedTargets[1].weight: -1 is out of range, allowed are 0 to 100",
                ],
            ),
            (
                http(to("http", &[1; 11])),
                &["spec.httpRoute.action.weightedTargets: has 11 entries, allowed are 1 to 10"],
            ),
            (
                http(to("http", &[])),
                &["spec.httpRoute.action.weightedTargets: has 0 entries, allowed are 1 to 10"],
            ),
            (
                retries(
                    json!({"maxRetries": 10, "perRetryTimeout": second, "tcpRetryEvents": ["connection-error"]}),
                ),
                &[],
            ),
            (
                retries(json!({"maxRetries": 10, "perRetryTimeout": {}})),
                &[
                    "spec.httpRoute.retryPolicy: needs at least one retry event",
                    "spec.httpRoute.retryPolicy.perRetryTimeout.unit: is required in a time",
                    "spec.httpRoute.retryPolicy.perRetryTimeout.value: is required in a time",
                ],
            ),
            (
                json!({"httpRoute": {"match": {}, "action": to_http(),
                "timeout": {"idle": {"unit": "s", "value": i64::MAX}}}}),
                &["spec.httpRoute.timeout.idle: is longer than 315576000000 s"],
            ),
        ],
    );
}

#[test]
fn gateway_routes() {
    let target = || json!({"virtualService": {"virtualServiceName": "node.local"}});
    let http =
        |matches: Value| json!({"httpRoute": {"match": matches, "action": {"target": target()}}});
    let grpc =
        |matches: Value| json!({"grpcRoute": {"match": matches, "action": {"target": target()}}});
    let rewriting = |matches: Value, rewrite: Value| json!({"httpRoute": {"match": matches, "action": {"target": target(), "rewrite": rewrite}}});
    let prefix = || json!({"prefix": "/ecs"});
    check(
        &gateway_route("http"),
        &[
            (http(prefix()), &[]),
            (http(json!({"port": 8088})), &[]),
            (http(json!({"hostname": {"suffix": ".example.com"}})), &[]),
            (
                json!({}),
                &["spec: needs exactly one of httpRoute, http2Route, grpcRoute"],
            ),
            (
                http(json!({"hostname": {}})),
                &["spec.httpRoute.match.hostname: needs exactly one of exact, suffix"],
            ),
            (
                http(json!({"prefix": "/aws-appmesh"})),
                &["spec.httpRoute.match.prefix: \"/aws-appmesh\" is reserved for App Mesh itself"],
            ),
            (
                http(json!({"path": {"exact": "/aws-app-mesh/x"}})),
                &[
                    "spec.httpRoute.match.path.exact: \"/aws-app-mesh/x\" is reserved for App Mesh itself",
                ],
            ),
            (rewriting(prefix(), json!({"prefix": {"value": "/"}})), &[]),
            (
                rewriting(prefix(), json!({"prefix": {"defaultPrefix": "DISABLED"}})),
                &[],
            ),
            (
                rewriting(
                    json!({"path": {"exact": "/a"}}),
                    json!({"path": {"exact": "/b"},
                "hostname": {"defaultTargetHostname": "DISABLED"}}),
                ),
                &[],
            ),
            (
                rewriting(
                    prefix(),
                    json!({"prefix": {"defaultPrefix": "ENABLED", "value": "/a"}}),
                ),
                &[
                    "spec.httpRoute.action.rewrite.prefix.value: excludes a default prefix",
                    "spec.httpRoute.action.rewrite.prefix.value: \"/a\" does not start and end with /",
                ],
            ),
            (
                rewriting(
                    json!({"path": {"exact": "/a"}}),
                    json!({"prefix": {"value": "/b/"}}),
                ),
                &["spec.httpRoute.action.rewrite.prefix: needs a match by prefix"],
            ),
            (
                rewriting(
                    prefix(),
                    json!({"prefix": {"value": "/b/"}, "path": {"exact": "b"}}),
                ),
                &[
                    "spec.httpRoute.action.rewrite.path: excludes a prefix",
                    "spec.httpRoute.action.rewrite.path.exact: \"b\" does not start with /",
                ],
            ),
        ],
    );
    check(
        &gateway_route("grpc"),
        &[
            (grpc(json!({"serviceName": "shop.Cart"})), &[]),
            (
                grpc(json!({"serviceName": "aws.app-mesh.Health"})),
                &[
                    "spec.grpcRoute.match.serviceName: \"aws.app-mesh.Health\" is reserved for App Mesh itself",
                ],
            ),
        ],
    );
}

#[test]
fn names() {
    let shown = format!("\"{}...", "n".repeat(59));
    let too_long = format!("virtualNodeName: {shown} has 256 characters, allowed are 1 to 255");
    let empty = r#""" has 0 characters, allowed are 1 to 255"#;
    let refused = |id: ResourceId, expected: &[&str]| check(&id, &[(json!({}), expected)]);
    refused(node(&"n".repeat(255)), &[]);
    refused(node(&"日".repeat(255)), &[]);
    refused(node(&"n".repeat(256)), &[&too_long]);
    refused(node(""), &[&format!("virtualNodeName: {empty}")]);
    refused(
        ResourceId::gateway_route("", "", ""),
        &[
            &format!("meshName: {empty}"),
            &format!("virtualGatewayName: {empty}"),
            &format!("gatewayRouteName: {empty}"),
        ],
    );
}

fn to_http() -> Value {
    to("http", &[1])
}

fn to(node: &str, weights: &[i32]) -> Value {
    let target = |weight: &i32| json!({"virtualNode": node, "weight": weight});
    json!({"weightedTargets": weights.iter().map(target).collect::<Vec<_>>()})
}
