//! Rules of virtual routers.

use super::listeners;
use crate::check::Checker;
use crate::spec::VirtualRouterSpec;

pub(super) fn check(spec: &VirtualRouterSpec, at: &mut Checker) {
    listeners::distinct_ports(at, &spec.port_mappings());
}
