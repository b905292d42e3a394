//! What of the data plane is not as its view would have it, as the server hears it.

use link::{CertificateState, Condition, EndpointState, RefusedPart};
use proxy::{DataPlane, HealthStatus};

pub(crate) async fn of(plane: &DataPlane) -> Condition {
    let refusals = plane.refusals().await.into_iter();
    let certificates = plane.certificates().await.into_iter();
    let endpoints = plane.endpoint_health().await.into_iter();
    Condition {
        refusals: refusals
            .map(|refusal| RefusedPart {
                resource: refusal.resource,
                reason: refusal.reason,
            })
            .collect(),
        endpoints: endpoints
            .map(|endpoint| EndpointState {
                cluster: endpoint.cluster,
                virtual_node: endpoint.virtual_node,
                address: endpoint.address,
                healthy: endpoint.status != HealthStatus::Unhealthy,
                ejected: endpoint.is_ejected,
                reason: endpoint.reason,
            })
            .filter(|endpoint| endpoint.ejected || !endpoint.healthy)
            .collect(),
        certificates: certificates
            .map(|certificate| CertificateState {
                not_after: certificate.first_end(),
                resource: certificate.resource,
                source: certificate.source,
                error: certificate.error,
            })
            .collect(),
    }
}
