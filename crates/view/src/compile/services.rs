//! Virtual services: whose routes answer for a name, in match order, each with its split.

use std::time::Duration;

use model::spec::{
    self, ClientPolicy, RouteSpec, Spec, VirtualNodeSpec, VirtualRouterSpec, VirtualServiceProvider,
};
use model::{Resource, ResourceId, Snapshot};

use super::clusters::{self, Clusters};
use super::matching::{self, Order};
use super::{policies, port};
use crate::{Protocol, Route, Service, ServiceHost, Split, Target, Timeouts, Traffic};

/// The services of one view, each (name, port) once.
pub(super) struct Services<'s> {
    snapshot: &'s Snapshot,
    mesh: &'s str,
    known: Vec<(String, Option<u16>)>,
    services: Vec<Service>,
}

impl<'s> Services<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, mesh: &'s str) -> Self {
        Self {
            snapshot,
            mesh,
            known: Vec::new(),
            services: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<Service> {
        self.services
    }

    /// A virtual service under every port on which its callers can name it. A service on one port answers
    /// whatever port they name: without redirected sockets, the port of an authority is only a claim.
    pub(super) fn add_hosts(
        &mut self,
        clusters: &mut Clusters<'s>,
        name: &str,
        policy: Option<&ClientPolicy>,
    ) -> Vec<ServiceHost> {
        let offers = self.offers(name);
        let named = offers.iter().filter(|(_, protocol)| !is_tcp(*protocol));
        let named: Vec<u16> = named.map(|(port, _)| *port).collect();
        // By the port that callers name, and the service's own.
        let choices: Vec<(Option<u16>, Option<u16>)> = match named.as_slice() {
            [] if offers.is_empty() => vec![(None, None)],
            [only] => vec![(None, Some(*only))],
            several => several
                .iter()
                .map(|&port| (Some(port), Some(port)))
                .collect(),
        };
        choices
            .into_iter()
            .filter_map(|(named, port)| {
                Some(ServiceHost {
                    host: name.to_ascii_lowercase(),
                    port: named,
                    service: self.add(clusters, name, port, policy)?,
                })
            })
            .collect()
    }

    /// A virtual service under every port on which it is offered over TCP.
    pub(super) fn add_tcp(
        &mut self,
        clusters: &mut Clusters<'s>,
        name: &str,
        policy: Option<&ClientPolicy>,
    ) -> Vec<(u16, usize)> {
        let offers = self.offers(name).into_iter();
        offers
            .filter(|(_, protocol)| is_tcp(*protocol))
            .filter_map(|(port, _)| Some((port, self.add(clusters, name, Some(port), policy)?)))
            .collect()
    }

    /// A virtual service on one of its ports, the only one unless named; `None` if there is no such service.
    pub(super) fn add(
        &mut self,
        clusters: &mut Clusters<'s>,
        name: &str,
        port: Option<u16>,
        policy: Option<&ClientPolicy>,
    ) -> Option<usize> {
        let id = ResourceId::virtual_service(self.mesh, name);
        let spec = self.snapshot.virtual_service(self.mesh, name)?;
        let offers = self.offers(name);
        let port = port.or_else(|| offers.first().map(|(port, _)| *port));
        let protocol = offers.iter().find(|(offered, _)| Some(*offered) == port);
        let over_tcp = protocol.is_some_and(|(_, protocol)| is_tcp(*protocol));
        let key = (name.to_owned(), port);
        if let Some(index) = self.known.iter().position(|known| *known == key) {
            return Some(index);
        }
        let routes = match &spec.provider {
            None => Vec::new(),
            Some(VirtualServiceProvider::VirtualRouter(router)) => self.router_routes(
                clusters,
                &router.virtual_router_name,
                port,
                over_tcp,
                policy,
            ),
            Some(VirtualServiceProvider::VirtualNode(node)) => {
                node_route(clusters, &id, &node.virtual_node_name, port, policy)
            }
        };
        self.known.push(key);
        self.services.push(Service {
            name: name.to_owned(),
            routes,
        });
        Some(self.services.len() - 1)
    }

    /// The ports and protocols a virtual service is offered on: its provider's listeners'.
    fn offers(&self, name: &str) -> Vec<(u16, spec::Protocol)> {
        let provider = self
            .snapshot
            .virtual_service(self.mesh, name)
            .and_then(|service| service.provider.as_ref());
        let mappings = match provider {
            Some(VirtualServiceProvider::VirtualRouter(router)) => self
                .snapshot
                .virtual_router(self.mesh, &router.virtual_router_name)
                .map(VirtualRouterSpec::port_mappings),
            Some(VirtualServiceProvider::VirtualNode(node)) => self
                .snapshot
                .virtual_node(self.mesh, &node.virtual_node_name)
                .map(VirtualNodeSpec::port_mappings),
            None => None,
        };
        let mappings = mappings.unwrap_or_default().into_iter();
        mappings
            .map(|mapping| (port(mapping.port), mapping.protocol))
            .collect()
    }

    fn router_routes(
        &self,
        clusters: &mut Clusters<'s>,
        router: &str,
        listener_port: Option<u16>,
        over_tcp: bool,
        policy: Option<&ClientPolicy>,
    ) -> Vec<Route> {
        let mut routes: Vec<(Order, Route)> = self
            .snapshot
            .routes(self.mesh, router)
            .filter_map(|resource| {
                let Spec::Route(spec) = &resource.spec else {
                    return None;
                };
                let other_port = spec
                    .match_port()
                    .is_some_and(|port| listener_port != Some(super::port(port)));
                if other_port || spec.protocol().is_some_and(is_tcp) != over_tcp {
                    return None;
                }
                let route = route(clusters, resource, spec, policy);
                Some((
                    Order::of(spec.priority, &route.matches, resource.id.name()),
                    route,
                ))
            })
            .collect();
        routes.sort_by(|(one, _), (other, _)| one.cmp(other));
        routes.into_iter().map(|(_, route)| route).collect()
    }
}

fn is_tcp(protocol: spec::Protocol) -> bool {
    clusters::protocol(protocol) == Protocol::Tcp
}

fn route(
    clusters: &mut Clusters<'_>,
    resource: &Resource,
    spec: &RouteSpec,
    policy: Option<&ClientPolicy>,
) -> Route {
    let targets = spec
        .targets()
        .iter()
        .filter_map(|target| {
            Some(Target {
                arm: target.virtual_node.clone(),
                cluster: clusters.add(&target.virtual_node, target.port.map(port), policy)?,
                weight: weight(resource, &target.virtual_node, target.weight),
            })
        })
        .collect();
    Route {
        name: resource.id.path(),
        matches: matching::route(spec),
        split: Split {
            id: resource.id.path(),
            targets,
        },
        traffic: Traffic::default(),
        retry: policies::retry(spec),
        timeouts: policies::route_timeouts(spec),
    }
}

/// A release's exact share where there is one, else the integer of the route's spec.
fn weight(resource: &Resource, virtual_node: &str, weight: i32) -> u32 {
    match resource
        .shares
        .as_ref()
        .and_then(|shares| shares.get(virtual_node))
    {
        Some(share) => share.basis_points().into(),
        None => u32::try_from(weight).unwrap_or_default(),
    }
}

/// A virtual node that answers for a service by itself: one route for everything, with the defaults.
fn node_route(
    clusters: &mut Clusters<'_>,
    service: &ResourceId,
    node: &str,
    port: Option<u16>,
    policy: Option<&ClientPolicy>,
) -> Vec<Route> {
    let Some(cluster) = clusters.add(node, port, policy) else {
        return Vec::new();
    };
    let tcp = clusters.protocol(cluster) == Protocol::Tcp;
    vec![Route {
        name: service.path(),
        matches: matching::everything(),
        split: Split {
            id: service.path(),
            targets: vec![Target {
                arm: node.to_owned(),
                cluster,
                weight: 1,
            }],
        },
        traffic: Traffic::default(),
        retry: (!tcp).then(policies::default_retry),
        timeouts: if tcp {
            Timeouts {
                per_request: None,
                idle: Some(Duration::from_secs(3600)),
            }
        } else {
            policies::default_timeouts()
        },
    }]
}
