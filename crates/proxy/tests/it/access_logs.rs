//! Access logs: what is written, against what Envoy 1.40 wrote for the same requests and formats.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use testkit::Backend;
use testkit::backend::with_status;
use tokio::io::AsyncReadExt;
use view::{AccessLog, AccessLogFormat, NodeView, Protocol};

use crate::connect::{CONNECT, GRANTED, tunnelling};
use crate::http2_peers::{Http2Backend, Http2Client, read, request, send};
use crate::mesh::{Proxy, gateway, gateway_to, nobody};
use crate::tcp::{echoing, reset, serving, tcp};

fn logging(mut view: NodeView, path: &Path, format: AccessLogFormat) -> NodeView {
    view.listeners[0].access_log = Some(AccessLog {
        path: path.display().to_string(),
        format,
    });
    view
}

async fn backend() -> Backend {
    Backend::answering(|request| {
        let mut response = with_status(
            if request.uri().path() == "/api/down" {
                500
            } else {
                200
            },
            "hello\n",
        );
        let quote = "a\"b\\c".parse().unwrap();
        response.headers_mut().insert("x-quote", quote);
        response
    })
    .await
    .unwrap()
}

async fn lines(path: &Path, count: usize) -> Vec<String> {
    let read = || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    testkit::until("the lines", async || read().len() >= count).await;
    read()
}

/// The lines' `{up}` stands for the backend.
const TEXT: &str = "%PROTOCOL%|%REQ(X-A?:PATH):4%|%RESP(X-Quote)%|%REQ(missing)%|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%BYTES_RECEIVED%|%BYTES_SENT%|%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|%RESP(content-length?x)%|100%%|%UPSTREAM_HOST%\n";

const ENVOY: [&str; 4] = [
    "HTTP/1.1|/api|a\"b\\c|-|200|-|0|6|127.0.0.1|6|100%|{up}",
    "HTTP/1.1|/api|a\"b\\c|-|200|-|6|6|127.0.0.1|6|100%|{up}",
    "HTTP/1.1|abcd|a\"b\\c|-|200|-|0|6|127.0.0.1|6|100%|{up}",
    "HTTP/1.1|/api|a\"b\\c|-|200|-|7|6|127.0.0.1|6|100%|{up}",
];

const REQUESTS: [&str; 4] = [
    "GET //api/./v1?x=1 HTTP/1.1\r\nHost: crystal.local\r\n\r\n",
    "POST /api/post HTTP/1.1\r\nHost: crystal.local\r\nContent-Length: 6\r\n\r\nbody12",
    "GET /api HTTP/1.1\r\nHost: crystal.local\r\nX-A: abcdefgh\r\n\r\n",
    "POST /api HTTP/1.1\r\nHost: crystal.local\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nchunked\r\n0\r\n\r\n",
];

#[tokio::test]
async fn a_text_format_is_written_as_envoy_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let backend = backend().await;
    let format = AccessLogFormat::Text(TEXT.to_owned());
    let view = logging(gateway_to(backend.address), &path, format);
    let proxy = Proxy::running(&view).await;
    for (count, request) in REQUESTS.iter().enumerate() {
        assert_eq!(proxy.ask(request).await.status, 200);
        lines(&path, count + 1).await;
    }
    let expected = ENVOY.map(|line| line.replace("{up}", &backend.address.to_string()));
    assert_eq!(lines(&path, 4).await, expected);
}

/// What follows the switch is what there is of a body, whether it came with a head or after it.
#[tokio::test]
async fn a_connect_is_written_without_a_path_and_with_what_passed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let server = tunnelling(format!("{GRANTED}first")).await;
    let format = "%REQ(:METHOD)% %REQ(:AUTHORITY)% %REQ(:PATH)% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT%\n";
    let format = AccessLogFormat::Text(format.to_owned());
    let proxy = Proxy::running(&logging(gateway_to(server.address), &path, format)).await;
    let mut client = proxy.client().await;
    client.send(format!("{CONNECT}early")).await.unwrap();
    client.read_until(b"echo early").await.unwrap();
    client.send("bye").await.unwrap();
    client.read_to_end().await;
    // A tunnel has ended once both sides have.
    drop(client);
    let (up, down) = ("earlybye".len(), "firstecho earlybye bye".len());
    let expected = format!("CONNECT crystal.local:443 - 200 {up} {down}");
    assert_eq!(lines(&path, 1).await, [expected]);
}

#[tokio::test]
async fn json_keeps_numbers_and_nulls_and_sorts_its_keys_like_envoy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.json");
    let backend = backend().await;
    let fields = [
        ("z", "%PROTOCOL%"),
        ("status", "%RESPONSE_CODE%"),
        ("flags", "%RESPONSE_FLAGS%"),
        ("a", "%REQ(missing)%"),
        ("bytes", "%BYTES_SENT%"),
        ("mixed", "%RESPONSE_CODE% %REQ(missing)%"),
        ("quote", "%RESP(X-Quote)%"),
        ("up", "%UPSTREAM_HOST%"),
        ("plain", "literal"),
        ("path", "%REQ(:PATH)%"),
    ];
    let fields = fields.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let format = AccessLogFormat::Json(fields.to_vec());
    let view = logging(gateway_to(backend.address), &path, format);
    let proxy = Proxy::running(&view).await;
    proxy.ask(REQUESTS[0]).await;
    let expected = r#"{"a":null,"bytes":6,"flags":"-","mixed":"200 -","path":"/api/v1?x=1","plain":"literal","quote":"a\"b\\c","status":200,"up":"{up}","z":"HTTP/1.1"}"#;
    let expected = expected.replace("{up}", &backend.address.to_string());
    assert_eq!(lines(&path, 1).await, [expected]);
}

#[tokio::test]
async fn the_default_line_tells_what_went_wrong_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let view = logging(
        gateway(&[("empty", 1, &[])]),
        &path,
        AccessLogFormat::Default,
    );
    let proxy = Proxy::running(&view).await;
    let request = "GET /empty HTTP/1.1\r\nHost: crystal.local\r\nUser-Agent: agent\r\nX-Request-Id: r-1\r\n\r\n";
    let answer = proxy.ask(request).await;
    assert_eq!(answer.status, 503);
    // Another worker may have the next connection, and write sooner.
    lines(&path, 1).await;
    proxy.ask("nonsense\r\n\r\n").await;
    let lines = lines(&path, 2).await;
    let (time, rest) = lines[0].split_once("] ").unwrap();
    assert_eq!(time.len(), "[2026-11-23T04:53:53.358Z".len());
    let length = answer.body.len();
    let (before, after) = rest.split_once(&format!(" 0 {length} ")).unwrap();
    assert_eq!(before, "\"GET /empty HTTP/1.1\" 503 UH");
    let after = after.split_once(' ').unwrap().1;
    assert_eq!(after, "- \"-\" \"agent\" \"r-1\" \"crystal.local\" \"-\"");
    assert!(
        lines[1].contains("\"- - HTTP/1.1\" 400 DPE"),
        "{}",
        lines[1]
    );
}

#[tokio::test]
async fn a_rotated_file_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let backend = backend().await;
    let format = AccessLogFormat::Text("%RESPONSE_CODE%\n".to_owned());
    let proxy = Proxy::running(&logging(gateway_to(backend.address), &path, format)).await;
    proxy.ask(REQUESTS[0]).await;
    assert_eq!(lines(&path, 1).await, ["200"]);
    let rotated = directory.path().join("access.log.1");
    std::fs::rename(&path, &rotated).unwrap();
    testkit::until("a new file", async || {
        proxy.ask(REQUESTS[0]).await;
        path.exists()
    })
    .await;
    let lines = lines(&path, 1).await;
    assert!(lines.iter().all(|line| line == "200"), "{lines:?}");
}

#[tokio::test]
async fn a_format_that_is_not_understood_is_refused_and_requests_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let backend = backend().await;
    let format = AccessLogFormat::Text("%NOTHING%".to_owned());
    let path = directory.path().join("access.log");
    let proxy = Proxy::running(&logging(gateway_to(backend.address), &path, format)).await;
    assert_eq!(proxy.ask(REQUESTS[0]).await.status, 200);
    let refusals = proxy.plane.refusals().await;
    assert!(
        refusals[0].reason.contains("%NOTHING% is no command"),
        "{refusals:?}"
    );
}

/// As Envoy 1.40 wrote it, with the endpoint for `{up}`, for the same connections.
#[tokio::test]
async fn connections_over_tcp_are_logged_as_envoy_logs_them() {
    const FORMAT: &str = "%PROTOCOL%|%REQ(:METHOD)%|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%BYTES_RECEIVED%|\
        %BYTES_SENT%|%RESPONSE_DURATION%|%RESPONSE_TX_DURATION%|%RESP(X)%|%UPSTREAM_HOST%|%ROUTE_NAME%|\
        %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|%GRPC_STATUS%\n";
    let answering = echoing().await;
    let breaking = serving(|mut stream| async move {
        reset(&stream);
        drop(stream.read(&mut [0; 5]).await);
    })
    .await;
    let leaving = serving(|mut stream| async move { drop(stream.read(&mut [0; 5]).await) }).await;
    let directory = tempfile::tempdir().unwrap();
    for (name, endpoints, said, expected) in [
        (
            "answers",
            vec![answering],
            "hello",
            "-|-|0|-|5|5|-|-|-|{up}|-|127.0.0.1|-",
        ),
        (
            "breaks",
            vec![breaking],
            "hello",
            "-|-|0|UR|5|0|-|-|-|{up}|-|127.0.0.1|-",
        ),
        (
            "hangs up",
            vec![leaving],
            "hello",
            "-|-|0|-|5|0|-|-|-|{up}|-|127.0.0.1|-",
        ),
        (
            "nobody",
            vec![nobody()],
            "",
            "-|-|0|UF,URX|0|0|-|-|-|{up}|-|127.0.0.1|-",
        ),
        (
            "no endpoint",
            vec![],
            "",
            "-|-|0|UH|0|0|-|-|-|-|-|127.0.0.1|-",
        ),
    ] {
        let path = directory.path().join(name);
        let format = AccessLogFormat::Text(FORMAT.to_owned());
        let view = logging(tcp(&[("v", 1, &endpoints)]), &path, format);
        let proxy = Proxy::running(&view).await;
        let mut client = proxy.client().await;
        client.send(said).await.unwrap();
        if name == "answers" {
            client.read_until(b"hello").await.unwrap();
        } else {
            client.read_to_end().await;
        }
        drop(client);
        let up = endpoints
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert_eq!(
            lines(&path, 1).await,
            [expected.replace("{up}", &up)],
            "{name}"
        );
    }
}

#[tokio::test]
async fn requests_over_http2_and_calls_are_logged_with_what_is_theirs() {
    const FORMAT: &str = "%PROTOCOL%|%REQ(:METHOD)%|%REQ(:PATH)%|%REQ(:AUTHORITY)%|%RESPONSE_CODE%|\
        %GRPC_STATUS%|%BYTES_RECEIVED%|%BYTES_SENT%|%RESPONSE_FLAGS%|%UPSTREAM_HOST%\n";
    let backend = Http2Backend::serving(|request, mut respond| async move {
        let is_call = request.headers().contains_key("grpc-timeout");
        let content_type = request.headers()["content-type"].clone();
        let (body, _) = read(request.into_body()).await?;
        let response = Response::builder().header("content-type", content_type);
        let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
        send(&mut stream, &body).await?;
        if is_call {
            let status = (
                "grpc-status".parse().unwrap(),
                HeaderValue::from_static("5"),
            );
            stream.send_trailers(HeaderMap::from_iter([status]))
        } else {
            stream.send_data(Bytes::new(), true)
        }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let mut view = gateway_to(backend.address);
    view.clusters[0].protocol = Protocol::Http2;
    let format = AccessLogFormat::Text(FORMAT.to_owned());
    let proxy = Proxy::running(&logging(view, &path, format)).await;
    let client = Http2Client::connect(proxy.address).await;
    let mut plain = request("POST", "/plain?x");
    let text = HeaderValue::from_static("text/plain");
    plain.headers_mut().insert("content-type", text);
    client.ask(plain, Some((b"abc", None))).await.unwrap();
    lines(&path, 1).await;
    let mut call = request("POST", "/t.T/Echo");
    let headers = call.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-timeout", HeaderValue::from_static("5S"));
    client.ask(call, Some((b"\0\0\0\0\0", None))).await.unwrap();
    let expected = [
        "HTTP/2|POST|/plain?x|crystal.local|200|-|3|3|-|{up}",
        "HTTP/2|POST|/t.T/Echo|crystal.local|200|5|5|5|-|{up}",
    ];
    assert_eq!(
        lines(&path, 2).await,
        expected.map(|line| line.replace("{up}", &backend.address.to_string()))
    );
}
