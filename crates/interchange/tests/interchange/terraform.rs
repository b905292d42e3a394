//! Terraform state: blocks, plural names, and empty values that stand for absent ones.

use model::Timestamp;
use serde_json::{Value, json};

use crate::world::{documents, read, refusals, spec_of};

/// A block with the members that the AWS provider leaves empty.
fn http_route() -> Value {
    json!([{
        "action": [{"weighted_target": [
            {"port": 0, "virtual_node": "a", "weight": 0},
            {"port": 8081, "virtual_node": "b", "weight": 100}
        ]}],
        "match": [{
            "header": [
                {"invert": false, "match": [{
                    "exact": "true", "prefix": "", "range": [], "regex": "", "suffix": ""
                }], "name": "canary"},
                {"invert": true, "match": [], "name": "old"}
            ],
            "method": "", "path": [], "port": 0, "prefix": "/",
            "query_parameter": [{"match": [{"exact": "1"}], "name": "q"}],
            "scheme": ""
        }],
        "retry_policy": [{
            "http_retry_events": ["server-error"], "max_retries": 0,
            "per_retry_timeout": [{"unit": "s", "value": 2}], "tcp_retry_events": []
        }],
        "timeout": [{"idle": [{"unit": "s", "value": 0}], "per_request": []}]
    }])
}

fn route() -> Value {
    json!({
        "arn": "arn:aws:appmesh:eu-west-1:111122223333:mesh/m/virtualRouter/r/route/x",
        "created_date": "2021-05-06T07:08:09Z", "id": "uid-1", "last_updated_date": "2021-05-06T07:08:10Z",
        "mesh_name": "m", "mesh_owner": "111122223333", "name": "x", "resource_owner": "111122223333",
        "spec": [{"grpc_route": [], "http2_route": [], "http_route": http_route(), "priority": 0, "tcp_route": []}],
        "tags": {"a": "b"}, "tags_all": {"a": "b", "from": "provider"}, "virtual_router_name": "r"
    })
}

fn node() -> Value {
    json!({
        "id": "uid-2", "mesh_name": "m", "name": "n", "tags": null, "tags_all": {},
        "spec": [{
            "backend": [{"virtual_service": [{"client_policy": [], "virtual_service_name": "s.local"}]}],
            "backend_defaults": [{"client_policy": [{"tls": [{
                "certificate": [], "enforce": false, "ports": [443],
                "validation": [{
                    "subject_alternative_names": [{"match": [{"exact": ["a.local"]}]}],
                    "trust": [{"acm": [{"certificate_authority_arns": ["arn:ca"]}], "file": [], "sds": []}]
                }]
            }]}]}],
            "listener": [{
                "connection_pool": [{"grpc": [], "http": [{"max_connections": 5, "max_pending_requests": 0}],
                    "http2": [], "tcp": []}],
                "health_check": [], "outlier_detection": [],
                "port_mapping": [{"port": 80, "protocol": "http"}],
                "timeout": [{"grpc": [], "http": [{"idle": [], "per_request": [{"unit": "ms", "value": 9}]}],
                    "http2": [], "tcp": []}],
                "tls": []
            }],
            "logging": [{"access_log": [{"file": [{"format": [], "path": "/dev/stdout"}]}]}],
            "service_discovery": [{"aws_cloud_map": [{
                "attributes": {"stack": "blue"}, "namespace_name": "local", "service_name": "n"
            }], "dns": []}]
        }]
    })
}

pub(crate) fn state() -> String {
    let resource = |kind: &str, name: &str, attributes: Value| {
        json!({
            "mode": "managed", "type": kind, "name": name, "module": "module.mesh",
            "instances": [{"index_key": "k", "schema_version": 1, "attributes": attributes}]
        })
    };
    let mesh = json!({"id": "m", "name": "m", "spec": [], "tags": {}});
    let deposed = json!({"mode": "managed", "type": "aws_appmesh_mesh", "name": "old",
        "instances": [{"deposed": "0a1b", "attributes": {}}]});
    json!({
        "version": 4, "terraform_version": "1.5.7", "serial": 9, "lineage": "0-0",
        "resources": [
            resource("aws_appmesh_route", "route", route()),
            resource("aws_appmesh_virtual_node", "node", node()),
            resource("aws_appmesh_mesh", "mesh", mesh),
            resource("aws_instance", "host", json!({})),
            {"mode": "data", "type": "aws_appmesh_mesh", "name": "seen", "instances": [{"attributes": {"name": "z"}}]},
            deposed
        ]
    })
    .to_string()
}

#[test]
fn blocks_become_structures_and_empty_values_nothing() {
    let documents = documents(&state());
    assert_eq!(documents.len(), 3);
    assert_eq!(spec_of(&documents, "mesh/m"), json!({}));
    assert_eq!(
        spec_of(&documents, "mesh/m/virtualRouter/r/route/x"),
        json!({"httpRoute": {
            "action": {"weightedTargets": [
                {"virtualNode": "a", "weight": 0},
                {"virtualNode": "b", "weight": 100, "port": 8081}
            ]},
            "match": {
                "prefix": "/",
                "headers": [
                    {"name": "canary", "invert": false, "match": {"exact": "true"}},
                    {"name": "old", "invert": true}
                ],
                "queryParameters": [{"name": "q", "match": {"exact": "1"}}]
            },
            "retryPolicy": {
                "maxRetries": 0,
                "perRetryTimeout": {"unit": "s", "value": 2},
                "httpRetryEvents": ["server-error"]
            },
            "timeout": {"idle": {"unit": "s", "value": 0}}
        }})
    );
    assert_eq!(
        spec_of(&documents, "mesh/m/virtualNode/n"),
        json!({
            "backends": [{"virtualService": {"virtualServiceName": "s.local"}}],
            "backendDefaults": {"clientPolicy": {"tls": {
                "enforce": false, "ports": [443],
                "validation": {
                    "subjectAlternativeNames": {"match": {"exact": ["a.local"]}},
                    "trust": {"acm": {"certificateAuthorityArns": ["arn:ca"]}}
                }
            }}},
            "listeners": [{
                "portMapping": {"port": 80, "protocol": "http"},
                "connectionPool": {"http": {"maxConnections": 5}},
                "timeout": {"http": {"perRequest": {"unit": "ms", "value": 9}}}
            }],
            "logging": {"accessLog": {"file": {"path": "/dev/stdout"}}},
            "serviceDiscovery": {"awsCloudMap": {
                "namespaceName": "local", "serviceName": "n",
                "attributes": [{"key": "stack", "value": "blue"}]
            }}
        })
    );
}

#[test]
fn what_the_state_knows_of_the_past_is_kept() {
    let documents = documents(&state());
    let route = &documents[0];
    let (history, tags) = (&route.history, route.tags.clone().unwrap_or_default());
    assert_eq!(tags["from"], "provider");
    assert_eq!(history.uid.as_deref(), Some("uid-1"));
    assert_eq!(
        history.created_at,
        Some(Timestamp::from_millis(1_620_284_889_000))
    );
    assert_eq!(history.mesh_owner.as_deref(), Some("111122223333"));
    // A mesh's id is its name.
    assert_eq!(documents[2].history.uid, None);
}

#[test]
fn what_show_prints_is_the_same() {
    let shown = |kind: &str, values: Value| json!({"address": kind, "mode": "managed", "type": kind, "values": values});
    let text = json!({
        "format_version": "1.0", "terraform_version": "1.5.7",
        "values": {"root_module": {
            "resources": [shown("aws_appmesh_route", route())],
            "child_modules": [{"child_modules": [{"resources": [shown("aws_appmesh_virtual_node", node())]}]}]
        }}
    });
    let shown = documents(&text.to_string());
    let state = documents(&state());
    for path in ["mesh/m/virtualRouter/r/route/x", "mesh/m/virtualNode/n"] {
        assert_eq!(spec_of(&shown, path), spec_of(&state, path));
    }
}

#[test]
fn each_bad_resource_is_refused_alone_with_its_line() {
    let text = r#"{
"version": 4, "terraform_version": "1.0.0", "lineage": "", "resources": [
 {"mode": "managed", "type": "aws_appmesh_mesh", "name": "good", "instances": [{"attributes":
   {"name": "m", "spec": [{}]}}]},
 {"mode": "managed", "type": "aws_appmesh_virtual_node", "name": "two", "instances": [{"attributes":
   {"name": "n", "mesh_name": "m", "spec": [{"listener": [{"port_mapping": [
     {"port": 1, "protocol": "http"}, {"port": 2, "protocol": "http"}]}]}]}}]},
 {"mode": "managed", "type": "aws_appmesh_virtual_node", "name": "new", "instances": [{"attributes":
   {"name": "n", "mesh_name": "m", "spec": [{"future": ["x"]}]}}]},
 {"mode": "managed", "type": "aws_appmesh_cluster", "name": "kind", "instances": [{"attributes": {}}]},
 {"mode": "managed", "type": "aws_appmesh_route", "name": "lost", "instances": [{"attributes":
   {"name": "x", "mesh_name": "m", "spec": [{}]}}]}
]}"#;
    let reading = read(text);
    assert_eq!(reading.documents.len(), 1);
    let members = "listeners, serviceDiscovery, backends, backendDefaults, logging";
    assert_eq!(
        refusals(&reading),
        [
            "6: aws_appmesh_virtual_node.two: spec.listeners[0].portMapping: a list has several blocks where one is meant".to_owned(),
            format!("9: aws_appmesh_virtual_node.new: spec.future: is unknown, members here are {members}"),
            "10: aws_appmesh_cluster.kind: is no resource of App Mesh".to_owned(),
            "12: aws_appmesh_route.lost: virtual_router_name is required".to_owned(),
        ]
    );
    let old = r#"{"version": 3, "terraform_version": "0.11.0", "lineage": "", "modules": []}"#;
    assert!(refusals(&read(old))[0].contains("is no Terraform state of version 4"));
}
