//! A mesh whose nodes are servers of the test's own, and a proxy for one of its nodes or gateways.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use model::draft::{Author, Draft};
use model::{ResourceId, Snapshot, Spec, Timestamp};
use proxy::{DataPlane, Options};
use serde_json::{Value, json};
use testkit::Backend;
use testkit::backend::with_status;
use testkit::raw::RawClient;
use view::Binding;

pub(crate) const MESH: &str = "shop";

pub(crate) struct Mesh {
    draft: Draft,
    backends: BTreeMap<String, Backend>,
}

impl Mesh {
    pub(crate) fn new() -> Self {
        let author = Author {
            account: "123456789012".to_owned(),
            now: Timestamp::from_millis(0),
            uid: || "uid".to_owned(),
        };
        let mut draft = Draft::new(&Snapshot::new(), author);
        put(&mut draft, ResourceId::mesh(MESH), &json!({}));
        Self {
            draft,
            backends: BTreeMap::new(),
        }
    }

    /// A virtual node that answers `NAME METHOD PATH HOST`.
    pub(crate) async fn node(&mut self, name: &'static str) -> u16 {
        let backend = Backend::answering(move |request| {
            let host = request
                .headers()
                .get("host")
                .map(|host| host.to_str().unwrap().to_owned());
            let text = format!(
                "{name} {} {} {}",
                request.method(),
                request.uri(),
                host.unwrap_or_default()
            );
            with_status(200, &text)
        });
        let backend = backend.await.unwrap();
        let port = backend.address.port();
        let spec = json!({
            "listeners": [{"portMapping": {"port": port, "protocol": "http"}}],
            "serviceDiscovery": {"dns": {"hostname": "127.0.0.1"}},
        });
        self.put(ResourceId::virtual_node(MESH, name), spec);
        self.backends.insert(name.to_owned(), backend);
        port
    }

    pub(crate) fn put(&mut self, id: ResourceId, spec: Value) {
        put(&mut self.draft, id, &spec);
    }

    /// A virtual service behind a router with these listeners' ports.
    pub(crate) fn service(&mut self, name: &str, ports: &[u16]) {
        let router = router_of(name);
        let listeners: Vec<Value> = ports.iter().map(|&port| listener(port)).collect();
        self.put(
            ResourceId::virtual_router(MESH, &router),
            json!({"listeners": listeners}),
        );
        let provider = json!({"virtualRouter": {"virtualRouterName": router}});
        self.put(
            ResourceId::virtual_service(MESH, name),
            json!({"provider": provider}),
        );
    }

    /// A route of a service to one node.
    pub(crate) fn route(
        &mut self,
        service: &str,
        node: &str,
        priority: Option<i32>,
        matches: Value,
    ) {
        let name = format!("to-{node}");
        let id = ResourceId::route(MESH, router_of(service), &name);
        let target = json!({"virtualNode": node, "weight": 1});
        let mut spec =
            json!({"httpRoute": {"match": matches, "action": {"weightedTargets": [target]}}});
        if let Some(priority) = priority {
            spec["priority"] = json!(priority);
        }
        self.put(id, spec);
    }

    /// The proxy of a node that calls these services.
    pub(crate) async fn caller(mut self, services: &[&str]) -> Proxy {
        let backend = |name: &&str| json!({"virtualService": {"virtualServiceName": name}});
        let backends: Vec<Value> = services.iter().map(backend).collect();
        let caller = ResourceId::virtual_node(MESH, "caller");
        self.put(caller.clone(), json!({"backends": backends}));
        let binding = Binding {
            egress_port: Some(0),
            ..Binding::loopback()
        };
        self.proxy(&caller, &binding).await
    }

    pub(crate) async fn proxy(self, node: &ResourceId, binding: &Binding) -> Proxy {
        let view = view::compile(self.draft.snapshot(), node, binding).unwrap();
        let plane = DataPlane::start(Options::default()).unwrap();
        let bound = plane.apply(Arc::new(view)).await.unwrap();
        Proxy {
            addresses: bound.iter().map(|listener| listener.address).collect(),
            _plane: plane,
            _mesh: self,
        }
    }
}

pub(crate) fn listener(port: u16) -> Value {
    json!({"portMapping": {"port": port, "protocol": "http"}})
}

fn router_of(service: &str) -> String {
    format!("{service}-router")
}

fn put(draft: &mut Draft, id: ResourceId, spec: &Value) {
    let spec = Spec::parse(id.kind(), spec).unwrap();
    draft.put(id, spec).unwrap();
}

pub(crate) struct Proxy {
    pub(crate) addresses: Vec<SocketAddr>,
    _plane: DataPlane,
    _mesh: Mesh,
}

impl Proxy {
    /// What comes back: the node's words, or the status and the proxy's reason.
    pub(crate) async fn ask(&self, listener: usize, request: &str) -> String {
        let mut client = RawClient::connect(self.addresses[listener]).await.unwrap();
        let answer = client.ask(request).await.unwrap();
        match answer.status {
            200 => answer.text(),
            status => format!("{status} {}", answer.text().trim()),
        }
    }

    /// Each row: a request line without its version, the fields, and what must come back, or begin it.
    pub(crate) async fn answers(&self, listener: usize, rows: &[(&str, &[&str], &str)]) {
        for (line, fields, expected) in rows {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            let request = format!("{line} HTTP/1.1\r\n{fields}\r\n");
            let answer = self.ask(listener, &request).await;
            assert!(
                answer == *expected || answer.starts_with(&format!("{expected} ")),
                "{line} {fields:?}: {answer:?} is not {expected:?}"
            );
        }
    }
}
