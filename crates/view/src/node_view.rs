//! The view itself: listeners lead to services, services to routes, routes to a split over clusters.
//!
//! Lists that are tried in order (`routes`, `Entry::Gateway`) are already in match order: the first
//! entry that matches wins. Indices (`service`, `cluster`) point into the same view and are always in
//! range in a view that `compile` made.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Traffic;

/// One immutable picture of a node; a proxy swaps it whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// `mesh/M/virtualNode/N` or `mesh/M/virtualGateway/G`, as App Mesh's Envoy bootstrap names it.
    pub node: String,
    /// The store revision the view was compiled from.
    pub revision: u64,
    pub listeners: Vec<Listener>,
    pub services: Vec<Service>,
    pub clusters: Vec<Cluster>,
}

/// A socket the proxy listens on, and where its requests go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// App Mesh's name for it: `lds_ingress_0.0.0.0_15000`, `lds_egress_0.0.0.0_15001`.
    pub name: String,
    pub bind: SocketAddr,
    pub protocol: Protocol,
    pub entry: Entry,
    /// Limits on this listener's requests, where the node's listener sets its own.
    pub timeouts: Timeouts,
    pub limits: PoolLimits,
    /// Every connection must begin with a PROXY protocol header, which says who really connected.
    #[serde(default)]
    pub expects_proxy_header: bool,
    pub tls: Option<ListenerTls>,
    pub access_log: Option<AccessLog>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Http,
    Http2,
    Grpc,
    Tcp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// Traffic that arrives for this node: one local application.
    Ingress { cluster: usize },
    /// Traffic that leaves this node: virtual services by authority.
    Egress {
        hosts: Vec<ServiceHost>,
        unmatched: Unmatched,
    },
    /// Traffic that leaves this node for one virtual service: TCP names nobody, so each of its virtual
    /// services has a listener of its own.
    Service { service: usize },
    /// Traffic that enters the mesh from outside, through gateway routes in match order.
    Gateway { routes: Vec<GatewayRoute> },
}

/// A virtual service by the name its callers use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceHost {
    /// Lower case, without a port.
    pub host: String,
    /// The port callers name; `None` matches any (a service whose provider has one listener).
    pub port: Option<u16>,
    pub service: usize,
}

/// What an egress listener does with an authority that is no backend (the mesh's egress filter).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unmatched {
    /// `DROP_ALL`: nothing but backends and, always, `*.amazonaws.com`.
    Refuse,
    /// `ALLOW_ALL`: forward to where the authority points.
    Forward,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayRoute {
    pub name: String,
    pub hostname: Option<HostMatch>,
    pub matches: RequestMatch,
    pub rewrite: Rewrite,
    pub service: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HostMatch {
    Exact(String),
    Suffix(String),
}

/// What a gateway route changes before the service's own routes are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The new authority; `None` leaves the caller's.
    pub host: Option<String>,
    pub path: PathRewrite,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathRewrite {
    Keep,
    /// The matched prefix becomes `to`.
    Prefix {
        from: String,
        to: String,
    },
    /// The whole path becomes this; the query stays.
    Exact(String),
}

/// A virtual service's routing table; without routes every request is answered 404.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The virtual service's name.
    pub name: String,
    pub routes: Vec<Route>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    pub name: String,
    pub matches: RequestMatch,
    pub split: Split,
    #[serde(default)]
    pub traffic: Traffic,
    pub retry: Option<RetryPolicy>,
    pub timeouts: Timeouts,
}

/// Every condition must hold. Ports are matched when the view is compiled: each (service, port) has its
/// own routes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestMatch {
    pub path: PathMatch,
    pub method: Option<String>,
    pub scheme: Option<String>,
    pub headers: Vec<HeaderMatch>,
    pub query: Vec<QueryMatch>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    /// A plain string prefix: `/a` matches `/ab`.
    Prefix(String),
    Exact(String),
    /// Must match the whole path (RE2 syntax).
    Regex(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderMatch {
    pub name: String,
    pub invert: bool,
    pub value: ValueMatch,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueMatch {
    Present,
    Exact(String),
    Prefix(String),
    Suffix(String),
    /// Must match the whole value (RE2 syntax).
    Regex(String),
    /// A decimal integer in `start..end`.
    Range {
        start: i64,
        end: i64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryMatch {
    pub name: String,
    /// `None`: present, whatever its value.
    pub exact: Option<String>,
}

/// Where a route's traffic goes: one target drawn at random, by weight, for every request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// What observations call it: the route's (or the virtual service's) path in the mesh.
    pub id: String,
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The arm: the virtual node's name.
    pub arm: String,
    pub cluster: usize,
    /// Relative to the sum over the split's targets.
    pub weight: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Tries after the first.
    pub max_retries: u32,
    pub per_try_timeout: Option<Duration>,
    pub on: RetryOn,
    /// The first pause; it doubles up to `backoff_max`, with full jitter.
    pub backoff_base: Duration,
    pub backoff_max: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOn {
    pub connect_failure: bool,
    pub reset: bool,
    pub refused_stream: bool,
    pub status_codes: Vec<u16>,
    /// gRPC status codes by number.
    pub grpc_status: Vec<u8>,
}

/// `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    pub per_request: Option<Duration>,
    pub idle: Option<Duration>,
}

/// `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolLimits {
    pub max_connections: Option<u32>,
    pub max_pending_requests: Option<u32>,
    pub max_requests: Option<u32>,
}

/// The endpoints of one listener of one virtual node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// App Mesh's name for it: `cds_egress_<mesh>_<node>_<protocol>_<port>`.
    pub name: String,
    pub virtual_node: String,
    pub protocol: Protocol,
    pub discovery: Discovery,
    pub connect_timeout: Duration,
    pub health_check: Option<HealthCheck>,
    pub outlier_detection: Option<OutlierDetection>,
    /// What every connection begins with, so that the endpoint learns who really connected.
    #[serde(default)]
    pub sends_proxy_header: Option<ProxyVersion>,
    pub tls: Option<ClientTls>,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyVersion {
    V1,
    V2,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Discovery {
    /// Known addresses: a local application, or a registry lookup already answered.
    Static { endpoints: Vec<Endpoint> },
    Dns {
        hostname: String,
        port: u16,
        response: DnsResponse,
        ip_preference: IpPreference,
    },
    /// Instances of a Cloud Map service that carry all of these attributes.
    CloudMap {
        namespace: String,
        service: String,
        attributes: BTreeMap<String, String>,
        port: u16,
        ip_preference: IpPreference,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The instance's id where a registry gave one, else its address.
    pub id: String,
    pub address: SocketAddr,
    /// Where it runs, as far as whoever knows its address knows that too.
    #[serde(default)]
    pub zone: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DnsResponse {
    /// One name is one endpoint; whatever address answers (`LOADBALANCER`).
    Logical,
    /// Every address is an endpoint (`ENDPOINTS`).
    Strict,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IpPreference {
    /// No preference was set: App Mesh binds and resolves IPv4 first.
    #[default]
    Unset,
    V4Only,
    V6Only,
    V4Preferred,
    V6Preferred,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub protocol: Protocol,
    /// For HTTP; ignored by TCP and gRPC checks.
    pub path: String,
    /// `None`: the endpoint's own port.
    pub port: Option<u16>,
    pub interval: Duration,
    pub timeout: Duration,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlierDetection {
    pub consecutive_server_errors: u32,
    pub interval: Duration,
    pub base_ejection: Duration,
    pub max_ejection_percent: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerTls {
    pub mode: TlsMode,
    pub certificate: Certificate,
    /// Client certificates are demanded where set.
    pub client_trust: Option<Trust>,
    pub client_subject_names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    Strict,
    Permissive,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTls {
    /// Plain text is refused where true; else TLS is tried.
    pub enforce: bool,
    /// Empty: every port.
    pub ports: Vec<u16>,
    pub certificate: Option<Certificate>,
    /// `None`: whatever certificate the server shows is believed.
    pub trust: Option<Trust>,
    /// One of these must be in the server's certificate; empty: any.
    pub subject_names: Vec<String>,
    /// The name that the handshake asks for.
    pub server_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Certificate {
    Acm { arn: String },
    File { chain: String, key: String },
    Sds { secret: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trust {
    Acm { authorities: Vec<String> },
    File { chain: String },
    Sds { secret: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLog {
    pub path: String,
    pub format: AccessLogFormat,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessLogFormat {
    /// Envoy's default text line.
    Default,
    Text(String),
    Json(Vec<(String, String)>),
}
