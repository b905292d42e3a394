//! TLS on both sides: what a listener shows, and what a client of it demands.

use serde::{Deserialize, Serialize};

use super::listener::PORT;
use crate::check::{Check, Checker};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTls {
    pub mode: ListenerTlsMode,
    pub certificate: ListenerTlsCertificate,
    /// Whom the listener trusts; present means that clients must show a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<ListenerTlsValidationContext>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ListenerTlsMode {
    Strict,
    Permissive,
    Disabled,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerTlsCertificate {
    Acm(AcmCertificate),
    File(FileCertificate),
    Sds(SdsSecret),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcmCertificate {
    pub certificate_arn: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileCertificate {
    pub certificate_chain: String,
    pub private_key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SdsSecret {
    pub secret_name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerTlsValidationContext {
    pub trust: ListenerTlsTrust,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_alternative_names: Option<SubjectAlternativeNames>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerTlsTrust {
    File(FileTrust),
    Sds(SdsSecret),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileTrust {
    pub certificate_chain: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ClientPolicyTls>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientPolicyTls {
    pub validation: TlsValidationContext,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ClientTlsCertificate>,
    /// Whether plain text is refused; absent means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enforce: Option<bool>,
    /// The ports the policy is for; absent or empty means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<i32>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientTlsCertificate {
    File(FileCertificate),
    Sds(SdsSecret),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsValidationContext {
    pub trust: TlsTrust,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_alternative_names: Option<SubjectAlternativeNames>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsTrust {
    Acm(AcmTrust),
    File(FileTrust),
    Sds(SdsSecret),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcmTrust {
    pub certificate_authority_arns: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectAlternativeNames {
    #[serde(rename = "match")]
    pub matchers: SubjectAlternativeNameMatchers,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectAlternativeNameMatchers {
    pub exact: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendDefaults {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_policy: Option<ClientPolicy>,
}

impl Check for ListenerTls {
    fn check(&self, at: &mut Checker) {
        at.member("certificate", &self.certificate);
        at.member("validation", &self.validation);
    }
}

impl Check for ListenerTlsCertificate {
    fn check(&self, at: &mut Checker) {
        match self {
            ListenerTlsCertificate::File(file) => at.member("file", file),
            ListenerTlsCertificate::Acm(_) | ListenerTlsCertificate::Sds(_) => {}
        }
    }
}

impl Check for FileCertificate {
    fn check(&self, at: &mut Checker) {
        at.text("certificateChain", Some(&self.certificate_chain), 1..=255);
        at.text("privateKey", Some(&self.private_key), 1..=255);
    }
}

impl Check for ListenerTlsValidationContext {
    fn check(&self, at: &mut Checker) {
        at.member("trust", &self.trust);
        at.member("subjectAlternativeNames", &self.subject_alternative_names);
    }
}

impl Check for ListenerTlsTrust {
    fn check(&self, at: &mut Checker) {
        match self {
            ListenerTlsTrust::File(file) => at.member("file", file),
            ListenerTlsTrust::Sds(_) => {}
        }
    }
}

impl Check for FileTrust {
    fn check(&self, at: &mut Checker) {
        at.text("certificateChain", Some(&self.certificate_chain), 1..=255);
    }
}

impl Check for ClientPolicy {
    fn check(&self, at: &mut Checker) {
        at.member("tls", &self.tls);
    }
}

impl Check for ClientPolicyTls {
    fn check(&self, at: &mut Checker) {
        at.member("validation", &self.validation);
        at.member("certificate", &self.certificate);
        at.each("ports", self.ports.as_deref(), |at, port| {
            at.integer_here(i64::from(*port), PORT);
        });
    }
}

impl Check for ClientTlsCertificate {
    fn check(&self, at: &mut Checker) {
        match self {
            ClientTlsCertificate::File(file) => at.member("file", file),
            ClientTlsCertificate::Sds(_) => {}
        }
    }
}

impl Check for TlsValidationContext {
    fn check(&self, at: &mut Checker) {
        at.member("trust", &self.trust);
        at.member("subjectAlternativeNames", &self.subject_alternative_names);
    }
}

impl Check for TlsTrust {
    fn check(&self, at: &mut Checker) {
        match self {
            TlsTrust::Acm(acm) => at.member("acm", acm),
            TlsTrust::File(file) => at.member("file", file),
            TlsTrust::Sds(_) => {}
        }
    }
}

impl Check for AcmTrust {
    fn check(&self, at: &mut Checker) {
        at.count(
            "certificateAuthorityArns",
            Some(&self.certificate_authority_arns),
            1..=3,
        );
    }
}

impl Check for SubjectAlternativeNames {
    fn check(&self, at: &mut Checker) {
        at.each("match.exact", Some(&self.matchers.exact), |at, name| {
            at.text_here(name, 1..=254);
        });
    }
}

impl Check for BackendDefaults {
    fn check(&self, at: &mut Checker) {
        at.member("clientPolicy", &self.client_policy);
    }
}
