//! A virtual router: the ports on which a virtual service is split among virtual nodes.

use serde::{Deserialize, Serialize};

use super::PortMapping;
use crate::check::{Check, Checker};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualRouterSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listeners: Option<Vec<VirtualRouterListener>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualRouterListener {
    pub port_mapping: PortMapping,
}

impl VirtualRouterSpec {
    pub fn listeners(&self) -> &[VirtualRouterListener] {
        self.listeners.as_deref().unwrap_or_default()
    }

    pub fn port_mappings(&self) -> Vec<PortMapping> {
        let listeners = self.listeners().iter();
        listeners.map(|listener| listener.port_mapping).collect()
    }
}

impl Check for VirtualRouterSpec {
    fn check(&self, at: &mut Checker) {
        at.list("listeners", self.listeners.as_deref(), 0..);
    }
}

impl Check for VirtualRouterListener {
    fn check(&self, at: &mut Checker) {
        at.member("portMapping", &self.port_mapping);
    }
}
