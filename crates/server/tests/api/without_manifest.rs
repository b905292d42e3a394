//! What a server without a manifest says where services and releases are asked for.

use serde_json::Value;

use crate::server::{MESHES, Server, put};

async fn asked(server: &Server, path: &str) -> (u16, Value) {
    let token = server.daemon.token();
    let answer = server
        .ask(format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        ))
        .await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[tokio::test]
async fn its_status_names_the_meshes_in_its_store() {
    let server = Server::start("").await;
    for mesh in ["one", "two"] {
        let body = format!(r#"{{"meshName":"{mesh}"}}"#);
        assert_eq!(server.ask(put(MESHES, &body)).await.status, 200);
    }
    let node = put(
        "/v20190125/meshes/two/virtualNodes",
        r#"{"virtualNodeName":"n","spec":{}}"#,
    );
    assert_eq!(server.ask(node).await.status, 200);
    let (code, status) = asked(&server, "/v1/status").await;
    assert_eq!(code, 200);
    assert_eq!(
        (&status["mesh"], &status["gateway"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(status["services"], serde_json::json!([]));
    let meshes = serde_json::json!([
        { "name": "one", "resources": 1 },
        { "name": "two", "resources": 2 },
    ]);
    assert_eq!(status["meshes"], meshes);
}

#[tokio::test]
async fn services_and_releases_are_not_found_and_it_says_why() {
    let server = Server::start("").await;
    for path in [
        "/v1/services/crystal",
        "/v1/releases",
        "/v1/releases/crystal-1/why",
    ] {
        let (code, problem) = asked(&server, path).await;
        assert_eq!(
            (code, &problem["code"]),
            (404, &"notFound".into()),
            "{path}"
        );
        let message = problem["message"].as_str().unwrap();
        assert!(message.contains("without a manifest"), "{message}");
    }
}

#[tokio::test]
async fn the_release_api_keeps_its_token() {
    let server = Server::start("").await;
    let answer = server.ask(crate::server::get("/v1/status")).await;
    assert_eq!(answer.status, 401);
}
