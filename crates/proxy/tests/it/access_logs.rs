//! Access logs: what is written, against what Envoy 1.40 wrote for the same requests and formats.

use std::path::Path;

use testkit::Backend;
use testkit::backend::with_status;
use view::{AccessLog, AccessLogFormat, NodeView};

use crate::mesh::{Proxy, gateway, gateway_to};

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
