//! One resource: which one it is, and what it holds.

use model::{Kind, LocalId, ResourceId, Spec};

use super::history;
use crate::document::Document;
use crate::parts::{spec, tags};
use crate::read::Tree;
use crate::tree::Node;
use crate::typed::{self, COMMAND_LINE, Mismatch};

/// Members that stand beside the names.
const MEMBERS: [&str; 7] = [
    "meshName",
    "spec",
    "tags",
    "clientToken",
    "meshOwner",
    "metadata",
    "status",
];

/// The resource's identifier, by the names that it has, and the mesh that is meant if it names none.
pub(super) fn identify(node: &Node, mesh: Option<&str>) -> Result<ResourceId, String> {
    let name = |member: &str| match node.get(member) {
        None => Ok(None),
        Some(node) => match node.as_text() {
            Some(text) if !text.is_empty() => Ok(Some(text.to_owned())),
            _ => Err(format!("{member} is no name")),
        },
    };
    let required = |member: &str| name(member)?.ok_or_else(|| format!("{member} is required"));
    let named = name("meshName")?;
    let local = if let Some(name) = name("routeName")? {
        let router = required("virtualRouterName")?;
        LocalId::Route { router, name }
    } else if let Some(name) = name("gatewayRouteName")? {
        let gateway = required("virtualGatewayName")?;
        LocalId::GatewayRoute { gateway, name }
    } else if let Some(name) = name("virtualNodeName")? {
        LocalId::VirtualNode(name)
    } else if let Some(name) = name("virtualRouterName")? {
        LocalId::VirtualRouter(name)
    } else if let Some(name) = name("virtualServiceName")? {
        LocalId::VirtualService(name)
    } else if let Some(name) = name("virtualGatewayName")? {
        LocalId::VirtualGateway(name)
    } else if named.is_some() {
        LocalId::Mesh
    } else {
        return Err("its names were given beside it: write them into it, as meshName".to_owned());
    };
    let mesh = match named.or_else(|| mesh.map(str::to_owned)) {
        Some(mesh) => mesh,
        None => return Err("meshName is required: write it in, or give it with --mesh".to_owned()),
    };
    Ok(ResourceId::new(mesh, local))
}

pub(super) fn read(
    id: &ResourceId,
    node: &Node,
    metadata: Option<&Node>,
    tree: &Tree,
) -> Result<Document, Mismatch> {
    let unknown = |(name, _): &&(String, Node)| {
        !MEMBERS.contains(&name.as_str()) && !names_of(id.kind()).contains(&name.as_str())
    };
    if let Some((name, member)) = node.members().iter().find(unknown) {
        let reason = format!("{} is unknown in a {}", typed::shortened(name), id.kind());
        return Err(Mismatch::at(member.line, reason));
    }
    let spec = match node.get("spec") {
        Some(node) => spec(id.kind(), node, COMMAND_LINE)?,
        None if id.kind() == Kind::Mesh => Spec::Mesh(Default::default()),
        None => return Err(Mismatch::at(node.line, "spec is required")),
    };
    let tags = node.get("tags").map(|node| tags(node, COMMAND_LINE));
    let mut history = match metadata.or_else(|| node.get("metadata")) {
        Some(metadata) => history::read(metadata)?,
        None => Default::default(),
    };
    if history.mesh_owner.is_none() {
        history.mesh_owner = node.text_at("meshOwner").map(str::to_owned);
    }
    Ok(Document {
        id: id.clone(),
        spec,
        tags: tags.transpose()?,
        history,
        place: tree.place(node.line),
    })
}

fn names_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Mesh => &[],
        Kind::VirtualNode => &["virtualNodeName"],
        Kind::VirtualRouter => &["virtualRouterName"],
        Kind::VirtualService => &["virtualServiceName"],
        Kind::VirtualGateway => &["virtualGatewayName"],
        Kind::Route => &["routeName", "virtualRouterName"],
        Kind::GatewayRoute => &["gatewayRouteName", "virtualGatewayName"],
    }
}
