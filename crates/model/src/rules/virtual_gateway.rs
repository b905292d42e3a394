//! Rules of virtual gateways.

use super::listeners;
use crate::check::Checker;
use crate::spec::{VirtualGatewayListener, VirtualGatewaySpec};

pub(super) fn check(spec: &VirtualGatewaySpec, at: &mut Checker) {
    listeners::distinct_ports(at, &spec.port_mappings());
    at.each("listeners", Some(&spec.listeners), check_listener);
}

fn check_listener(at: &mut Checker, listener: &VirtualGatewayListener) {
    let mapping = &listener.port_mapping;
    if let Some(health) = &listener.health_check {
        listeners::check_health(&mut at.inside("healthCheck"), mapping, health);
    }
    if let Some(pool) = &listener.connection_pool {
        listeners::check_pool(&mut at.inside("connectionPool"), mapping, pool);
    }
}
