//! What of a view this proxy cannot carry yet, and why: refused one by one, so that the rest goes on.

use view::{
    Certificate, ClientTls, Cluster, Discovery, Entry, Listener, ListenerTls, Protocol, TlsMode,
    Trust,
};

const ELSEWHERE: &str =
    "is in AWS Certificate Manager, which this proxy cannot reach: map its ARN to files";

/// Why requests cannot be sent there.
pub(super) fn of_cluster(cluster: &Cluster) -> Option<String> {
    let enforced = cluster.tls.as_ref().filter(|tls| tls.enforce);
    enforced.and_then(of_client)
}

/// Why nothing can be let in there.
pub(super) fn of_listener(listener: &Listener) -> Option<String> {
    if let (Protocol::Tcp, Entry::Egress { .. } | Entry::Gateway { .. }) =
        (listener.protocol, &listener.entry)
    {
        return Some("a TCP connection names no service to route it to".to_owned());
    }
    let strict = listener
        .tls
        .as_ref()
        .filter(|tls| tls.mode == TlsMode::Strict)?;
    of_certificate(&strict.certificate)
}

/// Where plain text is as good, it has to do for TLS that cannot be had.
pub(super) fn listener_tls(listener: &Listener) -> Option<ListenerTls> {
    let tls = listener.tls.as_ref()?;
    of_certificate(&tls.certificate)
        .is_none()
        .then(|| tls.clone())
}

/// Where plain text is as good, it has to do for TLS that cannot be had.
pub(super) fn client_tls(cluster: &Cluster) -> Option<ClientTls> {
    let tls = cluster.tls.as_ref()?;
    of_client(tls).is_none().then(|| tls.clone())
}

fn of_client(tls: &ClientTls) -> Option<String> {
    let of_own = || tls.certificate.as_ref().and_then(of_certificate);
    tls.trust.as_ref().and_then(of_trust).or_else(of_own)
}

fn of_certificate(certificate: &Certificate) -> Option<String> {
    match certificate {
        Certificate::Acm { arn } => Some(format!("certificate {arn} {ELSEWHERE}")),
        Certificate::File { .. } | Certificate::Sds { .. } => None,
    }
}

fn of_trust(trust: &Trust) -> Option<String> {
    match trust {
        Trust::Acm { authorities } => {
            Some(format!("authority {} {ELSEWHERE}", authorities.join(", ")))
        }
        Trust::File { .. } | Trust::Sds { .. } => None,
    }
}

/// The cluster as one that nobody is sent to and that costs nothing.
pub(super) fn without_endpoints(cluster: &Cluster) -> Cluster {
    Cluster {
        discovery: Discovery::Static { endpoints: vec![] },
        health_check: None,
        outlier_detection: None,
        ..cluster.clone()
    }
}
