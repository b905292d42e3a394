//! Where a virtual node's endpoints are found: by DNS, or in Cloud Map by attributes.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Checker};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceDiscovery {
    Dns(DnsServiceDiscovery),
    AwsCloudMap(AwsCloudMapServiceDiscovery),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsServiceDiscovery {
    pub hostname: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_type: Option<DnsResponseType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_preference: Option<IpPreference>,
}

/// Whether the name's addresses stand for one load balancer or for the endpoints themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsResponseType {
    LoadBalancer,
    Endpoints,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsCloudMapServiceDiscovery {
    pub namespace_name: String,
    pub service_name: String,
    /// Only instances that carry all of these are endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<AwsCloudMapInstanceAttribute>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_preference: Option<IpPreference>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsCloudMapInstanceAttribute {
    pub key: String,
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IpPreference {
    #[serde(rename = "IPv6_PREFERRED")]
    Ipv6Preferred,
    #[serde(rename = "IPv4_PREFERRED")]
    Ipv4Preferred,
    #[serde(rename = "IPv4_ONLY")]
    Ipv4Only,
    #[serde(rename = "IPv6_ONLY")]
    Ipv6Only,
}

impl Check for ServiceDiscovery {
    fn check(&self, at: &mut Checker) {
        match self {
            ServiceDiscovery::Dns(_) => {}
            ServiceDiscovery::AwsCloudMap(cloud_map) => at.member("awsCloudMap", cloud_map),
        }
    }
}

impl Check for AwsCloudMapServiceDiscovery {
    fn check(&self, at: &mut Checker) {
        at.text("namespaceName", Some(&self.namespace_name), 1..=1024);
        at.text("serviceName", Some(&self.service_name), 1..=1024);
        at.list("attributes", self.attributes.as_deref(), 0..);
    }
}

impl Check for AwsCloudMapInstanceAttribute {
    fn check(&self, at: &mut Checker) {
        at.text("key", Some(&self.key), 1..=255);
        at.text("value", Some(&self.value), 1..=1024);
        // The model's patterns: visible ASCII; a value may also have spaces after its first character.
        if !self.key.chars().all(is_visible) {
            at.inside("key")
                .refuse_text(&self.key, "holds more than visible ASCII");
        }
        let starts_visible = self.value.chars().next().is_none_or(is_visible);
        let allowed = |character| is_visible(character) || character == ' ';
        if !starts_visible || !self.value.chars().all(allowed) {
            let rule = "holds more than visible ASCII and spaces between";
            at.inside("value").refuse_text(&self.value, rule);
        }
    }
}

fn is_visible(character: char) -> bool {
    character.is_ascii_graphic()
}
