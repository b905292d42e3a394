//! JSON of the `aws` command line, in every form that it comes in.

use interchange::{Options, Source};
use model::Timestamp;
use serde_json::json;

use crate::world::{documents, options, read, read_with, refusals, source, spec_of};

/// As `aws appmesh describe-virtual-node` prints it.
pub(crate) const DESCRIBED: &str = r#"{
    "virtualNode": {
        "meshName": "apps",
        "metadata": {
            "arn": "arn:aws:appmesh:eu-west-1:111122223333:mesh/apps/virtualNode/web",
            "createdAt": "2020-06-10T10:11:12.500000-07:00",
            "lastUpdatedAt": 1591809073.25,
            "meshOwner": "111122223333",
            "resourceOwner": "444455556666",
            "uid": "a1b2c3d4-5678-90ab-cdef-11111EXAMPLE",
            "version": 7
        },
        "spec": {
            "backends": [],
            "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}],
            "serviceDiscovery": {"dns": {"hostname": "web.local"}}
        },
        "status": {"status": "ACTIVE"},
        "virtualNodeName": "web"
    }
}"#;

#[test]
fn what_describe_prints_is_read_with_its_metadata() {
    let documents = documents(DESCRIBED);
    let spec = json!({
        "backends": [],
        "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "web.local"}}
    });
    assert_eq!(spec_of(&documents, "mesh/apps/virtualNode/web"), spec);
    let [document] = documents.as_slice() else {
        panic!("one document")
    };
    let history = &document.history;
    assert_eq!(history.version, Some(7));
    assert_eq!(
        history.uid.as_deref(),
        Some("a1b2c3d4-5678-90ab-cdef-11111EXAMPLE")
    );
    assert_eq!(
        history.created_at,
        Some(Timestamp::from_millis(1_591_809_072_500))
    );
    assert_eq!(
        history.last_updated_at,
        Some(Timestamp::from_millis(1_591_809_073_250))
    );
    assert_eq!(history.resource_owner.as_deref(), Some("444455556666"));
    assert_eq!(document.tags, None);
}

#[test]
fn every_form_gives_the_same_resource() {
    let bare = r#"{"meshName": "m", "virtualRouterName": "r", "routeName": "a",
        "spec": {"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}}}"#;
    let path = "mesh/m/virtualRouter/r/route/a";
    let expected = spec_of(&documents(bare), path);
    let forms = [
        format!(r#"{{"route": {bare}}}"#),
        format!("[{bare}]"),
        format!("{bare}\n{{\"meshName\": \"m\"}}"),
        format!(r#"{{"route": {bare}, "mesh": {{"meshName": "m", "spec": {{}}}}}}"#),
        bare.replacen('{', r#"{"clientToken": "t", "meshOwner": "111122223333", "tags": [],"#, 1),
        // `--output yaml`
        "route:\n  meshName: m\n  virtualRouterName: r\n  routeName: a\n  spec:\n    tcpRoute:\n      \
         action:\n        weightedTargets:\n        - virtualNode: n\n          weight: 1\n"
            .to_owned(),
    ];
    for form in forms {
        assert_eq!(spec_of(&documents(&form), path), expected, "{form}");
    }
}

#[test]
fn every_kind_is_told_by_its_names() {
    let text = r#"[
        {"meshName": "m"},
        {"meshName": "m", "virtualNodeName": "n", "spec": {}},
        {"meshName": "m", "virtualRouterName": "r", "spec": {}},
        {"meshName": "m", "virtualServiceName": "s.local", "spec": {}},
        {"meshName": "m", "virtualGatewayName": "g", "spec": {"listeners": []}},
        {"meshName": "m", "virtualRouterName": "r", "routeName": "x", "spec": {}},
        {"meshName": "m", "virtualGatewayName": "g", "gatewayRouteName": "y", "spec": {}}
    ]"#;
    let paths: Vec<String> = documents(text).iter().map(|one| one.id.path()).collect();
    assert_eq!(
        paths,
        [
            "mesh/m",
            "mesh/m/virtualNode/n",
            "mesh/m/virtualRouter/r",
            "mesh/m/virtualService/s.local",
            "mesh/m/virtualGateway/g",
            "mesh/m/virtualRouter/r/route/x",
            "mesh/m/virtualGateway/g/gatewayRoute/y",
        ]
    );
}

#[test]
fn a_list_tells_what_is_missing() {
    let text = r#"
{"virtualNodes": [
  {"arn": "arn:aws:appmesh:r:1:mesh/m/virtualNode/here", "meshName": "m", "virtualNodeName": "here", "version": 1},
  {"arn": "arn:aws:appmesh:r:1:mesh/m/virtualNode/gone", "meshName": "m", "virtualNodeName": "gone", "version": 1}
]}
{"virtualNode": {"meshName": "m", "virtualNodeName": "here", "spec": {}}}"#;
    let reading = read(text);
    assert_eq!(reading.documents.len(), 1);
    assert_eq!(
        refusals(&reading),
        [
            "4: mesh/m/virtualNode/gone: is only named: a list has no specs, import what `describe` printed"
        ]
    );
    assert_eq!(reading.ignored.len(), 1);
}

#[test]
fn each_bad_resource_is_refused_alone_with_its_line() {
    let text = r#"[
  {"meshName": "m", "virtualNodeName": "good", "spec": {}},
  {"meshName": "m", "virtualNodeName": "typo", "spec": {
     "listener": []}},
  {"meshName": "m", "virtualNodeName": "text", "spec": {"listeners": [
     {"portMapping": {"port": "80", "protocol": "http"}}]}},
  {"meshName": "m", "virtualNodeName": "quic", "spec": {"listeners": [
     {"portMapping": {"port": 80,
        "protocol": "quic"}}]}},
  {"meshName": "m", "virtualNodeName": "bare"},
  {"meshName": "m", "virtualNodeName": "both", "spec": {"serviceDiscovery":
     {"dns": {"hostname": "a"}, "awsCloudMap": {"namespaceName": "a", "serviceName": "b"}}}},
  {"meshName": "m", "virtualNodeName": "more", "spec": {}, "color": 1},
  {"spec": {}},
  {"virtualNodeName": "lost", "spec": {}},
  {"meshName": "m", "virtualNodeName": "gone", "spec": {}, "status": {"status": "DELETED"}},
  {"meshName": "m", "virtualNodeName": "good", "spec": {"listeners": []}},
  7
]"#;
    let reading = read(text);
    assert_eq!(reading.documents.len(), 1);
    let members = "listeners, serviceDiscovery, backends, backendDefaults, logging";
    assert_eq!(
        refusals(&reading),
        [
            format!("4: mesh/m/virtualNode/typo: spec.listener: is unknown, members here are {members}"),
            "6: mesh/m/virtualNode/text: spec.listeners[0].portMapping.port: \"80\" is not an integer of 64 bits".to_owned(),
            "9: mesh/m/virtualNode/quic: spec.listeners[0].portMapping.protocol: \"quic\" is none of http, tcp, http2, grpc".to_owned(),
            "10: mesh/m/virtualNode/bare: spec is required".to_owned(),
            "12: mesh/m/virtualNode/both: spec.serviceDiscovery: needs exactly one of dns, awsCloudMap".to_owned(),
            "13: mesh/m/virtualNode/more: color is unknown in a VirtualNode".to_owned(),
            "14: a resource: its names were given beside it: write them into it, as meshName".to_owned(),
            "15: a resource: meshName is required: write it in, or give it with --mesh".to_owned(),
            "18: the text: is in none of the forms that are read".to_owned(),
            "17: mesh/m/virtualNode/good: is described differently at mesh:2".to_owned(),
        ]
    );
}

#[test]
fn a_mesh_may_be_named_beside_the_text() {
    let options = Options {
        mesh: Some("apps".to_owned()),
        ..options()
    };
    let reading = read_with(r#"{"virtualNodeName": "n", "spec": {}}"#, &options);
    assert_eq!(reading.documents[0].id.path(), "mesh/apps/virtualNode/n");
}

#[test]
fn the_second_description_of_a_resource_adds_what_it_knows() {
    let text = format!(
        r#"{{"meshName": "apps", "virtualNodeName": "web", "tags": [{{"key": "team", "value": "a"}}],
            "spec": {{"backends": [], "listeners": [{{"portMapping": {{"port": 80, "protocol": "http"}}}}],
            "serviceDiscovery": {{"dns": {{"hostname": "web.local"}}}}}}}} {DESCRIBED}"#
    );
    let documents = documents(&text);
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].history.version, Some(7));
    assert_eq!(
        documents[0].tags.as_ref().map(|tags| tags["team"].as_str()),
        Some("a")
    );
}

#[test]
fn malformed_json_is_refused_with_its_line() {
    for (text, refusal) in [
        ("{\n\"a\": \n]}", "3: the text: is no JSON value"),
        ("[1,\n2", "2: the text: the text ends where `]` is missing"),
        (
            "{\"a\": \"\\ud800\"}",
            "1: the text: `\\u` names half a character",
        ),
        ("{\"a\"\n:\u{1}}", "2: the text: is no JSON value"),
        ("[01e", "1: the text: is no JSON value"),
    ] {
        assert_eq!(refusals(&read(text)), [refusal], "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(
        refusals(&read(&deep)),
        ["1: the text: is nested deeper than 64 levels"]
    );
}

#[test]
fn what_boto3_adds_to_a_response_is_passed_over() {
    let text = DESCRIBED.replacen('{', r#"{"ResponseMetadata": {"HTTPStatusCode": 200},"#, 1);
    assert_eq!(documents(&text).len(), 1);
}

#[test]
fn descriptions_with_other_tags_differ() {
    let tagged = |tags: &str| format!(r#"{{"meshName": "m", "spec": {{}}, "tags": [{tags}]}}"#);
    let (one, other) = (
        r#"{"key": "team", "value": "a"}"#,
        r#"{"key": "team", "value": "b"}"#,
    );
    let reading = read(&format!("{}\n{}", tagged(one), tagged(other)));
    assert_eq!(
        refusals(&reading),
        ["2: mesh/m: is described differently at mesh:1"]
    );
    assert_eq!(
        documents(&format!("{}\n{}", tagged(one), tagged(one))).len(),
        1
    );
    let reading = read(&tagged(&format!("{one}, {other}")));
    assert_eq!(refusals(&reading), ["1: mesh/m: tags: team is given twice"]);
}

#[test]
fn a_malformed_text_that_was_found_is_refused_only_if_it_may_be_of_a_mesh() {
    let found = |text: &str| {
        let source = Source {
            found: true,
            ..source("mesh", text)
        };
        interchange::read(&[source], &options())
    };
    let chart = found("{{ if .Values.web }}\nkind: [\n");
    assert_eq!(chart.refused, vec![]);
    assert_eq!(chart.ignored.len(), 1);
    for text in [
        "apiVersion: appmesh.k8s.aws/v1beta2\nkind: [\n",
        "Type: AWS::AppMesh::Mesh\nSpec: [\n",
        "{\"meshName\": [",
    ] {
        assert_eq!(found(text).refused.len(), 1, "{text}");
    }
}
