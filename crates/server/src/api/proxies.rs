//! Proxies: the stream that each on its own holds, and the list of all of them.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Version};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::channel::Channel;
use link::{Code, EndpointState};
use proxy::{EndpointHealth, HealthStatus};

use super::render::time;
use super::types::{ProxyCertificate, ProxyEndpoint, ProxyRefusal, ProxyStatus, RefusedView};
use super::{Server, bearer, has_token};
use crate::access::check_is_no_page;
use crate::ambient;
use crate::configuration::Allowed;
use crate::proxies::Remote;
use crate::proxies::conversation::{Conversation, trailers};
use crate::workload::Workload;

/// Messages that wait for a proxy to read them.
const WAITING: usize = 8;

/// One proxy's stream. It ends in gRPC's way, whatever the reason.
pub(super) async fn follow(State(server): State<Arc<Server>>, request: Request) -> Response {
    let admitted = admit(&server, &request);
    let (to, body) = Channel::<Bytes>::new(WAITING);
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(link::CONTENT_TYPE));
    let allowed = match admitted {
        Ok(allowed) => allowed,
        Err((code, reason)) => {
            // The channel's other end is dropped: the answer is over with its head.
            headers.extend(trailers(code, &reason));
            return response;
        }
    };
    let conversation = Conversation {
        allowed,
        proxies: Arc::clone(&server.proxies),
        from: request.into_body(),
        to,
        stopping: server.stopping.clone(),
    };
    tokio::spawn(conversation.run());
    response
}

/// Lets in holders of a token; without any token or credentials, whoever calls from this machine.
fn admit(server: &Server, request: &Request) -> Result<Allowed, (Code, String)> {
    let is_ours = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|content| content == link::CONTENT_TYPE);
    if request.version() != Version::HTTP_2 || request.method() != Method::POST || !is_ours {
        let reason = format!(
            "this is a gRPC stream of {} over HTTP/2",
            link::CONTENT_TYPE
        );
        return Err((Code::Unimplemented, reason));
    }
    let headers = request.headers();
    if has_token(server, headers) {
        return Ok(Allowed::Any);
    }
    if let Some(allowed) = bearer(headers).and_then(|given| server.proxy_tokens.allow(given)) {
        return Ok(allowed);
    }
    if bearer(headers).is_some() && server.proxy_tokens.is_empty() {
        let reason = "the server knows no such token: it has no proxyToken, and the one of server.json is another";
        return Err((Code::Unauthenticated, reason.to_owned()));
    }
    if bearer(headers).is_some() || !server.proxy_tokens.is_empty() {
        let reason = "the token is missing or wrong: give the proxy SERIN_TOKEN or --token-file";
        return Err((Code::Unauthenticated, reason.to_owned()));
    }
    if !server.is_tolerant {
        let reason = "the server has credentials but no proxyToken: configure one for proxies";
        return Err((Code::Unauthenticated, reason.to_owned()));
    }
    check_is_no_page(request.uri(), headers)
        .map(|()| Allowed::Any)
        .map_err(|refused| (Code::PermissionDenied, refused.to_string()))
}

/// Every proxy that is connected or was not long ago, this server's own first.
#[utoipa::path(get, path = "/v1/proxies", responses((status = 200, body = Vec<ProxyStatus>)))]
pub(super) async fn list(State(server): State<Arc<Server>>) -> Json<Vec<ProxyStatus>> {
    Json(all(&server).await)
}

pub(super) async fn all(server: &Server) -> Vec<ProxyStatus> {
    let mut proxies = match &server.workload {
        Some(workload) => own(workload).await,
        None => Vec::new(),
    };
    proxies.extend(server.proxies.list().into_iter().map(remote));
    proxies
}

/// The nodes that this process carries traffic for.
async fn own(workload: &Workload) -> Vec<ProxyStatus> {
    let engine = &workload.engine;
    let refusals = engine.plane.refusals().await;
    let endpoints = engine.plane.endpoint_health().await;
    let certificates = engine.plane.certificates().await;
    let nodes = engine.feed.carrying().await;
    let status = |node: String| ProxyStatus {
        instance: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        connected: true,
        last_seen: time(ambient::now()),
        revision: Some(*engine.feed.carried().borrow()),
        refused: None,
        refusals: refusals
            .iter()
            .filter(|refusal| refusal.node == node)
            .map(|refusal| ProxyRefusal {
                resource: refusal.resource.clone(),
                reason: refusal.reason.clone(),
            })
            .collect(),
        endpoints: endpoints
            .iter()
            .filter(|endpoint| endpoint.node == node && is_amiss(endpoint))
            .map(of_own)
            .collect(),
        certificates: certificates
            .iter()
            .filter(|certificate| certificate.node == node)
            .map(|certificate| ProxyCertificate {
                resource: certificate.resource.clone(),
                source: certificate.source.clone(),
                not_after: certificate.first_end().map(moment),
                error: certificate.error.clone(),
            })
            .collect(),
        node,
    };
    nodes.into_iter().map(status).collect()
}

fn is_amiss(endpoint: &EndpointHealth) -> bool {
    endpoint.is_ejected || endpoint.status == HealthStatus::Unhealthy
}

fn of_own(endpoint: &EndpointHealth) -> ProxyEndpoint {
    ProxyEndpoint {
        cluster: endpoint.cluster.clone(),
        virtual_node: endpoint.virtual_node.clone(),
        address: endpoint.address.to_string(),
        healthy: endpoint.status != HealthStatus::Unhealthy,
        ejected: endpoint.is_ejected,
        reason: endpoint.reason.clone(),
    }
}

fn remote((instance, remote): (String, Remote)) -> ProxyStatus {
    let condition = remote.condition;
    ProxyStatus {
        node: remote.node.path(),
        instance: Some(instance),
        version: remote.version,
        connected: remote.connected,
        last_seen: time(remote.last_seen),
        revision: remote.carried,
        refused: remote
            .refused
            .map(|(revision, reason)| RefusedView { revision, reason }),
        refusals: condition
            .refusals
            .into_iter()
            .map(|refusal| ProxyRefusal {
                resource: refusal.resource,
                reason: refusal.reason,
            })
            .collect(),
        endpoints: condition.endpoints.into_iter().map(of_remote).collect(),
        certificates: condition
            .certificates
            .into_iter()
            .map(|certificate| ProxyCertificate {
                resource: certificate.resource,
                source: certificate.source,
                not_after: certificate.not_after.map(moment),
                error: certificate.error,
            })
            .collect(),
    }
}

/// Seconds since 1970, as people read them.
fn moment(seconds: u64) -> String {
    let millis = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    time(model::Timestamp::from_millis(millis))
}

fn of_remote(endpoint: EndpointState) -> ProxyEndpoint {
    ProxyEndpoint {
        cluster: endpoint.cluster,
        virtual_node: endpoint.virtual_node,
        address: endpoint.address.to_string(),
        healthy: endpoint.healthy,
        ejected: endpoint.ejected,
        reason: endpoint.reason,
    }
}
