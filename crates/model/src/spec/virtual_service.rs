//! A virtual service: the name that callers use, and who answers for it.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Checker};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualServiceSpec {
    /// Absent: the name is known but nobody answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<VirtualServiceProvider>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VirtualServiceProvider {
    VirtualNode(VirtualNodeProvider),
    VirtualRouter(VirtualRouterProvider),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualNodeProvider {
    pub virtual_node_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualRouterProvider {
    pub virtual_router_name: String,
}

impl Check for VirtualServiceSpec {
    fn check(&self, at: &mut Checker) {
        at.member("provider", &self.provider);
    }
}

impl Check for VirtualServiceProvider {
    fn check(&self, at: &mut Checker) {
        match self {
            VirtualServiceProvider::VirtualNode(node) => {
                let name = Some(&node.virtual_node_name);
                at.text("virtualNode.virtualNodeName", name, 1..=255);
            }
            VirtualServiceProvider::VirtualRouter(router) => {
                let name = Some(&router.virtual_router_name);
                at.text("virtualRouter.virtualRouterName", name, 1..=255);
            }
        }
    }
}
