//! The 38 operations, as one table: name, method, path, and what is done.
//!
//! The table is the service model's own, held against it by a test. A request is matched by method and
//! path alone; a label takes one whole segment, still percent-encoded, so that a name may hold a `/`.

use http::Method;
use model::Kind;

use Action::{Create, Delete, Describe, List, ListTags, Tag, Untag, Update};
use Kind::{GatewayRoute, Mesh, Route, VirtualGateway, VirtualNode, VirtualRouter, VirtualService};

/// One operation of the App Mesh API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation(&'static Row);

/// What an operation does, and to which kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create(Kind),
    Describe(Kind),
    Update(Kind),
    Delete(Kind),
    List(Kind),
    Tag,
    Untag,
    ListTags,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: &'static str,
    method: Method,
    path: &'static str,
    action: Action,
}

const fn row(name: &'static str, method: Method, path: &'static str, action: Action) -> Row {
    Row {
        name,
        method,
        path,
        action,
    }
}

const GET: Method = Method::GET;
const PUT: Method = Method::PUT;
const DELETE: Method = Method::DELETE;

#[rustfmt::skip]
static TABLE: [Row; 38] = [
    row("CreateMesh",             PUT,    "/v20190125/meshes", Create(Mesh)),
    row("DescribeMesh",           GET,    "/v20190125/meshes/{meshName}", Describe(Mesh)),
    row("UpdateMesh",             PUT,    "/v20190125/meshes/{meshName}", Update(Mesh)),
    row("DeleteMesh",             DELETE, "/v20190125/meshes/{meshName}", Delete(Mesh)),
    row("ListMeshes",             GET,    "/v20190125/meshes", List(Mesh)),

    row("CreateVirtualNode",      PUT,    "/v20190125/meshes/{meshName}/virtualNodes", Create(VirtualNode)),
    row("DescribeVirtualNode",    GET,    "/v20190125/meshes/{meshName}/virtualNodes/{virtualNodeName}", Describe(VirtualNode)),
    row("UpdateVirtualNode",      PUT,    "/v20190125/meshes/{meshName}/virtualNodes/{virtualNodeName}", Update(VirtualNode)),
    row("DeleteVirtualNode",      DELETE, "/v20190125/meshes/{meshName}/virtualNodes/{virtualNodeName}", Delete(VirtualNode)),
    row("ListVirtualNodes",       GET,    "/v20190125/meshes/{meshName}/virtualNodes", List(VirtualNode)),

    row("CreateVirtualRouter",    PUT,    "/v20190125/meshes/{meshName}/virtualRouters", Create(VirtualRouter)),
    row("DescribeVirtualRouter",  GET,    "/v20190125/meshes/{meshName}/virtualRouters/{virtualRouterName}", Describe(VirtualRouter)),
    row("UpdateVirtualRouter",    PUT,    "/v20190125/meshes/{meshName}/virtualRouters/{virtualRouterName}", Update(VirtualRouter)),
    row("DeleteVirtualRouter",    DELETE, "/v20190125/meshes/{meshName}/virtualRouters/{virtualRouterName}", Delete(VirtualRouter)),
    row("ListVirtualRouters",     GET,    "/v20190125/meshes/{meshName}/virtualRouters", List(VirtualRouter)),

    row("CreateVirtualService",   PUT,    "/v20190125/meshes/{meshName}/virtualServices", Create(VirtualService)),
    row("DescribeVirtualService", GET,    "/v20190125/meshes/{meshName}/virtualServices/{virtualServiceName}", Describe(VirtualService)),
    row("UpdateVirtualService",   PUT,    "/v20190125/meshes/{meshName}/virtualServices/{virtualServiceName}", Update(VirtualService)),
    row("DeleteVirtualService",   DELETE, "/v20190125/meshes/{meshName}/virtualServices/{virtualServiceName}", Delete(VirtualService)),
    row("ListVirtualServices",    GET,    "/v20190125/meshes/{meshName}/virtualServices", List(VirtualService)),

    row("CreateVirtualGateway",   PUT,    "/v20190125/meshes/{meshName}/virtualGateways", Create(VirtualGateway)),
    row("DescribeVirtualGateway", GET,    "/v20190125/meshes/{meshName}/virtualGateways/{virtualGatewayName}", Describe(VirtualGateway)),
    row("UpdateVirtualGateway",   PUT,    "/v20190125/meshes/{meshName}/virtualGateways/{virtualGatewayName}", Update(VirtualGateway)),
    row("DeleteVirtualGateway",   DELETE, "/v20190125/meshes/{meshName}/virtualGateways/{virtualGatewayName}", Delete(VirtualGateway)),
    row("ListVirtualGateways",    GET,    "/v20190125/meshes/{meshName}/virtualGateways", List(VirtualGateway)),

    // The parent of a route stands in the singular.
    row("CreateRoute",            PUT,    "/v20190125/meshes/{meshName}/virtualRouter/{virtualRouterName}/routes", Create(Route)),
    row("DescribeRoute",          GET,    "/v20190125/meshes/{meshName}/virtualRouter/{virtualRouterName}/routes/{routeName}", Describe(Route)),
    row("UpdateRoute",            PUT,    "/v20190125/meshes/{meshName}/virtualRouter/{virtualRouterName}/routes/{routeName}", Update(Route)),
    row("DeleteRoute",            DELETE, "/v20190125/meshes/{meshName}/virtualRouter/{virtualRouterName}/routes/{routeName}", Delete(Route)),
    row("ListRoutes",             GET,    "/v20190125/meshes/{meshName}/virtualRouter/{virtualRouterName}/routes", List(Route)),

    row("CreateGatewayRoute",     PUT,    "/v20190125/meshes/{meshName}/virtualGateway/{virtualGatewayName}/gatewayRoutes", Create(GatewayRoute)),
    row("DescribeGatewayRoute",   GET,    "/v20190125/meshes/{meshName}/virtualGateway/{virtualGatewayName}/gatewayRoutes/{gatewayRouteName}", Describe(GatewayRoute)),
    row("UpdateGatewayRoute",     PUT,    "/v20190125/meshes/{meshName}/virtualGateway/{virtualGatewayName}/gatewayRoutes/{gatewayRouteName}", Update(GatewayRoute)),
    row("DeleteGatewayRoute",     DELETE, "/v20190125/meshes/{meshName}/virtualGateway/{virtualGatewayName}/gatewayRoutes/{gatewayRouteName}", Delete(GatewayRoute)),
    row("ListGatewayRoutes",      GET,    "/v20190125/meshes/{meshName}/virtualGateway/{virtualGatewayName}/gatewayRoutes", List(GatewayRoute)),

    row("TagResource",            PUT,    "/v20190125/tag", Tag),
    row("UntagResource",          PUT,    "/v20190125/untag", Untag),
    row("ListTagsForResource",    GET,    "/v20190125/tags", ListTags),
];

impl Operation {
    /// The operation that a request asks for; none if App Mesh has no such one.
    pub fn of(method: &Method, raw_path: &str) -> Option<Self> {
        let of_method = TABLE.iter().filter(|row| row.method == *method);
        of_method
            .map(Self)
            .find(|operation| operation.labels(raw_path).is_some())
    }

    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// As in the service model: `UpdateRoute`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    pub fn method(self) -> &'static Method {
        &self.0.method
    }

    /// The pattern of the path, with `{labels}`.
    pub fn path(self) -> &'static str {
        self.0.path
    }

    /// Whether nothing changes, so that a read-only key may ask for it.
    pub fn is_read_only(self) -> bool {
        self.0.method == Method::GET
    }

    pub(crate) fn action(self) -> Action {
        self.0.action
    }

    /// What stands at the labels of the path, still encoded; none if this is no path of the operation.
    pub(crate) fn labels(self, raw_path: &str) -> Option<Vec<(&'static str, &str)>> {
        let mut labels = Vec::new();
        let mut segments = raw_path.split('/');
        for expected in self.0.path.split('/') {
            let segment = segments.next()?;
            match expected.strip_prefix('{') {
                Some(label) => labels.push((label.trim_end_matches('}'), segment)),
                None if segment == expected => {}
                None => return None,
            }
        }
        segments.next().is_none().then_some(labels)
    }
}
