//! The path form of an identifier, and back.
//!
//! The service model leaves names free, so a name may hold a `/`. Such a name is written with `%2F`
//! (and `%` with `%25`), which keeps writing and reading exact inverses; every name that App Mesh's
//! console would have allowed is written as it is.

use super::{LocalId, ResourceId};

pub(super) fn write(id: &ResourceId) -> String {
    let mesh = escape(&id.mesh);
    match id.local {
        LocalId::Mesh => format!("mesh/{mesh}"),
        _ => format!("mesh/{mesh}/{}", write_local(&id.local)),
    }
}

pub(super) fn write_local(local: &LocalId) -> String {
    match local {
        LocalId::Mesh => "mesh".to_owned(),
        LocalId::VirtualNode(name) => format!("virtualNode/{}", escape(name)),
        LocalId::VirtualRouter(name) => format!("virtualRouter/{}", escape(name)),
        LocalId::VirtualService(name) => format!("virtualService/{}", escape(name)),
        LocalId::VirtualGateway(name) => format!("virtualGateway/{}", escape(name)),
        LocalId::Route { router, name } => {
            format!("virtualRouter/{}/route/{}", escape(router), escape(name))
        }
        LocalId::GatewayRoute { gateway, name } => format!(
            "virtualGateway/{}/gatewayRoute/{}",
            escape(gateway),
            escape(name)
        ),
    }
}

pub(super) fn read(text: &str) -> Option<ResourceId> {
    let segments: Vec<&str> = text.split('/').collect();
    let name = |segment: &str| unescape(segment).filter(|name| !name.is_empty());
    let (mesh, local) = match segments.as_slice() {
        ["mesh", mesh] => (mesh, LocalId::Mesh),
        ["mesh", mesh, "virtualNode", node] => (mesh, LocalId::VirtualNode(name(node)?)),
        ["mesh", mesh, "virtualRouter", router] => (mesh, LocalId::VirtualRouter(name(router)?)),
        ["mesh", mesh, "virtualService", service] => {
            (mesh, LocalId::VirtualService(name(service)?))
        }
        ["mesh", mesh, "virtualGateway", gateway] => {
            (mesh, LocalId::VirtualGateway(name(gateway)?))
        }
        ["mesh", mesh, "virtualRouter", router, "route", route] => {
            let (router, name) = (name(router)?, name(route)?);
            (mesh, LocalId::Route { router, name })
        }
        [
            "mesh",
            mesh,
            "virtualGateway",
            gateway,
            "gatewayRoute",
            route,
        ] => {
            let (gateway, name) = (name(gateway)?, name(route)?);
            (mesh, LocalId::GatewayRoute { gateway, name })
        }
        _ => return None,
    };
    Some(ResourceId::new(name(mesh)?, local))
}

fn escape(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

fn unescape(segment: &str) -> Option<String> {
    let mut parts = segment.split('%');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(2)?;
        name.push(match escaped {
            "25" => '%',
            "2F" => '/',
            _ => return None,
        });
        name.push_str(rest);
    }
    Some(name)
}
