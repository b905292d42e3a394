//! The world in which each case runs: whatever a request may refer to is there, under names of every allowed length.
//!
//! Each protocol has a name of its own, so that the shortest name still tells them apart. The names that a path may
//! hold stand for resources in three lengths, so that a name of one character and one of 255 lead somewhere.

use std::sync::Arc;

use appmesh::{AppMesh, Quotas, Settings};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use model::Timestamp;
use serde_json::{Value, json};
use store::{Memory, Store};
use tokio::runtime::Builder;

use crate::stretched;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";

/// What nodes, routers and services of a protocol are called.
pub(crate) const PROTOCOLS: [(&str, &str); 4] = [
    ("plain", "http"),
    ("second", "http2"),
    ("grpc", "grpc"),
    ("tcp", "tcp"),
];

/// The ports of what has several listeners: the least, the usual and the greatest.
const NODE_PORTS: [u16; 3] = [1, 3000, 65535];
const GATEWAY_PORTS: [u16; 3] = [1, 8088, 65535];

pub(crate) struct World {
    store: Arc<Memory>,
    api: AppMesh,
}

impl World {
    /// A world with everything.
    pub(crate) fn new() -> Self {
        let world = Self::over(Memory::new());
        for mesh in lengths("mesh").into_iter().chain(lengths("empty")) {
            world.put("/v20190125/meshes", json!({ "meshName": mesh }));
        }
        for mesh in lengths("mesh") {
            // One protocol will do to show that the mesh is found.
            let protocols = if mesh == "mesh" {
                &PROTOCOLS[..]
            } else {
                &PROTOCOLS[..1]
            };
            world.furnish(&format!("/v20190125/meshes/{mesh}"), protocols);
        }
        world
    }

    /// Another world with the same in it.
    pub(crate) fn fork(&self) -> Self {
        Self::over(self.store.fork())
    }

    fn over(store: Memory) -> Self {
        let store = Arc::new(store);
        let shared: Arc<dyn Store> = store.clone();
        let settings = Settings {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            quotas: without_limits(),
            uid: || "uid".to_owned(),
        };
        Self {
            store,
            api: AppMesh::new(shared, settings),
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.store.snapshot().revision()
    }

    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        block_on(
            self.api
                .answer(request, Timestamp::from_millis(1_800_000_000_000)),
        )
    }

    pub(crate) fn put(&self, path: &str, body: Value) {
        let request = Request::put(path).body(Bytes::from(body.to_string()));
        let response = self.answer(&request.unwrap());
        let text = String::from_utf8_lossy(response.body());
        assert_eq!(response.status(), StatusCode::OK, "{path} {body}: {text}");
    }

    /// Fills a mesh, what is referred to first.
    fn furnish(&self, mesh: &str, protocols: &[(&str, &str)]) {
        for (name, protocol) in protocols.iter().copied() {
            let node = listening("serviceDiscovery", &[3000], protocol);
            for name in lengths(name) {
                self.put_named(mesh, "virtualNode", &name, &node);
            }
            let node = listening("serviceDiscovery", &NODE_PORTS, protocol);
            self.put_named(mesh, "virtualNode", &format!("many-{name}"), &node);

            self.router(mesh, &format!("{name}-router"), &[3000], protocol, name);
            let many = format!("many-{name}");
            self.router(
                mesh,
                &format!("{many}-router"),
                &NODE_PORTS,
                protocol,
                &many,
            );

            for service in lengths(&format!("{name}-service")) {
                self.service(mesh, &service, name);
            }
            self.service(mesh, &format!("{many}-service"), &many);
            if protocol != "tcp" {
                self.gateway(mesh, &format!("{name}-gateway"), &[8088], protocol, name);
                self.gateway(
                    mesh,
                    &format!("{many}-gateway"),
                    &GATEWAY_PORTS,
                    protocol,
                    &many,
                );
            }
        }
        for router in lengths("router") {
            self.router(mesh, &router, &[3000], "http", "plain");
        }
        for gateway in lengths("gateway") {
            self.gateway(mesh, &gateway, &[8088], "http", "plain");
        }
        for idle in lengths("idle") {
            self.put_named(mesh, "virtualNode", &idle, &json!({}));
            self.put_named(mesh, "virtualRouter", &idle, &json!({}));
            self.put_named(mesh, "virtualService", &idle, &json!({}));
            self.put_named(
                mesh,
                "virtualGateway",
                &idle,
                &listening("", &[8088], "http"),
            );
        }
    }

    fn put_named(&self, mesh: &str, kind: &str, name: &str, spec: &Value) {
        let path = format!("{mesh}/{kind}s");
        self.put(&path, json!({ format!("{kind}Name"): name, "spec": spec }));
    }

    fn service(&self, mesh: &str, name: &str, node: &str) {
        let spec = json!({ "provider": { "virtualNode": { "virtualNodeName": node } } });
        self.put_named(mesh, "virtualService", name, &spec);
    }

    fn router(&self, mesh: &str, name: &str, ports: &[u16], protocol: &str, node: &str) {
        self.put_named(mesh, "virtualRouter", name, &listening("", ports, protocol));
        let target = json!({ "virtualNode": node, "weight": 1, "port": 3000 });
        let route = json!({
            "action": { "weightedTargets": [target] },
            "match": { "port": 3000 },
        });
        let spec = json!({ format!("{protocol}Route"): route });
        for route_name in lengths("route") {
            let path = format!("{mesh}/virtualRouter/{name}/routes");
            self.put(&path, json!({ "routeName": route_name, "spec": spec }));
        }
    }

    fn gateway(&self, mesh: &str, name: &str, ports: &[u16], protocol: &str, node: &str) {
        self.put_named(
            mesh,
            "virtualGateway",
            name,
            &listening("", ports, protocol),
        );
        let service = json!({ "virtualServiceName": format!("{node}-service") });
        let route = json!({
            "action": { "target": { "virtualService": service, "port": 3000 } },
            "match": { "port": 8088 },
        });
        let spec = json!({ format!("{protocol}Route"): route });
        for route_name in lengths("route") {
            let path = format!("{mesh}/virtualGateway/{name}/gatewayRoutes");
            self.put(
                &path,
                json!({ "gatewayRouteName": route_name, "spec": spec }),
            );
        }
    }
}

/// A name, and the shortest and the longest of its kind.
fn lengths(name: &str) -> [String; 3] {
    [name.to_owned(), stretched(name, 1), stretched(name, 255)]
}

/// The spec of what listens, and is found if it has to be.
fn listening(discovery: &str, ports: &[u16], protocol: &str) -> Value {
    let listener = |port: &u16| json!({ "portMapping": { "port": port, "protocol": protocol } });
    let mut spec = json!({ "listeners": ports.iter().map(listener).collect::<Vec<_>>() });
    if !discovery.is_empty() {
        spec[discovery] = json!({ "dns": { "hostname": "node.local" } });
    }
    spec
}

/// Quotas that no case meets, whichever quotas there are.
fn without_limits() -> Quotas {
    let mut quotas = serde_json::to_value(Quotas::default()).unwrap();
    for quota in quotas.as_object_mut().unwrap().values_mut() {
        *quota = json!(1_000_000);
    }
    serde_json::from_value(quotas).unwrap()
}

/// In memory nothing waits, so a runtime is made only for form's sake.
fn block_on<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}
