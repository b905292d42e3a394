//! Routes over TCP: no criteria but the port, and no retries.

use serde::{Deserialize, Serialize};

use super::RouteAction;
use crate::check::{Check, Checker};
use crate::spec::TcpTimeout;
use crate::spec::listener::PORT;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRoute {
    pub action: RouteAction,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<TcpRouteMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TcpTimeout>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRouteMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

impl Check for TcpRoute {
    fn check(&self, at: &mut Checker) {
        at.member("action", &self.action);
        at.member("match", &self.matches);
        at.member("timeout", &self.timeout);
    }
}

impl Check for TcpRouteMatch {
    fn check(&self, at: &mut Checker) {
        at.integer("port", self.port, PORT);
    }
}
