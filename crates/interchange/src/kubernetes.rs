//! Kubernetes resources of the App Mesh controller (`appmesh.k8s.aws/v1beta2`).
//!
//! What the controller would have told App Mesh is read: its names (`awsName`, else the object's name and
//! namespace), its choice of mesh and gateway by selectors, routes inside their routers, backend groups
//! inside their nodes, references by name or ARN. What it only told pods is passed over.

mod cluster;
mod gateway;
mod mesh;
mod reference;
mod resource;
mod selector;

use crate::document::{Reading, Refusal};
use crate::options::Options;
use crate::read::Tree;
use crate::tree::Node;
use cluster::Cluster;

const GROUP: &str = "appmesh.k8s.aws/";
const VERSION: &str = "appmesh.k8s.aws/v1beta2";

/// Why an object cannot be read.
struct Problem {
    line: usize,
    reason: String,
    hint: Option<&'static str>,
}

impl From<crate::typed::Mismatch> for Problem {
    fn from(mismatch: crate::typed::Mismatch) -> Self {
        Self {
            line: mismatch.line,
            reason: mismatch.to_string(),
            hint: None,
        }
    }
}

pub(crate) fn is_object(root: &Node) -> bool {
    root.get("apiVersion").is_some() && root.get("kind").is_some()
}

pub(crate) fn read(trees: &[Tree], options: &Options) -> Reading {
    let mut reading = Reading::default();
    let cluster = Cluster::new(trees, options, &mut reading);
    for object in &cluster.objects {
        for outcome in resource::read(&cluster, object) {
            let what = format!("{} {}/{}", object.kind, object.namespace, object.name);
            match outcome {
                Ok(document) => reading.documents.push(document),
                Err(Problem { line, reason, hint }) => reading.refused.push(Refusal {
                    place: object.tree.place(line),
                    what,
                    reason,
                    hint: hint.map(str::to_owned),
                }),
            }
        }
    }
    reading
}
