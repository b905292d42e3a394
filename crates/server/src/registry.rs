//! The built-in registry: healthy tasks are the instances that Cloud Map would know.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use compute::{Fleet, TaskState};
use release::Manifest;
use release::mesh::{TASK_SET_ATTRIBUTE, task_set_id};
use view::{Discovery, Endpoint, NodeView};

/// One instance of a service.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    id: String,
    service: String,
    attributes: BTreeMap<String, String>,
    address: SocketAddr,
}

/// What can take traffic now.
pub(crate) fn instances(fleet: &Fleet) -> Vec<Instance> {
    let sets = fleet.task_sets.iter();
    sets.flat_map(|(id, set)| {
        let healthy = set
            .tasks
            .iter()
            .filter(|task| task.state == TaskState::Healthy);
        healthy.map(|task| Instance {
            id: task.id.clone(),
            service: id.service.clone(),
            attributes: BTreeMap::from([(TASK_SET_ATTRIBUTE.to_owned(), task_set_id(&id.version))]),
            address: task.address,
        })
    })
    .collect()
}

/// Replaces Cloud Map lookups in this mesh's namespace by their answers.
pub(crate) fn resolve(view: &mut NodeView, manifest: &Manifest, instances: &[Instance]) {
    let own = manifest.namespace();
    for cluster in &mut view.clusters {
        if let Discovery::CloudMap {
            namespace,
            service,
            attributes,
            ..
        } = &cluster.discovery
            && *namespace == own
        {
            let endpoints = instances
                .iter()
                .filter(|instance| {
                    instance.service == *service && has_all(&instance.attributes, attributes)
                })
                .map(|instance| Endpoint {
                    id: instance.id.clone(),
                    address: instance.address,
                    zone: None,
                })
                .collect();
            cluster.discovery = Discovery::Static { endpoints };
        }
    }
}

fn has_all(has: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .all(|(key, value)| has.get(key) == Some(value))
}
