//! One object as the resources that the controller made of it.

use model::{Kind, LocalId, ResourceId};

use super::Problem;
use super::cluster::{Cluster, Object};
use crate::document::{Document, History};
use crate::parts::spec;
use crate::tree::{Node, Value};
use crate::typed::{KUBERNETES, Mismatch};

/// A router has its routes in it; a backend group is part of the nodes that name it.
pub(super) fn read(cluster: &Cluster<'_>, object: &Object<'_>) -> Vec<Result<Document, Problem>> {
    match object.kind {
        "Mesh" => vec![mesh(object)],
        "VirtualNode" => vec![virtual_node(cluster, object)],
        "VirtualRouter" => {
            let mut documents = vec![plain(
                cluster,
                object,
                Kind::VirtualRouter,
                "virtualRouterARN",
            )];
            // Routes of a router without a mesh are missing for the same reason.
            if documents.iter().all(Result::is_ok) {
                let routes = object.get("routes").map_or(&[][..], Node::items);
                documents.extend(routes.iter().map(|node| route(cluster, object, node)));
            }
            documents
        }
        "VirtualService" => {
            vec![plain(
                cluster,
                object,
                Kind::VirtualService,
                "virtualServiceARN",
            )]
        }
        "VirtualGateway" => {
            vec![plain(
                cluster,
                object,
                Kind::VirtualGateway,
                "virtualGatewayARN",
            )]
        }
        "GatewayRoute" => vec![gateway_route(cluster, object)],
        _ => Vec::new(),
    }
}

fn mesh(object: &Object<'_>) -> Result<Document, Problem> {
    let line = object.node.line;
    let mut members = Vec::new();
    for (name, member) in object.spec().map_or(&[][..], Node::members) {
        let name = match name.as_str() {
            "meshServiceDiscovery" => "serviceDiscovery",
            name => name,
        };
        members.push((name.to_owned(), member.clone()));
    }
    let mut document = document(
        object,
        ResourceId::mesh(object.aws_name()),
        &Node::map(line, members),
    )?;
    let owner = object.get("meshOwner").and_then(Node::as_text);
    document.history.mesh_owner = owner.map(str::to_owned);
    document.history.arn = arn(object, "meshARN");
    Ok(document)
}

fn plain(
    cluster: &Cluster<'_>,
    object: &Object<'_>,
    kind: Kind,
    arn_member: &str,
) -> Result<Document, Problem> {
    let name = object.aws_name();
    let local = match kind {
        Kind::VirtualRouter => LocalId::VirtualRouter(name),
        Kind::VirtualService => LocalId::VirtualService(name),
        _ => LocalId::VirtualGateway(name),
    };
    let id = ResourceId::new(cluster.mesh_of(object)?, local);
    let spec = resolved_spec(cluster, object)?;
    let mut document = document(object, id, &spec)?;
    document.history.arn = arn(object, arn_member);
    Ok(document)
}

fn virtual_node(cluster: &Cluster<'_>, object: &Object<'_>) -> Result<Document, Problem> {
    let id = ResourceId::virtual_node(cluster.mesh_of(object)?, object.aws_name());
    let mut spec = resolved_spec(cluster, object)?;
    let grouped = grouped_backends(cluster, object)?;
    if !grouped.is_empty()
        && let Value::Map(members) = &mut spec.value
    {
        let present = members.iter().position(|(name, _)| name == "backends");
        let mut backends = match present.map(|index| members.remove(index).1.value) {
            Some(Value::List(backends)) => backends,
            _ => Vec::new(),
        };
        for service in grouped {
            let is_same = |backend: &Node| {
                let name = backend.at(&["virtualService", "virtualServiceName"]);
                name.and_then(Node::as_text) == Some(service.as_str())
            };
            if !backends.iter().any(is_same) {
                backends.push(backend(object.node.line, service));
            }
        }
        members.push((
            "backends".to_owned(),
            Node::list(object.node.line, backends),
        ));
    }
    let mut document = document(object, id, &spec)?;
    document.history.arn = arn(object, "virtualNodeARN");
    Ok(document)
}

fn backend(line: usize, service: String) -> Node {
    let name = ("virtualServiceName".to_owned(), Node::text(line, service));
    let service = ("virtualService".to_owned(), Node::map(line, vec![name]));
    Node::map(line, vec![service])
}

/// The virtual services of the backend groups that a node names; `*` is every service of a namespace.
fn grouped_backends(cluster: &Cluster<'_>, node: &Object<'_>) -> Result<Vec<String>, Problem> {
    let mut services = Vec::new();
    for reference in node.get("backendGroups").map_or(&[][..], Node::items) {
        let name = reference.text_at("name").unwrap_or_default();
        let namespace = reference.text_at("namespace").unwrap_or(node.namespace);
        if name == "*" {
            let all = cluster.of_kind("VirtualService");
            let all = all.filter(|service| service.namespace == namespace);
            services.extend(all.map(Object::aws_name));
            continue;
        }
        let Some(group) = cluster.find("BackendGroup", namespace, name) else {
            let reason = format!("its backend group {namespace}/{name} is not described");
            return Err(Mismatch::at(reference.line, reason).into());
        };
        // A group's references stand for the node that names it.
        for service in group.get("virtualservices").map_or(&[][..], Node::items) {
            services.push(cluster.name_of(service, "VirtualService", node)?);
        }
    }
    Ok(services)
}

fn route(cluster: &Cluster<'_>, router: &Object<'_>, node: &Node) -> Result<Document, Problem> {
    let Some(name) = node.text_at("name").filter(|name| !name.is_empty()) else {
        return Err(Mismatch::at(node.line, "a route needs a name").into());
    };
    let id = ResourceId::route(cluster.mesh_of(router)?, router.aws_name(), name);
    let spec_node = cluster.resolved(node, router)?;
    let arn = router.node.at(&["status", "routeARNs", name]);
    Ok(Document {
        spec: spec(Kind::Route, &spec_node, KUBERNETES)?,
        tags: None,
        history: History {
            arn: arn.and_then(Node::as_text).map(str::to_owned),
            ..History::default()
        },
        place: router.tree.place(node.line),
        id,
    })
}

fn gateway_route(cluster: &Cluster<'_>, object: &Object<'_>) -> Result<Document, Problem> {
    let (mesh, gateway) = (cluster.mesh_of(object)?, cluster.gateway_of(object)?);
    let id = ResourceId::gateway_route(mesh, gateway, object.aws_name());
    let spec = resolved_spec(cluster, object)?;
    let mut document = document(object, id, &spec)?;
    document.history.arn = arn(object, "gatewayRouteARN");
    Ok(document)
}

fn resolved_spec(cluster: &Cluster<'_>, object: &Object<'_>) -> Result<Node, Mismatch> {
    match object.spec() {
        Some(spec) => cluster.resolved(spec, object),
        None => Ok(Node::map(object.node.line, Vec::new())),
    }
}

fn document(object: &Object<'_>, id: ResourceId, node: &Node) -> Result<Document, Problem> {
    Ok(Document {
        spec: spec(id.kind(), node, KUBERNETES)?,
        tags: None,
        history: History::default(),
        place: object.tree.place(object.node.line),
        id,
    })
}

/// The ARN that the controller noted in the object's status.
fn arn(object: &Object<'_>, member: &str) -> Option<String> {
    let arn = object.node.get("status")?.text_at(member)?;
    Some(arn.to_owned())
}
