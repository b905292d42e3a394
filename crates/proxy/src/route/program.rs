//! A view made ready to run: the same listeners, services and clusters, with matchers compiled and
//! splits summed. Immutable, shared by all workers, replaced whole.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use view::{
    Cluster, HostMatch, ListenerTls, NodeView, PathRewrite, PoolLimits, Protocol, RetryPolicy,
    Rewrite, Timeouts, Unmatched,
};

use super::hosts::Hosts;
use super::index::Index;
use super::matcher::{Asked, Matcher, host_matches};
use super::{path, unsupported};
use crate::access_log::Format;
use crate::error::{ApplyError, Refusal};
use crate::http1::request::Authority;
use crate::split::Split;

/// A service's routes ask for no host: their service was named by it.
const NO_HOST: &str = "";

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) node: String,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) services: Vec<Service>,
    pub(crate) clusters: Vec<Cluster>,
    /// What of the view cannot be carried.
    pub(crate) refusals: Vec<Refusal>,
}

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) bind: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) expects_proxy_header: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: PoolLimits,
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) entry: Entry,
    pub(crate) access_log: Option<AccessLog>,
}

#[derive(Debug)]
pub(crate) struct AccessLog {
    pub(crate) path: String,
    pub(crate) format: Arc<Format>,
}

#[derive(Debug)]
pub(crate) enum Entry {
    Ingress {
        cluster: usize,
    },
    Egress {
        hosts: Hosts,
        unmatched: Unmatched,
    },
    Service {
        service: usize,
    },
    Gateway {
        routes: Vec<GatewayRoute>,
        index: Index,
    },
}

#[derive(Debug)]
pub(crate) struct GatewayRoute {
    hostname: Option<HostMatch>,
    matcher: Matcher,
    rewrite: Rewrite,
    service: usize,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) routes: Vec<Route>,
    index: Index,
}

#[derive(Debug)]
pub(crate) struct Route {
    matcher: Matcher,
    pub(crate) name: String,
    pub(crate) split: Split,
    /// Only of a split with two targets.
    pub(crate) mirror: Option<view::Mirror>,
    pub(crate) fault: Option<view::Fault>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeouts: Timeouts,
}

/// Where a request goes.
#[derive(Debug, PartialEq)]
pub(crate) enum Destination<'a> {
    /// To the local application.
    Local { cluster: usize },
    /// Into a service's split, perhaps with another authority and path.
    Route {
        service: usize,
        route: usize,
        host: Option<&'a str>,
        path_and_query: Cow<'a, str>,
    },
    /// Where the authority points, outside the mesh.
    Outside,
}

/// Where a TCP connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpDestination {
    Local { cluster: usize },
    Route { service: usize, route: usize },
}

/// Why a request goes nowhere; all of them are answered 404, as Envoy answers a missing route.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum NoRoute {
    #[error("no virtual service is called {0:?}, and the mesh lets nothing else out (DROP_ALL)")]
    Service(String),
    #[error("no virtual service is called {0:?}, and CONNECT goes to nothing else")]
    Connect(String),
    #[error("no route of virtual service {0:?} matches")]
    Route(String),
    #[error("no gateway route matches")]
    GatewayRoute,
}

impl GatewayRoute {
    fn matches(&self, host: &str, asked: &Asked<'_>) -> bool {
        let wanted = self.hostname.as_ref();
        wanted.is_none_or(|wanted| host_matches(wanted, host)) && self.matcher.matches(asked)
    }
}

impl Program {
    pub(crate) fn compile(view: &NodeView) -> Result<Self, ApplyError> {
        let compile = |route: &str, matches| {
            Matcher::compile(matches).map_err(|source| ApplyError::Regex {
                node: view.node.clone(),
                route: route.to_owned(),
                source: Box::new(source),
            })
        };
        let mut refusals = Vec::new();
        let mut clusters = Vec::with_capacity(view.clusters.len());
        for cluster in &view.clusters {
            clusters.push(match unsupported::of_cluster(cluster) {
                None => Cluster {
                    tls: unsupported::client_tls(cluster),
                    ..cluster.clone()
                },
                Some(reason) => {
                    refusals.push(Refusal::new(view, &cluster.name, reason));
                    unsupported::without_endpoints(cluster)
                }
            });
        }

        let mut listeners: Vec<Listener> = Vec::new();
        for listener in &view.listeners {
            if let Some(reason) = unsupported::of_listener(listener) {
                refusals.push(Refusal::new(view, &listener.name, reason));
                continue;
            }
            if listeners.iter().any(|other| {
                other.name == listener.name
                    || (other.bind == listener.bind && listener.bind.port() != 0)
            }) {
                return Err(ApplyError::ListenerRepeated {
                    node: view.node.clone(),
                    listener: listener.name.clone(),
                });
            }
            let entry = match &listener.entry {
                view::Entry::Ingress { cluster } => Entry::Ingress { cluster: *cluster },
                view::Entry::Service { service } => Entry::Service { service: *service },
                view::Entry::Egress { hosts, unmatched } => Entry::Egress {
                    hosts: Hosts::new(hosts),
                    unmatched: *unmatched,
                },
                view::Entry::Gateway { routes } => Entry::Gateway {
                    index: Index::of_hosts(
                        routes
                            .iter()
                            .map(|route| (route.hostname.as_ref(), &route.matches.path)),
                    ),
                    routes: routes
                        .iter()
                        .map(|route| {
                            Ok(GatewayRoute {
                                hostname: route.hostname.clone(),
                                matcher: compile(&route.name, &route.matches)?,
                                rewrite: route.rewrite.clone(),
                                service: route.service,
                            })
                        })
                        .collect::<Result<_, _>>()?,
                },
            };
            listeners.push(Listener {
                name: listener.name.clone(),
                bind: listener.bind,
                protocol: listener.protocol,
                expects_proxy_header: listener.expects_proxy_header,
                timeouts: listener.timeouts.clone(),
                limits: listener.limits.clone(),
                tls: unsupported::listener_tls(listener),
                entry,
                access_log: access_log(view, listener, &mut refusals),
            });
        }

        // Where no listener is left, the last refusal is a listener's.
        if listeners.is_empty()
            && !view.listeners.is_empty()
            && let Some(refusal) = refusals.pop()
        {
            return Err(ApplyError::Unsupported {
                node: refusal.node,
                listener: refusal.resource,
                reason: refusal.reason,
            });
        }

        let services = view
            .services
            .iter()
            .map(|service| {
                let routes = service
                    .routes
                    .iter()
                    .map(|route| {
                        Ok(Route {
                            matcher: compile(&route.name, &route.matches)?,
                            name: route.name.clone(),
                            split: Split::new(&route.split, &route.traffic),
                            mirror: mirror(route),
                            fault: route.traffic.fault.clone(),
                            retry: route.retry.clone(),
                            timeouts: route.timeouts.clone(),
                        })
                    })
                    .collect::<Result<_, _>>()?;
                Ok(Service {
                    name: service.name.clone(),
                    index: Index::of_paths(service.routes.iter().map(|route| &route.matches.path)),
                    routes,
                })
            })
            .collect::<Result<_, _>>()?;

        let program = Self {
            node: view.node.clone(),
            listeners,
            services,
            clusters,
            refusals,
        };
        program.check_indices()?;
        Ok(program)
    }

    /// A view from elsewhere may be broken; found here, not by the request that trips over it.
    fn check_indices(&self) -> Result<(), ApplyError> {
        let services = self
            .listeners
            .iter()
            .flat_map(|listener| match &listener.entry {
                Entry::Ingress { .. } => Vec::new(),
                Entry::Egress { hosts, .. } => hosts.services().collect(),
                Entry::Service { service } => vec![*service],
                Entry::Gateway { routes, .. } => routes.iter().map(|route| route.service).collect(),
            });
        let local = self
            .listeners
            .iter()
            .filter_map(|listener| match listener.entry {
                Entry::Ingress { cluster } => Some(cluster),
                _ => None,
            });
        let routes = || self.services.iter().flat_map(|service| &service.routes);
        let targets = routes().flat_map(|route| route.split.targets().map(|target| target.cluster));
        if routes().all(|route| route.split.is_whole())
            && services
                .into_iter()
                .all(|service| service < self.services.len())
            && local
                .chain(targets)
                .all(|cluster| cluster < self.clusters.len())
        {
            Ok(())
        } else {
            Err(ApplyError::Broken {
                node: self.node.clone(),
            })
        }
    }

    /// Whether a split that `other` has as well draws its targets by other weights there.
    pub(crate) fn weighs_differently(&self, other: &Self) -> bool {
        let known: HashMap<&str, &Split> =
            other.splits().map(|split| (&*split.id, split)).collect();
        self.splits().any(|split| {
            known
                .get(&*split.id)
                .is_some_and(|other| !other.weighs_like(split))
        })
    }

    fn splits(&self) -> impl Iterator<Item = &Split> {
        let routes = self.services.iter().flat_map(|service| &service.routes);
        routes.map(|route| &route.split)
    }

    /// Why nothing is sent to this cluster, if so.
    pub(crate) fn refusal(&self, cluster: usize) -> Option<&Refusal> {
        let name = &self.clusters[cluster].name;
        self.refusals
            .iter()
            .find(|refusal| refusal.resource == *name)
    }

    pub(crate) fn route<'a>(
        &'a self,
        listener: usize,
        authority: Authority<'a>,
        path_and_query: &'a str,
        asked: Asked<'a>,
    ) -> Result<Destination<'a>, NoRoute> {
        match &self.listeners[listener].entry {
            Entry::Ingress { cluster } => Ok(Destination::Local { cluster: *cluster }),
            Entry::Service { service } => Ok(Destination::Route {
                service: *service,
                route: self.service_route(*service, &asked)?,
                host: None,
                path_and_query: Cow::Borrowed(path_and_query),
            }),
            Entry::Egress { hosts, unmatched } => match hosts.find(authority) {
                Some(host) => {
                    let route = self.service_route(host.service, &asked)?;
                    Ok(Destination::Route {
                        service: host.service,
                        route,
                        host: None,
                        path_and_query: Cow::Borrowed(path_and_query),
                    })
                }
                None if *unmatched == Unmatched::Forward || is_amazon(authority.host) => {
                    // Whoever may connect here could reach anything that this machine can.
                    if asked.method == "CONNECT" {
                        return Err(NoRoute::Connect(authority.text.to_owned()));
                    }
                    Ok(Destination::Outside)
                }
                None => Err(NoRoute::Service(authority.text.to_owned())),
            },
            Entry::Gateway { routes, index } => {
                let matched = index
                    .first(authority.host, asked.path, |route| {
                        routes[route].matches(authority.host, &asked)
                    })
                    .ok_or(NoRoute::GatewayRoute)?;
                let matched = &routes[matched];
                let path_and_query = rewritten(&matched.rewrite.path, asked.path, path_and_query);
                let host = matched.rewrite.host.as_deref();
                let asked = Asked {
                    authority: host.unwrap_or(asked.authority),
                    path: path::without_query(&path_and_query),
                    ..asked
                };
                let route = self.service_route(matched.service, &asked)?;
                Ok(Destination::Route {
                    service: matched.service,
                    route,
                    host,
                    path_and_query,
                })
            }
        }
    }

    /// Where a connection goes that says nothing of itself: a service's routes over TCP have no
    /// conditions, so the first is the one.
    pub(crate) fn tcp_destination(&self, listener: usize) -> Option<TcpDestination> {
        match self.listeners[listener].entry {
            Entry::Ingress { cluster } => Some(TcpDestination::Local { cluster }),
            Entry::Service { service } => (!self.services[service].routes.is_empty())
                .then_some(TcpDestination::Route { service, route: 0 }),
            Entry::Egress { .. } | Entry::Gateway { .. } => None,
        }
    }

    fn service_route(&self, service: usize, asked: &Asked<'_>) -> Result<usize, NoRoute> {
        let service = &self.services[service];
        let matches = |route: usize| service.routes[route].matcher.matches(asked);
        service
            .index
            .first(NO_HOST, asked.path, matches)
            .ok_or_else(|| NoRoute::Route(service.name.clone()))
    }
}

/// App Mesh always let AWS's own interfaces through.
fn is_amazon(host: &str) -> bool {
    host_matches(&HostMatch::Suffix(".amazonaws.com".into()), host)
}

fn rewritten<'a>(rewrite: &PathRewrite, path: &str, path_and_query: &'a str) -> Cow<'a, str> {
    let query = &path_and_query[path.len()..];
    match rewrite {
        PathRewrite::Keep => Cow::Borrowed(path_and_query),
        PathRewrite::Exact(to) => Cow::Owned(format!("{to}{query}")),
        PathRewrite::Prefix { from, to } => match path.strip_prefix(from.as_str()) {
            Some(rest) if to.ends_with('/') => Cow::Owned(format!(
                "{to}{}{query}",
                rest.strip_prefix('/').unwrap_or(rest)
            )),
            Some(rest) => Cow::Owned(format!("{to}{rest}{query}")),
            None => Cow::Borrowed(path_and_query),
        },
    }
}

/// A log that cannot be written as it should be is none; requests are carried all the same.
fn access_log(
    view: &NodeView,
    listener: &view::Listener,
    refusals: &mut Vec<Refusal>,
) -> Option<AccessLog> {
    let log = listener.access_log.as_ref()?;
    match Format::compile(&log.format) {
        Ok(format) => Some(AccessLog {
            path: log.path.clone(),
            format: Arc::new(format),
        }),
        Err(error) => {
            let reason = format!("its access log is not written: {error}");
            refusals.push(Refusal::new(view, &listener.name, reason));
            None
        }
    }
}

fn mirror(route: &view::Route) -> Option<view::Mirror> {
    let has_two = route.split.targets.len() == 2;
    route.traffic.mirror.clone().filter(|_| has_two)
}

#[cfg(test)]
mod tests;
