//! Which virtual gateway a gateway route belongs to.

use super::Problem;
use super::cluster::{Cluster, Object, default_name};
use super::selector::selects;

impl Cluster<'_> {
    /// The gateway's name in App Mesh: as the controller chose it, else the one that is meant.
    pub(super) fn gateway_of(&self, route: &Object<'_>) -> Result<String, Problem> {
        let kind = "VirtualGateway";
        if let Some(reference) = route.get("virtualGatewayRef") {
            let name = reference.text_at("name").unwrap_or_default();
            let namespace = reference.text_at("namespace").unwrap_or(route.namespace);
            let gateway = self.find(kind, namespace, name);
            return Ok(
                gateway.map_or_else(|| default_name(kind, namespace, name), Object::aws_name)
            );
        }
        let labels = route.node.at(&["metadata", "labels"]);
        let wants = |gateway: &&Object<'_>| match gateway.get("gatewayRouteSelector") {
            None => true,
            selector => selects(selector, labels),
        };
        let gateways: Vec<&Object<'_>> = self.of_kind(kind).filter(wants).collect();
        let selects_namespace = |gateway: &&&Object<'_>| {
            let labels = self.namespaces.get(route.namespace);
            labels.is_some_and(|labels| selects(gateway.get("namespaceSelector"), *labels))
        };
        let is_beside = |gateway: &&&Object<'_>| gateway.namespace == route.namespace;
        let only = |chosen: Vec<&Object<'_>>| match chosen.as_slice() {
            [gateway] => Some(gateway.aws_name()),
            _ => None,
        };
        only(gateways.iter().filter(selects_namespace).copied().collect())
            .or_else(|| only(gateways.iter().filter(is_beside).copied().collect()))
            .or_else(|| only(gateways.clone()))
            .ok_or_else(|| Problem {
                line: route.node.line,
                reason: format!(
                    "its virtual gateway cannot be told: {} that are described select it, and it names none",
                    gateways.len()
                ),
                hint: Some("name the virtual gateway in spec.virtualGatewayRef"),
            })
    }
}
