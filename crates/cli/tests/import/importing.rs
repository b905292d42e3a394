//! Plans, what is refused, and what is kept.

use serde_json::Value;

use crate::server::{Server, count, sample};

/// Every sample with what it needs; all describe the same eight resources.
fn samples() -> [Vec<String>; 4] {
    let template = ["--parameter", "MeshName=shop"].map(str::to_owned);
    [
        [&[sample("template.yaml")][..], &template].concat(),
        vec![sample("objects.yaml")],
        vec![sample("described.json")],
        vec![sample("terraform.tfstate")],
    ]
}

fn import(server: &Server, sample: &[String], more: &[&str]) -> (i32, Value) {
    let arguments: Vec<&str> = sample.iter().map(String::as_str).collect();
    server.import(&[&arguments, more].concat())
}

#[test]
fn four_forms_of_one_mesh_are_the_same_mesh() {
    for first in samples() {
        let server = Server::start();
        let (code, report) = import(&server, &first, &[]);
        assert_eq!(
            (code, count(&report, "create")),
            (0, 8),
            "{first:?}: {report}"
        );
        assert_eq!(report["applied"], true);
        for other in samples() {
            let (code, report) = import(&server, &other, &[]);
            assert_eq!(
                (code, count(&report, "same")),
                (0, 8),
                "{other:?}: {report}"
            );
        }
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let server = Server::start();
    let [template, ..] = samples();
    for _ in 0..2 {
        let (code, report) = import(&server, &template, &["--dry-run"]);
        assert_eq!((code, count(&report, "create")), (0, 8), "{report}");
        assert_eq!(report["applied"], false);
    }
}

#[test]
fn an_update_counts_a_version() {
    let server = Server::start();
    let [template, _, described, _] = samples();
    import(&server, &described, &[]);
    let (code, report) = import(&server, &template, &["--parameter", "CanaryWeight=0"]);
    assert_eq!(
        (code, count(&report, "update"), count(&report, "same")),
        (0, 1, 7),
        "{report}"
    );
    let export: Value = serde_json::from_str(&server.export(&[])).unwrap();
    let find = |operation: &str| {
        let resources = export["resources"].as_array().unwrap();
        resources
            .iter()
            .find(|one| one["operation"] == operation)
            .unwrap()
    };
    let route = find("create-route");
    assert_eq!(route["metadata"]["version"], 2);
    let targets = &route["input"]["spec"]["httpRoute"]["action"]["weightedTargets"];
    assert_eq!(targets.as_array().unwrap().len(), 1);
    // What the first import told of the mesh's past is there still.
    let metadata = &find("create-mesh")["metadata"];
    assert_eq!(metadata["uid"], "3f1c8a52-shop");
    assert_eq!(metadata["version"], 4);
    assert_eq!(metadata["createdAt"], 1_591_809_072.5);
}

#[test]
fn what_is_refused_stops_the_rest_unless_it_is_skipped() {
    let server = Server::start();
    let text = r#"
{"meshName": "m"}
{"meshName": "m", "virtualNodeName": "typo", "spec": {"listener": []}}
{"meshName": "m", "virtualNodeName": "port", "spec": {"serviceDiscovery": {"dns": {"hostname": "a"}}, "listeners":
  [{"portMapping": {"port": 70000, "protocol": "http"}}]}}
{"meshName": "m", "virtualServiceName": "needs", "spec": {"provider": {"virtualNode": {"virtualNodeName": "port"}}}}
"#;
    let (code, stdout, _) = server.run_with(&["import", "-"], text);
    assert_eq!(code, 3, "{stdout}");
    for expected in [
        "create   mesh/m  ",
        "refused  mesh/m/virtualNode/typo",
        "standard input:3",
        "spec.listener: is unknown",
        "refused  mesh/m/virtualNode/port",
        "standard input:4",
        "spec.listeners[0].portMapping.port: 70000",
        "VirtualNode with name port is missing",
        "1 create, 0 update, 0 same, 3 refused: nothing was changed; repair what is refused",
    ] {
        assert!(
            stdout.contains(expected),
            "`{expected}` is not in:\n{stdout}"
        );
    }
    let (code, _, _) = server.run(&["export", "--mesh", "m"]);
    assert_eq!(code, 3, "the mesh must not be there");
    let (code, stdout, _) = server.run_with(&["import", "-", "--skip-refused"], text);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("3 refused: done"), "{stdout}");
    assert!(server.export(&["--mesh", "m"]).contains("create-mesh"));
}

#[test]
fn arns_do_not_change_unasked() {
    let server = Server::configured("account: \"999988887777\"\n");
    let [template, _, described, _] = samples();
    let (code, report) = import(&server, &described, &[]);
    assert_eq!(code, 3);
    let mesh = &report["resources"][0];
    let reason = "its ARN is arn:aws:appmesh:us-east-1:111122223333:mesh/shop, \
                  and would be arn:aws:appmesh:us-east-1:999988887777:mesh/shop";
    assert_eq!(mesh["reason"], reason);
    assert!(
        mesh["hint"]
            .as_str()
            .unwrap()
            .contains("the account 111122223333"),
        "{mesh}"
    );
    // A template does not know its account, unless somebody says it.
    let (code, report) = import(
        &server,
        &template,
        &["--account", "111122223333", "--dry-run"],
    );
    assert_eq!((code, count(&report, "refused")), (3, 8), "{report}");
    let (code, report) = import(&server, &described, &["--new-arns"]);
    assert_eq!((code, count(&report, "create")), (0, 8), "{report}");
}

#[test]
fn a_directory_is_searched_for_meshes() {
    let server = Server::start();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("nodes")).unwrap();
    std::fs::write(path("package.json"), "{\"name\": \"no mesh\"}").unwrap();
    std::fs::write(path("notes.txt"), "no mesh").unwrap();
    std::fs::write(path("mesh.json"), "{\"meshName\": \"m\"}").unwrap();
    let node = "{\"meshName\": \"m\", \"virtualNodeName\": \"n\", \"spec\": {}}";
    std::fs::write(path("nodes/node.json"), node).unwrap();
    let (code, report) = server.import(&[&directory.path().display().to_string()]);
    assert_eq!((code, count(&report, "create")), (0, 2), "{report}");
    assert_eq!(report["ignored"].as_array().unwrap().len(), 1, "{report}");
    let (code, _, stderr) = server.run_with(&["import", "-"], "");
    assert_eq!(code, 3);
    assert!(
        stderr.contains("there is no resource of a mesh"),
        "{stderr}"
    );
}
