//! A virtual gateway: where traffic from outside enters the mesh.

use serde::{Deserialize, Serialize};

use super::{
    BackendDefaults, ConnectionPool, HealthCheckPolicy, ListenerTls, Logging, PortMapping, Protocol,
};
use crate::check::{Check, Checker};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualGatewaySpec {
    pub listeners: Vec<VirtualGatewayListener>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_defaults: Option<BackendDefaults>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualGatewayListener {
    pub port_mapping: PortMapping,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<ConnectionPool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
}

impl VirtualGatewaySpec {
    pub fn port_mappings(&self) -> Vec<PortMapping> {
        let listeners = self.listeners.iter();
        listeners.map(|listener| listener.port_mapping).collect()
    }
}

impl Check for VirtualGatewaySpec {
    fn check(&self, at: &mut Checker) {
        at.list("listeners", Some(&self.listeners), 0..);
        at.member("backendDefaults", &self.backend_defaults);
        at.member("logging", &self.logging);
    }
}

impl Check for VirtualGatewayListener {
    fn check(&self, at: &mut Checker) {
        at.member("portMapping", &self.port_mapping);
        refuse_tcp(
            &mut at.inside("portMapping.protocol"),
            self.port_mapping.protocol,
        );
        at.member("healthCheck", &self.health_check);
        if let Some(health_check) = &self.health_check {
            refuse_tcp(
                &mut at.inside("healthCheck.protocol"),
                health_check.protocol,
            );
        }
        at.member("connectionPool", &self.connection_pool);
        if let Some(ConnectionPool::Tcp(_)) = self.connection_pool {
            at.inside("connectionPool.tcp")
                .refuse("is unknown, members here are http, http2, grpc");
        }
        at.member("tls", &self.tls);
    }
}

/// The one difference between a gateway's shapes and a node's: there is no TCP.
fn refuse_tcp(at: &mut Checker, protocol: Protocol) {
    if protocol == Protocol::Tcp {
        at.refuse_text("tcp", "is none of http, http2, grpc");
    }
}
