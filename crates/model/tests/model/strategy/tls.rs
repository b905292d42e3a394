//! TLS of listeners and of clients.

use model::spec::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{free_text, port, text};

pub(super) fn of_listener() -> BoxedStrategy<ListenerTls> {
    let mode = select(vec![
        ListenerTlsMode::Strict,
        ListenerTlsMode::Permissive,
        ListenerTlsMode::Disabled,
    ]);
    let acm = free_text().prop_map(|certificate_arn| AcmCertificate { certificate_arn });
    let certificate = prop_oneof![
        acm.prop_map(ListenerTlsCertificate::Acm),
        file().prop_map(ListenerTlsCertificate::File),
        secret().prop_map(ListenerTlsCertificate::Sds),
    ];
    let trust = prop_oneof![
        file_trust().prop_map(ListenerTlsTrust::File),
        secret().prop_map(ListenerTlsTrust::Sds),
    ];
    let validation = (trust, of(names())).prop_map(|(trust, subject_alternative_names)| {
        ListenerTlsValidationContext {
            trust,
            subject_alternative_names,
        }
    });
    (mode, certificate, of(validation))
        .prop_map(|(mode, certificate, validation)| ListenerTls {
            mode,
            certificate,
            validation,
        })
        .boxed()
}

pub(super) fn client_policy() -> BoxedStrategy<ClientPolicy> {
    let certificate = prop_oneof![
        file().prop_map(ClientTlsCertificate::File),
        secret().prop_map(ClientTlsCertificate::Sds),
    ];
    let authorities = vec(free_text(), 1..=3).prop_map(|certificate_authority_arns| AcmTrust {
        certificate_authority_arns,
    });
    let trust = prop_oneof![
        authorities.prop_map(TlsTrust::Acm),
        file_trust().prop_map(TlsTrust::File),
        secret().prop_map(TlsTrust::Sds),
    ];
    let validation =
        (trust, of(names())).prop_map(|(trust, subject_alternative_names)| TlsValidationContext {
            trust,
            subject_alternative_names,
        });
    let tls = (
        validation,
        of(certificate),
        of(any::<bool>()),
        of(vec(port(), 0..3)),
    );
    let tls = tls.prop_map(
        |(validation, certificate, enforce, ports)| ClientPolicyTls {
            validation,
            certificate,
            enforce,
            ports,
        },
    );
    of(tls).prop_map(|tls| ClientPolicy { tls }).boxed()
}

fn file() -> impl Strategy<Value = FileCertificate> {
    (text(255), text(255)).prop_map(|(certificate_chain, private_key)| FileCertificate {
        certificate_chain,
        private_key,
    })
}

fn secret() -> impl Strategy<Value = SdsSecret> {
    free_text().prop_map(|secret_name| SdsSecret { secret_name })
}

fn file_trust() -> impl Strategy<Value = FileTrust> {
    text(255).prop_map(|certificate_chain| FileTrust { certificate_chain })
}

fn names() -> impl Strategy<Value = SubjectAlternativeNames> {
    vec(text(254), 0..3).prop_map(|exact| SubjectAlternativeNames {
        matchers: SubjectAlternativeNameMatchers { exact },
    })
}
