//! AWS's public service model of App Mesh, as PyPI's `botocore` ships it.
//!
//! The interpreter that has `botocore` comes from `SERIN_TEST_PYTHON`, else it is `python3`.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) http: Http,
    pub(crate) input: Member,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
}

/// A use of a shape; only members of an input shape have a location.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) shape: String,
    #[serde(default)]
    pub(crate) location: Location,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Location {
    #[serde(rename = "uri")]
    Label,
    #[serde(rename = "querystring")]
    Query,
    #[default]
    Body,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) form: Form,
    /// Of a structure.
    #[serde(default)]
    pub(crate) members: BTreeMap<String, Member>,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    #[serde(default)]
    pub(crate) union: bool,
    /// Of a list.
    pub(crate) member: Option<Member>,
    /// Of a number's value, a text's length or a list's size.
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) pattern: Option<String>,
    #[serde(default, rename = "enum")]
    pub(crate) values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    Structure,
    List,
    String,
    Integer,
    Long,
    Boolean,
    Timestamp,
}

const SCRIPT: &str = "import botocore.loaders, json; \
    print(json.dumps(botocore.loaders.Loader().load_service_model('appmesh', 'service-2')))";

impl Service {
    pub(crate) fn load() -> Self {
        serde_json::from_str(&testkit::python::run(&["-c", SCRIPT], "")).unwrap()
    }

    pub(crate) fn shape(&self, member: &Member) -> &Shape {
        &self.shapes[&member.shape]
    }
}
