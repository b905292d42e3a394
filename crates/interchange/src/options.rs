//! What the texts do not say themselves.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Of CloudFormation templates, by name.
    pub parameters: BTreeMap<String, String>,
    /// What CloudFormation would have looked up: by `LOGICAL_ID`, `LOGICAL_ID.ATTRIBUTE`, or the name of an
    /// export.
    pub values: BTreeMap<String, String>,
    pub stack_name: Option<String>,
    pub region: Option<String>,
    pub account: Option<String>,
    /// The mesh of resources that name none.
    pub mesh: Option<String>,
    /// The namespace of Kubernetes resources that name none.
    pub namespace: Option<String>,
}
