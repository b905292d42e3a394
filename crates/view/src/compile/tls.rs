//! TLS on both sides: what a listener shows, and what its callers ask for.

use model::spec::{
    self, ClientPolicy, ClientTlsCertificate, ListenerTlsCertificate, ListenerTlsMode,
    ListenerTlsTrust, ServiceDiscovery, SubjectAlternativeNames, TlsTrust, VirtualNodeSpec,
};

use super::port;
use crate::{Certificate, ClientTls, ListenerTls, TlsMode, Trust};

pub(super) fn listener(tls: &spec::ListenerTls) -> Option<ListenerTls> {
    let mode = match tls.mode {
        ListenerTlsMode::Strict => TlsMode::Strict,
        ListenerTlsMode::Permissive => TlsMode::Permissive,
        ListenerTlsMode::Disabled => return None,
    };
    let validation = tls.validation.as_ref();
    Some(ListenerTls {
        mode,
        certificate: match &tls.certificate {
            ListenerTlsCertificate::Acm(acm) => Certificate::Acm {
                arn: acm.certificate_arn.clone(),
            },
            ListenerTlsCertificate::File(file) => file_certificate(file),
            ListenerTlsCertificate::Sds(sds) => sds_certificate(sds),
        },
        client_trust: validation.map(|validation| match &validation.trust {
            ListenerTlsTrust::File(file) => Trust::File {
                chain: file.certificate_chain.clone(),
            },
            ListenerTlsTrust::Sds(sds) => Trust::Sds {
                secret: sds.secret_name.clone(),
            },
        }),
        client_subject_names: names(
            validation.and_then(|validation| validation.subject_alternative_names.as_ref()),
        ),
    })
}

/// How callers speak to `listener`: by their own policy where they have one for its port; else, if the
/// listener speaks TLS, they speak it too. A policy that is not enforced does not keep a caller from a
/// listener in plain text.
pub(super) fn client(
    target: &VirtualNodeSpec,
    listener: &spec::Listener,
    policy: Option<&ClientPolicy>,
    listener_port: u16,
) -> Option<ClientTls> {
    let policy = policy.and_then(|policy| policy.tls.as_ref()).filter(|tls| {
        let ports = tls.ports.as_deref().unwrap_or_default();
        ports.is_empty() || ports.iter().any(|&number| port(number) == listener_port)
    });
    match policy {
        Some(policy) if policy.enforce == Some(false) && !speaks_tls(listener) => None,
        Some(policy) => Some(by_policy(target, policy)),
        None => by_listener(target, listener),
    }
}

fn by_policy(target: &VirtualNodeSpec, policy: &spec::ClientPolicyTls) -> ClientTls {
    let given = names(policy.validation.subject_alternative_names.as_ref());
    ClientTls {
        enforce: policy.enforce != Some(false),
        ports: policy
            .ports
            .iter()
            .flatten()
            .map(|&number| port(number))
            .collect(),
        certificate: policy
            .certificate
            .as_ref()
            .map(|certificate| match certificate {
                ClientTlsCertificate::File(file) => file_certificate(file),
                ClientTlsCertificate::Sds(sds) => sds_certificate(sds),
            }),
        trust: Some(match &policy.validation.trust {
            TlsTrust::Acm(acm) => Trust::Acm {
                authorities: acm.certificate_authority_arns.clone(),
            },
            TlsTrust::File(file) => Trust::File {
                chain: file.certificate_chain.clone(),
            },
            TlsTrust::Sds(sds) => Trust::Sds {
                secret: sds.secret_name.clone(),
            },
        }),
        subject_names: if given.is_empty() {
            discovery_names(target)
        } else {
            given
        },
        server_name: discovery_names(target).pop(),
    }
}

/// Without a policy of the caller's, an ACM certificate is validated and one from a file is not (user guide).
fn by_listener(target: &VirtualNodeSpec, listener: &spec::Listener) -> Option<ClientTls> {
    let tls = listener.tls.as_ref().filter(|_| speaks_tls(listener))?;
    let acm = match &tls.certificate {
        ListenerTlsCertificate::Acm(acm) => Some(acm),
        _ => None,
    };
    Some(ClientTls {
        enforce: tls.mode == ListenerTlsMode::Strict,
        ports: Vec::new(),
        certificate: None,
        // Whoever signed the certificate.
        trust: acm.map(|acm| Trust::Acm {
            authorities: vec![acm.certificate_arn.clone()],
        }),
        subject_names: if acm.is_some() {
            discovery_names(target)
        } else {
            Vec::new()
        },
        server_name: discovery_names(target).pop(),
    })
}

/// What a virtual node is discovered by: the names that its certificate must bear for callers that say
/// nothing else.
pub fn discovery_names(target: &VirtualNodeSpec) -> Vec<String> {
    match &target.service_discovery {
        None => Vec::new(),
        Some(ServiceDiscovery::Dns(dns)) => vec![dns.hostname.clone()],
        Some(ServiceDiscovery::AwsCloudMap(map)) => {
            vec![format!("{}.{}", map.service_name, map.namespace_name)]
        }
    }
}

fn speaks_tls(listener: &spec::Listener) -> bool {
    let tls = listener.tls.as_ref();
    tls.is_some_and(|tls| tls.mode != ListenerTlsMode::Disabled)
}

fn names(names: Option<&SubjectAlternativeNames>) -> Vec<String> {
    names
        .map(|names| names.matchers.exact.clone())
        .unwrap_or_default()
}

fn file_certificate(file: &spec::FileCertificate) -> Certificate {
    Certificate::File {
        chain: file.certificate_chain.clone(),
        key: file.private_key.clone(),
    }
}

fn sds_certificate(sds: &spec::SdsSecret) -> Certificate {
    Certificate::Sds {
        secret: sds.secret_name.clone(),
    }
}

#[cfg(test)]
mod tests;
