//! A virtual node: one version of one service, and what it calls.

use serde::{Deserialize, Serialize};

use super::{
    BackendDefaults, ClientPolicy, ConnectionPool, HealthCheckPolicy, ListenerTimeout, ListenerTls,
    Logging, OutlierDetection, PortMapping, ServiceDiscovery,
};
use crate::check::{Check, Checker};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualNodeSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listeners: Option<Vec<Listener>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_discovery: Option<ServiceDiscovery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backends: Option<Vec<Backend>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_defaults: Option<BackendDefaults>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    pub port_mapping: PortMapping,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<ConnectionPool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<ListenerTimeout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
}

/// Something the node may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Backend {
    VirtualService(VirtualServiceBackend),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualServiceBackend {
    pub virtual_service_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_policy: Option<ClientPolicy>,
}

impl VirtualNodeSpec {
    pub fn listeners(&self) -> &[Listener] {
        self.listeners.as_deref().unwrap_or_default()
    }

    pub fn port_mappings(&self) -> Vec<PortMapping> {
        let listeners = self.listeners().iter();
        listeners.map(|listener| listener.port_mapping).collect()
    }

    pub fn backends(&self) -> &[Backend] {
        self.backends.as_deref().unwrap_or_default()
    }
}

impl Check for VirtualNodeSpec {
    fn check(&self, at: &mut Checker) {
        at.list("listeners", self.listeners.as_deref(), 0..);
        at.member("serviceDiscovery", &self.service_discovery);
        at.list("backends", self.backends.as_deref(), 0..);
        at.member("backendDefaults", &self.backend_defaults);
        at.member("logging", &self.logging);
    }
}

impl Check for Listener {
    fn check(&self, at: &mut Checker) {
        at.member("portMapping", &self.port_mapping);
        at.member("healthCheck", &self.health_check);
        at.member("connectionPool", &self.connection_pool);
        at.member("outlierDetection", &self.outlier_detection);
        at.member("timeout", &self.timeout);
        at.member("tls", &self.tls);
    }
}

impl Check for Backend {
    fn check(&self, at: &mut Checker) {
        match self {
            Backend::VirtualService(backend) => at.member("virtualService", backend),
        }
    }
}

impl Check for VirtualServiceBackend {
    fn check(&self, at: &mut Checker) {
        at.member("clientPolicy", &self.client_policy);
    }
}
