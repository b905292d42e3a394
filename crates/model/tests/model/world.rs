//! A world to change: every call goes through the rules, as a server's would.

use model::{Error, ErrorKind, Metadata, Resource, ResourceId, Snapshot, Spec, Timestamp, rules};
use serde_json::{Value, json};

/// The mesh of [`World::with_one_of_everything`].
pub(crate) const MESH: &str = "m";
pub(crate) const ACCOUNT: &str = "123456789012";

pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
}

impl World {
    pub(crate) fn empty() -> Self {
        Self {
            snapshot: Snapshot::new(),
        }
    }

    /// A mesh with a node, a router and a gateway of each protocol, and some that are special.
    pub(crate) fn with_one_of_everything() -> Self {
        let mut world = Self::empty();
        let mut add = |id, spec| world.create(id, spec).unwrap();
        add(ResourceId::mesh(MESH), json!({}));
        for protocol in ["http", "http2", "grpc", "tcp"] {
            add(node(protocol), node_spec(&[(3000, protocol)]));
            add(router(protocol), listeners(&[(3000, protocol)]));
        }
        for protocol in ["http", "http2", "grpc"] {
            add(gateway(protocol), listeners(&[(8088, protocol)]));
        }
        add(node("two"), node_spec(&[(3000, "http"), (3001, "grpc")]));
        add(node("silent"), json!({}));
        add(router("two"), listeners(&[(3000, "http"), (3001, "grpc")]));
        add(router("bare"), json!({}));
        add(gateway("two"), listeners(&[(8088, "http"), (8089, "grpc")]));
        add(
            service("node.local"),
            json!({"provider": {"virtualNode": {"virtualNodeName": "http"}}}),
        );
        add(
            service("two.local"),
            json!({"provider": {"virtualRouter": {"virtualRouterName": "two"}}}),
        );
        add(service("nobody.local"), json!({}));
        world
    }

    pub(crate) fn create(&mut self, id: ResourceId, spec: Value) -> Result<(), Error> {
        let spec = Spec::parse(id.kind(), &spec)?;
        rules::create(&self.snapshot, &id, &spec)?;
        let metadata = Metadata::new("uid", ACCOUNT, Timestamp::from_millis(0));
        self.snapshot = self.snapshot.insert(Resource::new(id, spec, metadata));
        Ok(())
    }

    pub(crate) fn update(&mut self, id: ResourceId, spec: Value) -> Result<(), Error> {
        let spec = Spec::parse(id.kind(), &spec)?;
        rules::update(&self.snapshot, &id, &spec)?;
        let mut resource = Resource::clone(rules::find(&self.snapshot, &id)?);
        resource.spec = spec;
        self.snapshot = self.snapshot.insert(resource);
        Ok(())
    }

    pub(crate) fn delete(&mut self, id: &ResourceId) -> Result<(), Error> {
        rules::delete(&self.snapshot, id)?;
        self.snapshot = self.snapshot.remove(id);
        Ok(())
    }

    /// The error's type and message.
    pub(crate) fn refusal(&self, id: ResourceId, spec: Value) -> Option<(ErrorKind, String)> {
        let spec = Spec::parse(id.kind(), &spec);
        let result = spec.and_then(|spec| rules::create(&self.snapshot, &id, &spec));
        result.err().map(|error| (error.kind, error.message))
    }
}

pub(crate) fn node(name: &str) -> ResourceId {
    ResourceId::virtual_node(MESH, name)
}

pub(crate) fn router(name: &str) -> ResourceId {
    ResourceId::virtual_router(MESH, name)
}

pub(crate) fn service(name: &str) -> ResourceId {
    ResourceId::virtual_service(MESH, name)
}

pub(crate) fn gateway(name: &str) -> ResourceId {
    ResourceId::virtual_gateway(MESH, name)
}

pub(crate) fn route(router: &str) -> ResourceId {
    ResourceId::route(MESH, router, "new")
}

pub(crate) fn gateway_route(gateway: &str) -> ResourceId {
    ResourceId::gateway_route(MESH, gateway, "new")
}

pub(crate) fn listeners(ports: &[(u16, &str)]) -> Value {
    let listener = |(port, protocol): &(u16, &str)| json!({"portMapping": {"port": port, "protocol": protocol}});
    json!({"listeners": ports.iter().map(listener).collect::<Vec<_>>()})
}

pub(crate) fn node_spec(ports: &[(u16, &str)]) -> Value {
    let mut spec = listeners(ports);
    spec["serviceDiscovery"] = json!({"dns": {"hostname": "app.local"}});
    spec
}
