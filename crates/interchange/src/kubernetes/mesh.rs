//! Which mesh an object belongs to.

use super::Problem;
use super::cluster::{Cluster, Object};
use super::selector::selects;
use crate::tree::Node;

impl Cluster<'_> {
    /// The mesh's name in App Mesh: as the controller chose it, else the one that is meant.
    pub(super) fn mesh_of(&self, object: &Object<'_>) -> Result<String, Problem> {
        let referred = object
            .get("meshRef")
            .and_then(|reference| reference.text_at("name"));
        if let Some(name) = referred {
            let mesh = self.of_kind("Mesh").find(|mesh| mesh.name == name);
            return Ok(mesh.map_or_else(|| name.to_owned(), Object::aws_name));
        }
        let mut meshes: Vec<&Object<'_>> = self.of_kind("Mesh").collect();
        if let Some(labels) = self.namespaces.get(object.namespace) {
            let selecting = |mesh: &&&Object<'_>| selects(mesh.get("namespaceSelector"), *labels);
            let selecting: Vec<&Object<'_>> = meshes.iter().filter(selecting).copied().collect();
            match selecting.as_slice() {
                [] => {}
                [mesh] => return Ok(mesh.aws_name()),
                _ => meshes = selecting,
            }
        }
        match (meshes.as_slice(), &self.options.mesh) {
            ([mesh], None) => Ok(mesh.aws_name()),
            (_, Some(mesh)) => Ok(mesh.clone()),
            _ => Err(Problem {
                line: object
                    .spec()
                    .map_or(object.node.line, |spec: &Node| spec.line),
                reason: format!(
                    "its mesh cannot be told: {} meshes are described, and it names none",
                    meshes.len()
                ),
                hint: Some("name the mesh with --mesh, or in spec.meshRef"),
            }),
        }
    }
}
