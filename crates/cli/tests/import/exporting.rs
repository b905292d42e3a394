//! What is exported is imported elsewhere without a difference.

use crate::server::{Server, count, sample};

#[test]
fn a_round_trip_is_the_identity() {
    let server = Server::start();
    server.import(&[&sample("described.json")]);
    let node = r#"{"meshName": "shop", "virtualNodeName": "tagged", "spec": {}, "tags": [{"key": "team", "value": "a b"}]}"#;
    let (code, _, stderr) = server.run_with(&["import", "-"], node);
    assert_eq!(code, 0, "{stderr}");
    let original = server.export(&[]);
    for format in ["cli-json", "cloudformation"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("export").display().to_string();
        server.export(&["--format", format, "--file", &file]);
        let fresh = Server::start();
        let (code, report) = fresh.import(&[&file]);
        assert_eq!((code, count(&report, "create")), (0, 9), "{report}");
        assert_eq!(fresh.export(&[]), original, "{format}");
        let (code, report) = fresh.import(&[&file]);
        assert_eq!((code, count(&report, "same")), (0, 9), "{report}");
    }
}

#[test]
fn one_mesh_can_be_exported_alone() {
    let server = Server::start();
    server.run_with(
        &["import", "-"],
        "[{\"meshName\": \"one\"}, {\"meshName\": \"two\"}]",
    );
    let export = server.export(&["--mesh", "two"]);
    assert!(
        export.contains("\"two\"") && !export.contains("\"one\""),
        "{export}"
    );
    let (code, _, stderr) = server.run(&["export", "--mesh", "three"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("no mesh is called three"), "{stderr}");
}
