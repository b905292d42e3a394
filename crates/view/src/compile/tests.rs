//! The workshop's mesh and its neighbours, compiled: routes, splits, defaults, rewrites and discovery.

use std::collections::BTreeMap;
use std::time::Duration;

use model::draft::{Author, Draft};
use model::{ResourceId, Share, Shares, Snapshot, Spec, Timestamp};
use serde_json::{Value, json};

use super::{Binding, Error, compile};
use crate::{
    Discovery, Entry, GatewayRoute, HeaderMatch, IpPreference, Listener, NodeView, PathMatch,
    PathRewrite, Protocol, ProxyProtocol, ProxyVersion, RetryOn, Route, ServiceHost, Unmatched,
    ValueMatch,
};

const MESH: &str = "appmesh-workshop";
const CRYSTAL: &str = "crystal.appmeshworkshop.hosted.local";

/// A mesh in the making; what is put into it passes the same rules as a user's.
struct Mesh(Draft);

impl Mesh {
    /// A frontend with one backend, crystal, whose router leads to two versions but has no route yet.
    fn of_the_workshop() -> Self {
        let author = Author {
            account: "123456789012".to_owned(),
            now: Timestamp::from_millis(0),
            uid: || "uid".to_owned(),
        };
        let mut mesh = Self(Draft::new(&Snapshot::new(), author));
        mesh.put(ResourceId::mesh(MESH), json!({}));
        mesh.put(node("vanilla"), by_task_set("vanilla"));
        mesh.put(node("epoch"), by_task_set("epoch"));
        mesh.put(router(), listeners(&[3000]));
        let provider = json!({"virtualRouter": {"virtualRouterName": "crystal-router"}});
        mesh.put(service(CRYSTAL), json!({"provider": provider}));
        mesh.put(node("frontend"), calling(&[CRYSTAL]));
        mesh
    }

    fn put(&mut self, id: ResourceId, spec: Value) {
        let spec = Spec::parse(id.kind(), &spec).unwrap();
        self.0.put(id, spec).unwrap();
    }

    fn with(mut self, id: ResourceId, spec: Value) -> Self {
        self.put(id, spec);
        self
    }

    /// What the frontend's sidecar sees.
    fn view(&self) -> NodeView {
        compile(self.0.snapshot(), &node("frontend"), &Binding::sidecar()).unwrap()
    }

    /// The routes to crystal, first match first.
    fn routes(&self) -> Vec<Route> {
        let [crystal] = self.view().services.try_into().unwrap();
        crystal.routes
    }

    fn only_route(&self) -> Route {
        let [route] = self.routes().try_into().unwrap();
        route
    }

    fn gateway_routes(&self) -> Vec<GatewayRoute> {
        let view = compile(self.0.snapshot(), &gateway(), &Binding::loopback()).unwrap();
        let [listener] = view.listeners.try_into().unwrap();
        match listener.entry {
            Entry::Gateway { routes } => routes,
            entry => panic!("{entry:?}"),
        }
    }
}

fn node(name: &str) -> ResourceId {
    ResourceId::virtual_node(MESH, name)
}

fn service(name: &str) -> ResourceId {
    ResourceId::virtual_service(MESH, name)
}

fn router() -> ResourceId {
    ResourceId::virtual_router(MESH, "crystal-router")
}

fn route(name: &str) -> ResourceId {
    ResourceId::route(MESH, "crystal-router", name)
}

fn gateway() -> ResourceId {
    ResourceId::virtual_gateway(MESH, "ingress-gw")
}

fn gateway_route(name: &str) -> ResourceId {
    ResourceId::gateway_route(MESH, "ingress-gw", name)
}

fn listeners(ports: &[u16]) -> Value {
    let listener = |port: &u16| json!({"portMapping": {"port": port, "protocol": "http"}});
    json!({"listeners": ports.iter().map(listener).collect::<Vec<_>>()})
}

fn by_task_set(tag: &str) -> Value {
    let mut spec = listeners(&[3000]);
    spec["serviceDiscovery"] = json!({"awsCloudMap": {
        "namespaceName": "appmeshworkshop.pvt.local",
        "serviceName": "crystal",
        "attributes": [{"key": "ECS_TASK_SET_EXTERNAL_ID", "value": format!("{tag}-task-set")}],
    }});
    spec
}

fn calling(services: &[&str]) -> Value {
    let backend = |name: &&str| json!({"virtualService": {"virtualServiceName": name}});
    let mut spec = listeners(&[3000]);
    spec["serviceDiscovery"] = json!({"dns": {"hostname": "frontend.example"}});
    spec["backends"] = services.iter().map(backend).collect();
    spec
}

fn split(weights: &[(&str, i32)]) -> Value {
    let target = |(node, weight): &(&str, i32)| json!({"virtualNode": node, "weight": weight});
    let targets: Vec<Value> = weights.iter().map(target).collect();
    json!({"httpRoute": {"action": {"weightedTargets": targets}, "match": {"prefix": "/"}}})
}

/// A route whose HTTP part, or whose priority, says something more.
fn changed(mut spec: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    spec.pointer_mut(parent).unwrap()[member] = value;
    spec
}

fn prioritized(priority: i32, spec: Value) -> Value {
    changed(spec, "/priority", json!(priority))
}

fn names<'r>(routes: impl IntoIterator<Item = &'r Route>) -> Vec<&'r str> {
    let last = |route: &'r Route| route.name.rsplit('/').next().unwrap();
    routes.into_iter().map(last).collect()
}

fn weights(route: &Route) -> Vec<(&str, u32)> {
    route
        .split
        .targets
        .iter()
        .map(|target| (target.arm.as_str(), target.weight))
        .collect()
}

fn egress(view: &NodeView) -> (&[ServiceHost], Unmatched) {
    let hosts = |listener: &'_ Listener| matches!(listener.entry, Entry::Egress { .. });
    match &view
        .listeners
        .iter()
        .find(|listener| hosts(listener))
        .unwrap()
        .entry
    {
        Entry::Egress { hosts, unmatched } => (hosts, *unmatched),
        entry => panic!("{entry:?}"),
    }
}

#[test]
fn routes_are_tried_by_priority() {
    let canary = json!([{"name": "Canary_Fleet", "match": {"exact": "true"}}]);
    let pinned = changed(split(&[("epoch", 1)]), "/httpRoute/match/headers", canary);
    let mesh = Mesh::of_the_workshop()
        .with(route("traffic"), prioritized(10, split(&[("vanilla", 1)])))
        .with(
            route("random"),
            prioritized(5, split(&[("vanilla", 2), ("epoch", 1)])),
        )
        .with(route("header"), prioritized(1, pinned));
    let routes = mesh.routes();
    assert_eq!(names(&routes), ["header", "random", "traffic"]);
    let header = HeaderMatch {
        name: "canary_fleet".to_owned(),
        invert: false,
        value: ValueMatch::Exact("true".to_owned()),
    };
    assert_eq!(routes[0].matches.headers, [header]);
    assert_eq!(weights(&routes[1]), [("vanilla", 2), ("epoch", 1)]);
    assert_eq!(routes[1].split.id, route("random").path());
}

#[test]
fn without_priority_the_longest_path_is_tried_first_and_after_any_priority() {
    let on = |prefix: &str| {
        changed(
            split(&[("vanilla", 1)]),
            "/httpRoute/match/prefix",
            json!(prefix),
        )
    };
    let mesh = Mesh::of_the_workshop()
        .with(route("a-root"), on("/"))
        .with(route("b-short"), on("/a"))
        .with(route("c-long"), on("/a/b"))
        .with(route("d-last-priority"), prioritized(1000, on("/")));
    assert_eq!(
        names(&mesh.routes()),
        ["d-last-priority", "c-long", "b-short", "a-root"]
    );
}

#[test]
fn exact_shares_are_the_weights_where_a_release_set_them() {
    let mut mesh = Mesh::of_the_workshop();
    let spec = split(&[("vanilla", 99), ("epoch", 1)]);
    mesh.put(route("traffic"), spec);
    assert_eq!(weights(&mesh.only_route()), [("vanilla", 99), ("epoch", 1)]);
    let spec = mesh
        .0
        .snapshot()
        .get(&route("traffic"))
        .unwrap()
        .spec
        .clone();
    let shares = Shares::split("vanilla", "epoch", Share::from_basis_points(30).unwrap());
    mesh.0
        .put_with_shares(route("traffic"), spec, Some(shares))
        .unwrap();
    assert_eq!(
        weights(&mesh.only_route()),
        [("vanilla", 9970), ("epoch", 30)]
    );
}

#[test]
fn a_route_has_retries_and_time_outs_by_default() {
    let mesh = Mesh::of_the_workshop().with(route("traffic"), split(&[("vanilla", 1)]));
    let route = mesh.only_route();
    let retry = route.retry.unwrap();
    assert_eq!((retry.max_retries, retry.per_try_timeout), (2, None));
    assert!(retry.on.connect_failure && retry.on.reset && retry.on.refused_stream);
    assert_eq!(retry.on.status_codes, [503]);
    assert_eq!(route.timeouts.per_request, Some(Duration::from_secs(15)));
    assert_eq!(route.timeouts.idle, Some(Duration::from_secs(300)));
}

#[test]
fn a_routes_own_policies_replace_the_defaults() {
    let retry = json!({
        "maxRetries": 10,
        "perRetryTimeout": {"unit": "s", "value": 2},
        "httpRetryEvents": ["gateway-error", "client-error"],
        "tcpRetryEvents": ["connection-error"],
    });
    let timeout =
        json!({"perRequest": {"unit": "ms", "value": 1500}, "idle": {"unit": "s", "value": 0}});
    let spec = changed(split(&[("vanilla", 1)]), "/httpRoute/retryPolicy", retry);
    let spec = changed(spec, "/httpRoute/timeout", timeout);
    let route = Mesh::of_the_workshop()
        .with(route("traffic"), spec)
        .only_route();
    let retry = route.retry.unwrap();
    assert_eq!(
        (retry.max_retries, retry.per_try_timeout),
        (10, Some(Duration::from_secs(2)))
    );
    let on = RetryOn {
        connect_failure: true,
        // Always, whatever the policy says.
        reset: true,
        refused_stream: false,
        status_codes: vec![502, 503, 504, 409],
        grpc_status: Vec::new(),
    };
    assert_eq!(retry.on, on);
    assert_eq!(
        route.timeouts.per_request,
        Some(Duration::from_millis(1500))
    );
    assert_eq!(route.timeouts.idle, None, "zero is no limit");
}

#[test]
fn a_versions_instances_are_found_by_its_attributes() {
    let mesh = Mesh::of_the_workshop().with(route("traffic"), split(&[("epoch", 1)]));
    let cluster = mesh.only_route().split.targets[0].cluster;
    let cluster = &mesh.view().clusters[cluster];
    assert_eq!(cluster.name, "cds_egress_appmesh-workshop_epoch_http_3000");
    let attribute = (
        "ECS_TASK_SET_EXTERNAL_ID".to_owned(),
        "epoch-task-set".to_owned(),
    );
    let discovery = Discovery::CloudMap {
        namespace: "appmeshworkshop.pvt.local".to_owned(),
        service: "crystal".to_owned(),
        attributes: BTreeMap::from([attribute]),
        port: 3000,
        ip_preference: IpPreference::Unset,
    };
    assert_eq!(cluster.discovery, discovery);
}

#[test]
fn a_sidecar_has_an_ingress_to_its_application_and_an_egress_to_its_backends() {
    let view = Mesh::of_the_workshop().view();
    assert_eq!(view.node, "mesh/appmesh-workshop/virtualNode/frontend");
    let listeners: Vec<&str> = view
        .listeners
        .iter()
        .map(|listener| listener.name.as_str())
        .collect();
    assert_eq!(
        listeners,
        ["lds_ingress_0.0.0.0_15000", "lds_egress_0.0.0.0_15001"]
    );
    let Entry::Ingress { cluster } = view.listeners[0].entry else {
        panic!("{:?}", view.listeners[0]);
    };
    let local = &view.clusters[cluster];
    assert_eq!(
        local.name,
        "cds_ingress_appmesh-workshop_frontend_http_3000"
    );
    let Discovery::Static { endpoints } = &local.discovery else {
        panic!("{local:?}");
    };
    assert_eq!(endpoints[0].address, "127.0.0.1:3000".parse().unwrap());
    let (hosts, _) = egress(&view);
    let crystal = ServiceHost {
        host: CRYSTAL.to_owned(),
        port: None,
        service: 0,
    };
    assert_eq!(hosts, [crystal]);
}

#[test]
fn the_mesh_says_what_becomes_of_other_hosts() {
    let filter = |kind: &str| json!({"egressFilter": {"type": kind}});
    for (spec, expected) in [
        (json!({}), Unmatched::Refuse),
        (filter("DROP_ALL"), Unmatched::Refuse),
        (filter("ALLOW_ALL"), Unmatched::Forward),
    ] {
        let mesh = Mesh::of_the_workshop().with(ResourceId::mesh(MESH), spec.clone());
        assert_eq!(egress(&mesh.view()).1, expected, "{spec}");
    }
}

#[test]
fn a_virtual_node_may_answer_for_a_service_by_itself() {
    let provider = json!({"virtualNode": {"virtualNodeName": "vanilla"}});
    let mesh = Mesh::of_the_workshop().with(service(CRYSTAL), json!({"provider": provider}));
    let route = mesh.only_route();
    assert_eq!(route.matches.path, PathMatch::Prefix("/".to_owned()));
    assert_eq!(weights(&route), [("vanilla", 1)]);
    assert_eq!(route.split.id, service(CRYSTAL).path());
    assert_eq!(route.retry.unwrap().max_retries, 2);
}

#[test]
fn what_is_not_there_leads_nowhere() {
    let mesh = Mesh::of_the_workshop().with(node("frontend"), calling(&["later.local", CRYSTAL]));
    let view = mesh.view();
    let (hosts, _) = egress(&view);
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0].host, CRYSTAL);

    let unprovided = Mesh::of_the_workshop().with(service(CRYSTAL), json!({}));
    assert_eq!(unprovided.routes(), []);

    let binding = Binding::sidecar();
    let missing = node("nobody");
    let refused = compile(mesh.0.snapshot(), &missing, &binding).unwrap_err();
    assert_eq!(refused, Error::Missing(missing));
    let refused = compile(mesh.0.snapshot(), &router(), &binding).unwrap_err();
    assert_eq!(refused, Error::NoProxy(router()));
}

#[test]
fn each_port_of_a_service_has_its_own_routes() {
    let on = |port: u16| {
        let spec = changed(
            split(&[("vanilla", 1)]),
            "/httpRoute/match/port",
            json!(port),
        );
        changed(
            spec,
            "/httpRoute/action/weightedTargets/0/port",
            json!(port),
        )
    };
    let mut two_ports = by_task_set("vanilla");
    two_ports["listeners"] = listeners(&[3000, 3001])["listeners"].clone();
    let view = Mesh::of_the_workshop()
        .with(node("vanilla"), two_ports)
        .with(router(), listeners(&[3000, 3001]))
        .with(route("first"), on(3000))
        .with(route("second"), on(3001))
        .view();
    let (hosts, _) = egress(&view);
    let ports: Vec<Option<u16>> = hosts.iter().map(|host| host.port).collect();
    assert_eq!(ports, [Some(3000), Some(3001)]);
    for (host, expected) in hosts.iter().zip(["first", "second"]) {
        let routes = &view.services[host.service].routes;
        assert_eq!(names(routes), [expected]);
        let cluster = &view.clusters[routes[0].split.targets[0].cluster];
        let end = format!("_http_{}", host.port.unwrap());
        assert!(cluster.name.ends_with(&end), "{} for {end}", cluster.name);
    }
}

#[test]
fn grpc_services_and_methods_are_paths() {
    let path = |matches: Value| {
        let targets = json!({"weightedTargets": [{"virtualNode": "vanilla", "weight": 1}]});
        let grpc = |spec: Value| {
            let listener = json!({"portMapping": {"port": 3000, "protocol": "grpc"}});
            changed(spec, "/listeners", json!([listener]))
        };
        Mesh::of_the_workshop()
            .with(node("vanilla"), grpc(by_task_set("vanilla")))
            .with(router(), grpc(listeners(&[3000])))
            .with(
                route("calls"),
                json!({"grpcRoute": {"action": targets, "match": matches}}),
            )
            .only_route()
    };
    let called = path(json!({"serviceName": "shop.Cart", "methodName": "Add"}));
    assert_eq!(
        called.matches.path,
        PathMatch::Exact("/shop.Cart/Add".to_owned())
    );
    let any_method = path(json!({"serviceName": "shop.Cart"}));
    assert_eq!(
        any_method.matches.path,
        PathMatch::Prefix("/shop.Cart/".to_owned())
    );
    let any_service = path(json!({"metadata": [{"name": "X-Beta", "invert": true}]}));
    assert_eq!(any_service.matches.path, PathMatch::Prefix("/".to_owned()));
    let absent = HeaderMatch {
        name: "x-beta".to_owned(),
        invert: true,
        value: ValueMatch::Present,
    };
    assert_eq!(any_service.matches.headers, [absent]);
}

#[test]
fn the_proxy_protocol_is_spoken_where_the_binding_says_so() {
    let mesh = Mesh::of_the_workshop()
        .with(gateway(), listeners(&[8088]))
        .with(route("all"), split(&[("vanilla", 1), ("epoch", 1)]))
        .with(
            gateway_route("all"),
            json!({"httpRoute": {
                "action": {"target": {"virtualService": {"virtualServiceName": CRYSTAL}}},
                "match": {"prefix": "/"},
            }}),
        );
    let view = |proxy_protocol| {
        let binding = Binding {
            proxy_protocol,
            ..Binding::loopback()
        };
        compile(mesh.0.snapshot(), &gateway(), &binding).unwrap()
    };
    let sent = |view: &NodeView| -> Vec<Option<ProxyVersion>> {
        let clusters = view.clusters.iter();
        clusters.map(|cluster| cluster.sends_proxy_header).collect()
    };
    let plain = view(ProxyProtocol::default());
    assert!(!plain.listeners[0].expects_proxy_header);
    assert_eq!(sent(&plain), [None, None]);
    let spoken = view(ProxyProtocol {
        expected_on: [8088].into(),
        sent_to: [("epoch".to_owned(), ProxyVersion::V2)].into(),
    });
    assert!(spoken.listeners[0].expects_proxy_header);
    assert_eq!(sent(&spoken), [None, Some(ProxyVersion::V2)]);
}

#[test]
fn each_backend_over_tcp_has_a_listener_of_its_own_on_loopback() {
    let tcp = |port: u16| json!({"portMapping": {"port": port, "protocol": "tcp"}});
    let mut database = by_task_set("database");
    database["listeners"] = json!([tcp(5432)]);
    let mut both = by_task_set("both");
    both["listeners"] = json!([listeners(&[3000])["listeners"][0], tcp(5433)]);
    let split_to = |node: &str, port: u16| {
        json!({"tcpRoute": {
            "action": {"weightedTargets": [{"virtualNode": node, "weight": 1, "port": port}]},
            "match": {"port": port},
        }})
    };
    let http_too = changed(split(&[("both", 1)]), "/httpRoute/match/port", json!(3000));
    let http_too = changed(
        http_too,
        "/httpRoute/action/weightedTargets/0/port",
        json!(3000),
    );
    let routed = json!({"virtualRouter": {"virtualRouterName": "crystal-router"}});
    let view = Mesh::of_the_workshop()
        .with(node("database"), database)
        .with(node("both"), both)
        .with(
            service("db.local"),
            json!({"provider": {"virtualNode": {"virtualNodeName": "database"}}}),
        )
        .with(
            router(),
            json!({"listeners": [listeners(&[3000])["listeners"][0], tcp(5433)]}),
        )
        .with(service(CRYSTAL), json!({"provider": routed}))
        .with(route("http"), http_too)
        .with(route("tcp"), split_to("both", 5433))
        .with(node("frontend"), calling(&[CRYSTAL, "db.local"]))
        .view();

    let (hosts, _) = egress(&view);
    let named: Vec<(&str, Option<u16>)> = hosts
        .iter()
        .map(|host| (host.host.as_str(), host.port))
        .collect();
    assert_eq!(
        named,
        [(CRYSTAL, None)],
        "over TCP nobody can name a service"
    );
    assert_eq!(names(&view.services[hosts[0].service].routes), ["http"]);

    let over_tcp: Vec<&Listener> = view
        .listeners
        .iter()
        .filter(|listener| matches!(listener.entry, Entry::Service { .. }))
        .collect();
    let bound: Vec<(&str, String)> = over_tcp
        .iter()
        .map(|listener| (listener.name.as_str(), listener.bind.to_string()))
        .collect();
    let crystal = format!("lds_egress_{CRYSTAL}_5433");
    let expected = [
        (crystal.as_str(), "127.0.0.1:0".to_owned()),
        ("lds_egress_db.local_5432", "127.0.0.1:0".to_owned()),
    ];
    assert_eq!(bound, expected);
    for (listener, expected) in over_tcp.into_iter().zip(["tcp", "db.local"]) {
        let Entry::Service { service } = listener.entry else {
            panic!("{listener:?}");
        };
        let [route] = view.services[service].routes.as_slice() else {
            panic!("{:?}", view.services[service]);
        };
        assert!(route.name.ends_with(expected), "{}", route.name);
        assert_eq!((listener.protocol, &route.retry), (Protocol::Tcp, &None));
        assert_eq!(route.timeouts.idle, Some(Duration::from_secs(3600)));
        let cluster = &view.clusters[route.split.targets[0].cluster];
        assert_eq!(cluster.protocol, Protocol::Tcp);
    }
}

fn through_gateway(action: Value) -> Vec<GatewayRoute> {
    let mut spec = json!({"httpRoute": {"action": action, "match": {"prefix": "/ecs"}}});
    spec["httpRoute"]["action"]["target"] =
        json!({"virtualService": {"virtualServiceName": CRYSTAL}});
    Mesh::of_the_workshop()
        .with(gateway(), listeners(&[8088]))
        .with(gateway_route("ecs"), spec)
        .gateway_routes()
}

#[test]
fn a_gateway_route_rewrites_its_prefix_by_segment_and_the_host() {
    let routes = through_gateway(json!({}));
    let paths: Vec<(&PathMatch, &PathRewrite)> = routes
        .iter()
        .map(|route| (&route.matches.path, &route.rewrite.path))
        .collect();
    let to_root = |from: &str| PathRewrite::Prefix {
        from: from.to_owned(),
        to: "/".to_owned(),
    };
    let prefix = |text: &str| PathMatch::Prefix(text.to_owned());
    let expected = [
        (&prefix("/ecs/"), &to_root("/ecs/")),
        (&prefix("/ecs"), &to_root("/ecs")),
    ];
    assert_eq!(paths, expected);
    for route in &routes {
        assert_eq!(route.rewrite.host.as_deref(), Some(CRYSTAL));
    }
}

#[test]
fn a_disabled_rewrite_keeps_the_prefix_and_the_host() {
    let disabled = json!({"rewrite": {
        "prefix": {"defaultPrefix": "DISABLED"},
        "hostname": {"defaultTargetHostname": "DISABLED"},
    }});
    let [route] = through_gateway(disabled).try_into().unwrap();
    assert_eq!(route.matches.path, PathMatch::Prefix("/ecs".to_owned()));
    assert_eq!(
        (route.rewrite.host, route.rewrite.path),
        (None, PathRewrite::Keep)
    );
}
