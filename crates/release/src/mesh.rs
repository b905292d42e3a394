//! A manifest and its releases as ordinary App Mesh resources.
//!
//! A service is a virtual service at its host, a virtual router with one route, and a virtual node for
//! each version that runs. Names follow AWS's App Mesh workshop: `crystal-router`,
//! `crystal-traffic-route`, `crystal-sd-epoch`. Every function adds to a [`Draft`], so what it does is
//! checked by the same rules as any other caller's change.

use model::draft::Draft;
use model::share::{Shares, weights_for};
use model::spec::{
    AwsCloudMapInstanceAttribute, AwsCloudMapServiceDiscovery, Backend, EgressFilter,
    EgressFilterType, GatewayRouteSpec, GatewayRouteTarget, GatewayRouteVirtualService,
    HealthCheckPolicy, HttpGatewayRoute, HttpGatewayRouteAction, HttpGatewayRouteMatch, HttpRoute,
    HttpRouteMatch, Listener, MeshSpec, PortMapping, Protocol, RouteAction, RouteSpec,
    ServiceDiscovery, VirtualGatewayListener, VirtualGatewaySpec, VirtualNodeSpec,
    VirtualRouterListener, VirtualRouterProvider, VirtualRouterSpec, VirtualServiceBackend,
    VirtualServiceProvider, VirtualServiceSpec, WeightedTarget,
};
use model::{Error, ResourceId, Share, Snapshot};

use crate::Manifest;
use crate::manifest::Service;

/// The attribute that tells a task set's instances apart; ECS sets it in Cloud Map under this name.
pub const TASK_SET_ATTRIBUTE: &str = "ECS_TASK_SET_EXTERNAL_ID";

/// The two sides of a route that a release splits.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    pub stable: &'a str,
    pub canary: &'a str,
}

impl Manifest {
    pub fn virtual_node(&self, service: &str, tag: &str) -> ResourceId {
        ResourceId::virtual_node(self.mesh.as_str(), format!("{service}-sd-{tag}"))
    }

    pub fn route(&self, service: &str) -> ResourceId {
        ResourceId::route(
            self.mesh.as_str(),
            router_name(service),
            format!("{service}-traffic-route"),
        )
    }

    pub fn virtual_gateway(&self) -> ResourceId {
        ResourceId::virtual_gateway(self.mesh.as_str(), self.gateway.name.as_str())
    }

    /// The Cloud Map namespace in which a mesh's instances are registered.
    pub fn namespace(&self) -> String {
        format!("{}.pvt.local", self.mesh)
    }

    fn router(&self, service: &str) -> ResourceId {
        ResourceId::virtual_router(self.mesh.as_str(), router_name(service))
    }
}

/// What distinguishes a version's instances in the registry.
pub fn task_set_id(tag: &str) -> String {
    format!("{tag}-task-set")
}

fn router_name(service: &str) -> String {
    format!("{service}-router")
}

/// The mesh and its gateway, as the manifest has them.
pub fn ensure_mesh(draft: &mut Draft, manifest: &Manifest) -> Result<(), Error> {
    let mesh = MeshSpec {
        egress_filter: Some(EgressFilter {
            filter: EgressFilterType::DropAll,
        }),
        service_discovery: None,
    };
    draft.put(ResourceId::mesh(manifest.mesh.as_str()), mesh)?;
    let gateway = VirtualGatewaySpec {
        listeners: vec![VirtualGatewayListener {
            port_mapping: PortMapping {
                port: gateway_listener_port(manifest).into(),
                protocol: Protocol::Http,
            },
            health_check: None,
            connection_pool: None,
            tls: None,
        }],
        backend_defaults: None,
        logging: None,
    };
    draft.put(manifest.virtual_gateway(), gateway)
}

/// The port in the gateway's spec; a manifest that asks for any free one still needs a number there.
pub fn gateway_listener_port(manifest: &Manifest) -> u16 {
    match manifest.gateway.port {
        0 => 8080,
        port => port,
    }
}

/// A version's virtual node. No route leads to it before a share is set.
pub fn join(draft: &mut Draft, manifest: &Manifest, service: &str, tag: &str) -> Result<(), Error> {
    match manifest.services.get(service) {
        Some(settings) => {
            let spec = node_spec(manifest, service, settings, tag);
            draft.put(manifest.virtual_node(service, tag), spec)
        }
        None => Ok(()),
    }
}

/// The way to a service's first version: router, route, virtual service and gateway route.
pub fn open(
    draft: &mut Draft,
    manifest: &Manifest,
    service: &str,
    node: &str,
) -> Result<(), Error> {
    ensure_service(draft, manifest, service)?;
    send_all_to(draft, &manifest.route(service), node)
}

/// Gives the canary this share of the route.
pub fn set_share(
    draft: &mut Draft,
    route: &ResourceId,
    sides: Sides<'_>,
    share: Share,
) -> Result<(), Error> {
    let (stable, canary) = weights_for(share);
    let targets = vec![target(sides.stable, stable), target(sides.canary, canary)];
    let shares = Shares::split(sides.stable, sides.canary, share);
    let spec = with_targets(draft.snapshot(), route, targets);
    draft.put_with_shares(route.clone(), spec, Some(shares))
}

/// One virtual node has the route for itself.
pub fn send_all_to(draft: &mut Draft, route: &ResourceId, node: &str) -> Result<(), Error> {
    let spec = with_targets(draft.snapshot(), route, vec![target(node, 100)]);
    draft.put(route.clone(), spec)
}

fn target(node: &str, weight: u32) -> WeightedTarget {
    WeightedTarget {
        virtual_node: node.to_owned(),
        weight: i32::try_from(weight).unwrap_or(100),
        port: None,
    }
}

/// The route with other targets: all else that people set on it (retries, time-outs, matches) stays.
fn with_targets(
    snapshot: &Snapshot,
    route: &ResourceId,
    weighted_targets: Vec<WeightedTarget>,
) -> RouteSpec {
    let current = match &route.local {
        model::LocalId::Route { router, name } => snapshot.route(&route.mesh, router, name),
        _ => None,
    };
    let mut spec = current.cloned().unwrap_or_else(|| RouteSpec {
        priority: Some(10),
        http_route: Some(HttpRoute {
            action: RouteAction {
                weighted_targets: Vec::new(),
            },
            matches: HttpRouteMatch {
                prefix: Some("/".to_owned()),
                ..HttpRouteMatch::default()
            },
            retry_policy: None,
            timeout: None,
        }),
        ..RouteSpec::default()
    });
    if let Some(action) = spec.action_mut() {
        action.weighted_targets = weighted_targets;
    }
    spec
}

/// A service's router, its virtual service and the gateway's route to it.
pub fn ensure_service(draft: &mut Draft, manifest: &Manifest, name: &str) -> Result<(), Error> {
    let Some(service) = manifest.services.get(name) else {
        return Ok(());
    };
    let router = VirtualRouterSpec {
        listeners: Some(vec![VirtualRouterListener {
            port_mapping: http(service.port),
        }]),
    };
    draft.put(manifest.router(name), router)?;
    let mesh = manifest.mesh.as_str();
    let host = manifest.host(name);
    let virtual_service = VirtualServiceSpec {
        provider: Some(VirtualServiceProvider::VirtualRouter(
            VirtualRouterProvider {
                virtual_router_name: router_name(name),
            },
        )),
    };
    draft.put(ResourceId::virtual_service(mesh, &host), virtual_service)?;
    let gateway_route = GatewayRouteSpec {
        http_route: Some(HttpGatewayRoute {
            action: HttpGatewayRouteAction {
                target: GatewayRouteTarget {
                    virtual_service: GatewayRouteVirtualService {
                        virtual_service_name: host,
                    },
                    port: None,
                },
                rewrite: None,
            },
            matches: HttpGatewayRouteMatch {
                prefix: Some(manifest.path(name)),
                ..HttpGatewayRouteMatch::default()
            },
        }),
        ..GatewayRouteSpec::default()
    };
    let gateway = manifest.gateway.name.as_str();
    draft.put(
        ResourceId::gateway_route(mesh, gateway, format!("gateway-route-{name}")),
        gateway_route,
    )
}

fn node_spec(manifest: &Manifest, name: &str, service: &Service, tag: &str) -> VirtualNodeSpec {
    let backends: Vec<Backend> = service
        .backends
        .iter()
        .map(|backend| {
            Backend::VirtualService(VirtualServiceBackend {
                virtual_service_name: manifest.host(backend.as_str()),
                client_policy: None,
            })
        })
        .collect();
    VirtualNodeSpec {
        listeners: Some(vec![Listener {
            port_mapping: http(service.port),
            health_check: Some(health_check(service)),
            connection_pool: None,
            outlier_detection: None,
            timeout: None,
            tls: None,
        }]),
        service_discovery: Some(ServiceDiscovery::AwsCloudMap(AwsCloudMapServiceDiscovery {
            namespace_name: manifest.namespace(),
            service_name: name.to_owned(),
            attributes: Some(vec![AwsCloudMapInstanceAttribute {
                key: TASK_SET_ATTRIBUTE.to_owned(),
                value: task_set_id(tag),
            }]),
            ip_preference: None,
        })),
        backends: (!backends.is_empty()).then_some(backends),
        backend_defaults: None,
        logging: None,
    }
}

fn http(port: u16) -> PortMapping {
    PortMapping {
        port: port.into(),
        protocol: Protocol::Http,
    }
}

fn health_check(service: &Service) -> HealthCheckPolicy {
    let health = &service.health;
    let milliseconds =
        |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    HealthCheckPolicy {
        protocol: Protocol::Http,
        interval_millis: milliseconds(health.interval.0),
        timeout_millis: milliseconds(health.timeout.0),
        healthy_threshold: i32::try_from(health.healthy_threshold).unwrap_or(i32::MAX),
        unhealthy_threshold: i32::try_from(health.unhealthy_threshold).unwrap_or(i32::MAX),
        path: Some(health.path.to_string()),
        port: None,
    }
}
