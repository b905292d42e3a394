//! Which requests are which operation.

use appmesh::Operation;
use http::Method;

use crate::fixture::{Api, run};

fn name(method: Method, path: &str) -> Option<&'static str> {
    Operation::of(&method, path).map(Operation::name)
}

#[test]
fn a_label_is_one_segment_however_it_is_encoded() {
    let node = "/v20190125/meshes/m/virtualNodes/a%20b%2Fc.local";
    assert_eq!(name(Method::GET, node), Some("DescribeVirtualNode"));
    let nested = "/v20190125/meshes/m/virtualNodes/a/c.local";
    assert_eq!(name(Method::GET, nested), None);
    // An empty name is a bad request to an operation, not an unknown operation.
    let nameless = "/v20190125/meshes/m/virtualNodes/";
    assert_eq!(name(Method::PUT, nameless), Some("UpdateVirtualNode"));
}

#[test]
fn the_parent_of_a_route_is_in_the_singular() {
    let singular = "/v20190125/meshes/m/virtualRouter/r/routes";
    let plural = "/v20190125/meshes/m/virtualRouters/r/routes";
    assert_eq!(name(Method::PUT, singular), Some("CreateRoute"));
    assert_eq!(name(Method::PUT, plural), None);
}

#[test]
fn only_reading_is_read_only() {
    for operation in Operation::all() {
        let reads = ["Describe", "List"]
            .iter()
            .any(|verb| operation.name().starts_with(verb));
        assert_eq!(operation.is_read_only(), reads, "{}", operation.name());
    }
}

#[test]
fn whatever_is_no_operation_is_answered_as_unknown() {
    let api = Api::new();
    let requests = [
        ("GET", "/"),
        ("GET", "/v20190125"),
        ("GET", "/v20190125/meshes/m/virtualnodes"),
        ("GET", "/v20181001/meshes"),
        ("GET", "//v20190125/meshes"),
        ("GET", "/%7620190125/meshes"),
        ("GET", "/v20190125/meshes/m/virtualNodes/n/"),
        ("POST", "/v20190125/meshes"),
        ("HEAD", "/v20190125/meshes"),
        ("DELETE", "/v20190125/meshes"),
        ("GET", "/v20190125/tag"),
        ("OPTIONS", "*"),
        ("BREW", "/v20190125/meshes"),
    ];
    for (method, uri) in requests {
        let answer = run(api.ask(method, uri, ""));
        assert_eq!(answer.status, 404, "{method} {uri}");
        assert_eq!(
            answer.error.as_deref(),
            Some("UnknownOperationException"),
            "{method} {uri}"
        );
    }
}
