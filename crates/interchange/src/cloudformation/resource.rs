//! `AWS::AppMesh::*` resources.

use model::{Kind, LocalId, ResourceId, Spec};

use super::evaluate::{Outcome, Problem, Template};
use crate::command_line::history;
use crate::document::{Document, History};
use crate::parts::{spec, tags};
use crate::read::Tree;
use crate::tree::Node;
use crate::typed::{CLOUDFORMATION, shortened};

pub(super) const PREFIX: &str = "AWS::AppMesh::";

/// Where our own export keeps what CloudFormation has no property for.
pub(super) const METADATA: &str = "Serin";

pub(super) struct Read {
    pub(super) document: Document,
    pub(super) remarks: Vec<String>,
}

/// Which resource a logical id stands for.
struct Identity {
    id: ResourceId,
    /// The property that would have named it.
    derived: Option<&'static str>,
}

pub(super) fn is_app_mesh(node: &Node) -> bool {
    kind_of(node).is_some()
}

fn kind_of(node: &Node) -> Option<Kind> {
    let name = node.text_at("Type")?.strip_prefix(PREFIX)?;
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// The property that names a resource of this kind.
pub(super) fn name_property(kind: Kind) -> &'static str {
    match kind {
        Kind::Mesh => "MeshName",
        Kind::VirtualNode => "VirtualNodeName",
        Kind::VirtualRouter => "VirtualRouterName",
        Kind::VirtualService => "VirtualServiceName",
        Kind::VirtualGateway => "VirtualGatewayName",
        Kind::Route => "RouteName",
        Kind::GatewayRoute => "GatewayRouteName",
    }
}

/// The property that names the parent of a route.
pub(super) fn parent_property(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Route => Some("VirtualRouterName"),
        Kind::GatewayRoute => Some("VirtualGatewayName"),
        _ => None,
    }
}

/// None if the resource's condition does not hold.
pub(super) fn read(
    template: &Template<'_>,
    logical_id: &str,
    node: &Node,
    tree: &Tree,
) -> Outcome<Option<Read>> {
    if let Some(condition) = node.get("Condition") {
        let name = condition.as_text().unwrap_or_default();
        if !template.condition(name, condition.line)? {
            return Ok(None);
        }
    }
    let Some(kind) = kind_of(node) else {
        return Err(Problem::new(node.line, "is no type of App Mesh"));
    };
    let nothing = Node::map(node.line, Vec::new());
    let properties = node.get("Properties").unwrap_or(&nothing);
    only_known(kind, properties)?;
    let Identity { id, derived } = identify(template, logical_id, node)?;
    let value = |name: &str| match properties.get(name) {
        Some(property) => template.value(property),
        None => Ok(None),
    };
    let spec = match value("Spec")? {
        Some(node) => spec(kind, &node, CLOUDFORMATION)?,
        None if kind == Kind::Mesh => Spec::Mesh(Default::default()),
        None => return Err(Problem::new(properties.line, "Spec is required")),
    };
    let tags = match value("Tags")? {
        Some(node) => Some(tags(&node, CLOUDFORMATION)?),
        None => None,
    };
    let mut history = match node.at(&["Metadata", METADATA]) {
        Some(metadata) => history::read(metadata)?,
        None => History::default(),
    };
    if let Some(owner) = value("MeshOwner")? {
        history.mesh_owner = owner.as_text().map(str::to_owned);
    }
    let document = Document {
        spec,
        tags,
        history,
        place: tree.place(node.line),
        id,
    };
    let remarks = derived.map(|property| {
        format!(
            "has no {property}; CloudFormation made one up, here it is {}: \
             --value {logical_id}.{property}=NAME gives it another",
            document.id.name()
        )
    });
    Ok(Some(Read {
        document,
        remarks: remarks.into_iter().collect(),
    }))
}

fn only_known(kind: Kind, properties: &Node) -> Outcome<()> {
    let known = |name: &str| {
        matches!(name, "MeshName" | "MeshOwner" | "Spec" | "Tags")
            || name == name_property(kind)
            || parent_property(kind) == Some(name)
    };
    match properties.members().iter().find(|(name, _)| !known(name)) {
        Some((name, node)) => {
            let reason = format!("{} is no property of a {kind}", shortened(name));
            Err(Problem::new(node.line, reason))
        }
        None => Ok(()),
    }
}

fn identify(template: &Template<'_>, logical_id: &str, node: &Node) -> Outcome<Identity> {
    let Some(kind) = kind_of(node) else {
        return Err(Problem::new(node.line, "is no type of App Mesh"));
    };
    let given = |property: &str| -> Outcome<Option<String>> {
        let key = format!("{logical_id}.{property}");
        if let Some(value) = template.world.options.values.get(&key) {
            return Ok(Some(value.clone()));
        }
        let property = node.at(&["Properties", property]);
        let Some(value) = property
            .map(|node| template.value(node))
            .transpose()?
            .flatten()
        else {
            return Ok(None);
        };
        match value.as_text() {
            Some(text) if !text.is_empty() => Ok(Some(text.to_owned())),
            _ => Err(Problem::new(value.line, "is no name")),
        }
    };
    let required = |property: &str| {
        given(property)?.ok_or_else(|| Problem::new(node.line, format!("{property} is required")))
    };
    let property = name_property(kind);
    let (name, derived) = match given(property)? {
        Some(name) => (name, None),
        None if kind == Kind::VirtualService => (required(property)?, None),
        None => (made_up(template, logical_id), Some(property)),
    };
    if kind == Kind::Mesh {
        let id = ResourceId::mesh(name);
        return Ok(Identity { id, derived });
    }
    let parent = parent_property(kind).map(required).transpose()?;
    let parent = parent.unwrap_or_default();
    let id = ResourceId::new(required("MeshName")?, LocalId::of(kind, parent, name));
    Ok(Identity { id, derived })
}

/// CloudFormation's names are the stack's, the logical id and a random suffix that nobody can guess.
fn made_up(template: &Template<'_>, logical_id: &str) -> String {
    match &template.world.options.stack_name {
        Some(stack) => format!("{stack}-{logical_id}"),
        None => logical_id.to_owned(),
    }
}

/// An attribute of an App Mesh resource; none if it has no such attribute, or only AWS knew it.
pub(super) fn attribute(
    template: &Template<'_>,
    logical_id: &str,
    attribute: &str,
) -> Outcome<Option<String>> {
    let Some(node) = template.resource(logical_id) else {
        return Ok(None);
    };
    let pseudo = |name: &str| -> Outcome<String> {
        let value = template.reference(name, node.line)?;
        Ok(value
            .as_ref()
            .and_then(Node::as_text)
            .unwrap_or_default()
            .to_owned())
    };
    let id = || Ok::<_, Problem>(identify(template, logical_id, node)?.id);
    Ok(Some(match attribute {
        "Arn" | "Id" => {
            let (region, account) = (pseudo("AWS::Region")?, pseudo("AWS::AccountId")?);
            id()?.arn(region, account).to_string()
        }
        "MeshOwner" | "ResourceOwner" => pseudo("AWS::AccountId")?,
        "MeshName" => id()?.mesh,
        "VirtualRouterName" | "VirtualGatewayName"
            if kind_of(node).and_then(parent_property) == Some(attribute) =>
        {
            match id()?.local {
                LocalId::Route { router, .. } => router,
                LocalId::GatewayRoute { gateway, .. } => gateway,
                _ => return Ok(None),
            }
        }
        _ if kind_of(node).map(name_property) == Some(attribute) => id()?.name().to_owned(),
        _ => return Ok(None),
    }))
}
