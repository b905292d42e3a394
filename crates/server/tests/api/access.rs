//! Who is let in: signatures where credentials are configured, and this machine alone where none are.

use testkit::raw::RawResponse;

use crate::server::{MESHES, Server, get, put};
use crate::signer::{self, Signer};

const KEYS: &str = "
region: eu-central-1
credentials:
  - { accessKeyId: READER, secretAccessKey: reads, access: readOnly }
  - { accessKeyId: WRITER, secretAccessKey: writes }
";

const MESH: &str = r#"{"meshName":"one"}"#;

async fn guarded() -> Server {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("server.yaml");
    std::fs::write(&file, "").unwrap();
    let owner_alone = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, owner_alone).unwrap();
    Server::start_in(directory, KEYS).await
}

fn signer<'a>(access_key_id: &'a str, secret: &'a str) -> Signer<'a> {
    Signer {
        access_key_id,
        secret,
        region: "eu-central-1",
        time: signer::now(),
    }
}

fn outcome(answer: &RawResponse) -> (u16, &str) {
    (
        answer.status,
        answer.header("x-amzn-errortype").unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_key_may_do_what_it_is_configured_for() {
    let server = guarded().await;
    let [reader, writer] = [signer("READER", "reads"), signer("WRITER", "writes")];
    let answer = server.ask(reader.request("PUT", MESHES, MESH)).await;
    assert_eq!(outcome(&answer), (403, "AccessDeniedException"));
    assert!(answer.text().contains("CreateMesh"), "{}", answer.text());

    let answer = server.ask(writer.request("PUT", MESHES, MESH)).await;
    assert_eq!(outcome(&answer), (200, ""));
    let arn = "arn:aws:appmesh:eu-central-1:111122223333:mesh/one";
    assert!(answer.text().contains(arn), "{}", answer.text());
    let one = format!("{MESHES}/one");
    for signer in [&reader, &writer] {
        let answer = server.ask(signer.request("GET", &one, "")).await;
        assert_eq!(outcome(&answer), (200, ""));
    }
    let answer = server.ask(reader.request("DELETE", &one, "")).await;
    assert_eq!(outcome(&answer), (403, "AccessDeniedException"));
}

#[tokio::test]
async fn whoever_cannot_sign_is_refused_and_counted() {
    let server = guarded().await;
    let tampered = signer("WRITER", "writes")
        .request("PUT", MESHES, MESH)
        .replace("\"one\"", "\"two\"");
    for (request, error) in [
        (get(MESHES), "MissingAuthenticationTokenException"),
        (
            signer("WRITER", "guessed").request("GET", MESHES, ""),
            "InvalidSignatureException",
        ),
        (
            signer("OTHER", "writes").request("GET", MESHES, ""),
            "UnrecognizedClientException",
        ),
        (tampered, "InvalidSignatureException"),
        (
            Signer {
                time: "20200101T000000Z".to_owned(),
                ..signer("WRITER", "writes")
            }
            .request("GET", MESHES, ""),
            "InvalidSignatureException",
        ),
        (
            Signer {
                region: "us-east-1",
                ..signer("WRITER", "writes")
            }
            .request("GET", MESHES, ""),
            "InvalidSignatureException",
        ),
    ] {
        let answer = server.ask(&request).await;
        assert_eq!(outcome(&answer), (403, error), "{request}");
    }
    let metrics = server.ask(get("/metrics")).await.text();
    let counted = r#"serin_api_refused_total{error="InvalidSignatureException"} 4"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn without_credentials_pages_are_kept_out() {
    let server = Server::start("").await;
    let port = server.address().port();
    for (headers, status) in [
        (format!("host: 127.0.0.1:{port}"), 200),
        (
            format!("host: localhost:{port}\r\nauthorization: AWS4-HMAC-SHA256 anything"),
            200,
        ),
        (format!("host: rebound.example:{port}"), 403),
        (
            format!("host: 127.0.0.1:{port}\r\norigin: http://page.example"),
            403,
        ),
        (format!("host: 127.0.0.1:{port}\r\norigin: null"), 403),
        (
            format!("host: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}"),
            200,
        ),
    ] {
        let request = format!("GET {MESHES} HTTP/1.1\r\n{headers}\r\n\r\n");
        assert_eq!(server.ask(&request).await.status, status, "{request}");
    }
    let absolute =
        "GET http://rebound.example/v20190125/meshes HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(server.ask(absolute).await.status, 403);
}

#[tokio::test]
async fn metrics_are_for_whom_they_are_configured() {
    let open = Server::start("").await;
    assert_eq!(open.ask(get("/metrics")).await.status, 200);
    let page = "GET /metrics HTTP/1.1\r\nhost: rebound.example\r\n\r\n";
    assert_eq!(open.ask(page).await.status, 403);

    let closed = Server::start("metrics: token").await;
    assert_eq!(closed.ask(get("/metrics")).await.status, 401);
    let token = closed.daemon.token();
    let holder = format!(
        "GET /metrics HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    assert_eq!(closed.ask(holder).await.status, 200);
}

#[tokio::test]
async fn metrics_tell_what_was_asked_and_what_there_is() {
    let server = Server::start("").await;
    server.ask(put(MESHES, MESH)).await;
    server.ask(put(MESHES, "nonsense")).await;
    let answer = server.ask(get("/metrics")).await;
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = answer.text();
    for line in [
        r#"serin_api_requests_total{operation="CreateMesh",status="200"} 1"#,
        r#"serin_api_requests_total{operation="CreateMesh",status="400"} 1"#,
        r#"serin_resources{kind="Mesh"} 1"#,
        "serin_store_revision 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
