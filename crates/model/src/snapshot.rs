//! A whole state of the world: every resource of every mesh at one revision.
//!
//! Immutable and persistent: a change makes a new snapshot that shares all but a few nodes with the
//! old one, so clones and old versions are cheap. Readers hold one and are never surprised.

use std::iter;
use std::ops::Bound;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use crate::id::{Kind, LocalId, ResourceId};
use crate::resource::Resource;
use crate::spec::{
    GatewayRouteSpec, MeshSpec, RouteSpec, Spec, VirtualGatewaySpec, VirtualNodeSpec,
    VirtualRouterSpec, VirtualServiceSpec,
};

use self::index::Index;

mod index;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    revision: u64,
    resources: RedBlackTreeMapSync<ResourceId, Arc<Resource>>,
    index: Index,
}

impl Snapshot {
    /// The empty world, at revision 0.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The same resources under another revision.
    #[must_use]
    pub fn at_revision(&self, revision: u64) -> Self {
        Self {
            revision,
            ..self.clone()
        }
    }

    /// With `resource` added or replaced; the revision stays, the store sets it.
    #[must_use]
    pub fn insert(&self, resource: impl Into<Arc<Resource>>) -> Self {
        let resource = resource.into();
        let before = self.get(&resource.id).map(|before| &**before);
        Self {
            revision: self.revision,
            index: self.index.replace(before, Some(&resource)),
            resources: self.resources.insert(resource.id.clone(), resource),
        }
    }

    /// Without the resource; the same world if there is none.
    #[must_use]
    pub fn remove(&self, id: &ResourceId) -> Self {
        let before = self.get(id).map(|before| &**before);
        Self {
            revision: self.revision,
            index: self.index.replace(before, None),
            resources: self.resources.remove(id),
        }
    }

    pub fn len(&self) -> usize {
        self.resources.size()
    }

    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    pub fn contains(&self, id: &ResourceId) -> bool {
        self.resources.contains_key(id)
    }

    pub fn get(&self, id: &ResourceId) -> Option<&Arc<Resource>> {
        self.resources.get(id)
    }

    /// Every resource, in the order of identifiers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    pub fn meshes(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.siblings_after(&ResourceId::mesh(""))
    }

    /// A mesh and everything in it.
    pub fn of_mesh<'s>(&'s self, mesh: &'s str) -> impl Iterator<Item = &'s Arc<Resource>> {
        self.starting_at(ResourceId::mesh(mesh))
            .take_while(move |resource| resource.id.mesh == mesh)
    }

    /// A mesh's resources of one kind, the routes of all routers together.
    pub fn of_kind<'s>(
        &'s self,
        mesh: &'s str,
        kind: Kind,
    ) -> impl Iterator<Item = &'s Arc<Resource>> {
        // Names are never empty: this one is less than all of the kind.
        self.starting_at(ResourceId::new(mesh, LocalId::of(kind, "", "")))
            .take_while(move |resource| resource.id.mesh == mesh && resource.id.kind() == kind)
    }

    /// A virtual router's routes.
    pub fn routes(&self, mesh: &str, router: &str) -> impl Iterator<Item = &Arc<Resource>> {
        self.siblings_after(&ResourceId::route(mesh, router, ""))
    }

    /// A virtual gateway's routes.
    pub fn gateway_routes(
        &self,
        mesh: &str,
        gateway: &str,
    ) -> impl Iterator<Item = &Arc<Resource>> {
        self.siblings_after(&ResourceId::gateway_route(mesh, gateway, ""))
    }

    /// The resources of the same kind and parent that come after this one, which need not exist: the rest of a list that
    /// was read up to here. A list begins after [`ResourceId::collection`].
    pub fn siblings_after<'s>(
        &'s self,
        id: &ResourceId,
    ) -> impl Iterator<Item = &'s Arc<Resource>> + use<'s> {
        iter::successors(self.sibling_after(id), |last| self.sibling_after(&last.id))
    }

    /// How many resources there are of the same kind and parent, with this one if it exists.
    pub fn count_siblings(&self, id: &ResourceId) -> usize {
        self.index.size(&id.collection())
    }

    /// The resources that refer to this one and would miss it, see [`Spec::references`].
    pub fn referrers<'s>(&'s self, id: &'s ResourceId) -> impl Iterator<Item = ResourceId> + 's {
        let referrers = self.index.referrers(id).into_iter().flatten();
        referrers.map(|local| ResourceId::new(&id.mesh, local.clone()))
    }

    pub fn mesh(&self, mesh: &str) -> Option<&MeshSpec> {
        match &self.get(&ResourceId::mesh(mesh))?.spec {
            Spec::Mesh(spec) => Some(spec),
            _ => None,
        }
    }

    pub fn virtual_node(&self, mesh: &str, name: &str) -> Option<&VirtualNodeSpec> {
        match &self.get(&ResourceId::virtual_node(mesh, name))?.spec {
            Spec::VirtualNode(spec) => Some(spec),
            _ => None,
        }
    }

    pub fn virtual_router(&self, mesh: &str, name: &str) -> Option<&VirtualRouterSpec> {
        match &self.get(&ResourceId::virtual_router(mesh, name))?.spec {
            Spec::VirtualRouter(spec) => Some(spec),
            _ => None,
        }
    }

    pub fn virtual_service(&self, mesh: &str, name: &str) -> Option<&VirtualServiceSpec> {
        match &self.get(&ResourceId::virtual_service(mesh, name))?.spec {
            Spec::VirtualService(spec) => Some(spec),
            _ => None,
        }
    }

    pub fn virtual_gateway(&self, mesh: &str, name: &str) -> Option<&VirtualGatewaySpec> {
        match &self.get(&ResourceId::virtual_gateway(mesh, name))?.spec {
            Spec::VirtualGateway(spec) => Some(spec),
            _ => None,
        }
    }

    pub fn route(&self, mesh: &str, router: &str, name: &str) -> Option<&RouteSpec> {
        match &self.get(&ResourceId::route(mesh, router, name))?.spec {
            Spec::Route(spec) => Some(spec),
            _ => None,
        }
    }

    pub fn gateway_route(
        &self,
        mesh: &str,
        gateway: &str,
        name: &str,
    ) -> Option<&GatewayRouteSpec> {
        match &self
            .get(&ResourceId::gateway_route(mesh, gateway, name))?
            .spec
        {
            Spec::GatewayRoute(spec) => Some(spec),
            _ => None,
        }
    }

    fn sibling_after(&self, id: &ResourceId) -> Option<&Arc<Resource>> {
        if id.kind() == Kind::Mesh {
            return self.mesh_after(&id.mesh);
        }
        let after = (Bound::Excluded(id), Bound::Unbounded);
        let (next, resource) = self.resources.range::<ResourceId, _>(after).next()?;
        next.is_beside(id).then_some(resource)
    }

    /// Goes from mesh to mesh, past all that is in them.
    fn mesh_after(&self, name: &str) -> Option<&Arc<Resource>> {
        let mut name = name.to_owned();
        loop {
            // The least name that comes after.
            name.push('\0');
            let next = self.starting_at(ResourceId::mesh(name)).next()?;
            if next.id.kind() == Kind::Mesh {
                return Some(next);
            }
            name = next.id.mesh.clone();
        }
    }

    fn starting_at(&self, first: ResourceId) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources
            .range((Bound::Included(first), Bound::Unbounded))
            .map(|(_, resource)| resource)
    }
}
