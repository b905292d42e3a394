//! `serin serve`: the App Mesh API alone.

use rustix::process::Signal;
use testkit::raw::RawClient;

use crate::serin::{Running, json, run, serin};

const EXPORT: &str = "export AWS_ENDPOINT_URL_APP_MESH=http://";

fn started(state: &std::path::Path) -> (Running, std::net::SocketAddr) {
    let mut server = Running::start(&mut serin(state, &["serve"]));
    let line = server.wait_for(EXPORT);
    server.wait_for("server up");
    let address = line.trim().strip_prefix(EXPORT).unwrap();
    (server, address.parse().unwrap())
}

#[tokio::test]
async fn a_mesh_outlives_the_server_that_made_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let (server, address) = started(state);
    let create = "PUT /v20190125/meshes HTTP/1.1\r\nhost: localhost\r\ncontent-length: 19\r\n\r\n{\"meshName\":\"shop\"}";
    let mut client = RawClient::connect(address).await.unwrap();
    assert_eq!(client.ask(create).await.unwrap().status, 200);
    let status = json(state, &["status"]);
    assert_eq!(
        (&status["mesh"], &status["meshes"][0]["name"]),
        (&serde_json::Value::Null, &"shop".into())
    );
    let (code, _, stderr) = run(state, &["release", "crystal", "--tag", "next"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("without a manifest"), "{stderr}");

    server.signal(Signal::TERM);
    let (code, _, stderr) = server.finish();
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("warning: no credentials are configured"),
        "{stderr}"
    );
    let log = std::fs::read_to_string(state.join("server.log")).unwrap();
    assert!(
        log.contains("operation=\"CreateMesh\"") && log.contains("status=200"),
        "{log}"
    );

    let (_server, address) = started(state);
    let describe = "GET /v20190125/meshes/shop HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut client = RawClient::connect(address).await.unwrap();
    assert_eq!(client.ask(describe).await.unwrap().status, 200);
}

#[test]
fn a_configuration_that_would_not_do_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let file = directory.path().join("server.yaml");
    let config = file.to_str().unwrap();
    for (text, arguments, words) in [
        ("account: 12", &["serve"][..], "line 1"),
        ("", &["serve", "--api", "0.0.0.0:0"], "without credentials"),
        (
            "tls: { certificate: none.crt, key: none.key }",
            &["serve", "--check"],
            "none.crt",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let (code, stdout, stderr) = run(state, &[arguments, &["--config", config]].concat());
        assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
        assert!(
            stderr.contains(words) && stderr.contains("hint: "),
            "{stderr}"
        );
        assert!(!state.exists(), "{text}");
    }
    std::fs::write(&file, "region: eu-central-1").unwrap();
    let (code, stdout, stderr) = run(state, &["serve", "--check", "--config", config]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("region eu-central-1"), "{stdout}");
}
