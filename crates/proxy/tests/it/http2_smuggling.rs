//! Requests that are one in HTTP/2 and would be two in HTTP/1.1: none of them reaches a service as two.

use testkit::Backend;
use testkit::raw::RawServer;

use crate::http2_raw::*;
use crate::mesh::{Proxy, gateway_to};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// What it is, fields beside or instead of a request's own, and its body.
pub(crate) type Case = (&'static str, Vec<(&'static str, String)>, String);

pub(crate) fn corpus() -> Vec<Case> {
    let with = |name, value: &str| vec![(name, value.to_owned())];
    let smuggled = SMUGGLED.to_owned();
    let length = SMUGGLED.len().to_string();
    vec![
        (
            "CR LF in a value",
            with("x", &format!("1\r\n\r\n{SMUGGLED}")),
            String::new(),
        ),
        (
            "LF in a value",
            with("x", "1\ntransfer-encoding: chunked"),
            smuggled.clone(),
        ),
        ("NUL in a value", with("x", "1\0"), smuggled.clone()),
        (
            "a line in a name",
            with("x: 1\r\ntransfer-encoding", "chunked"),
            format!("0\r\n\r\n{SMUGGLED}"),
        ),
        (
            "a colon in a name",
            with("transfer-encoding:x", "chunked"),
            format!("0\r\n\r\n{SMUGGLED}"),
        ),
        (
            "a space in a name",
            with("transfer-encoding ", "chunked"),
            format!("0\r\n\r\n{SMUGGLED}"),
        ),
        (
            "H2.TE",
            with("transfer-encoding", "chunked"),
            format!("0\r\n\r\n{SMUGGLED}"),
        ),
        (
            "H2.CL of nothing",
            with("content-length", "0"),
            smuggled.clone(),
        ),
        (
            "H2.CL of less",
            with("content-length", "3"),
            format!("abc{SMUGGLED}"),
        ),
        (
            "H2.CL of more",
            with("content-length", "500"),
            smuggled.clone(),
        ),
        (
            "H2.CL of a list",
            with("content-length", &format!("{length}, 0")),
            smuggled.clone(),
        ),
        (
            "H2.CL with a sign",
            with("content-length", &format!("+{length}")),
            smuggled.clone(),
        ),
        (
            "two lengths",
            vec![("content-length", length), ("content-length", "0".into())],
            smuggled.clone(),
        ),
        (
            "a connection field",
            with("connection", "content-length"),
            smuggled.clone(),
        ),
        ("an upgrade", with("upgrade", "websocket"), smuggled),
        (
            "a line in the path",
            with(":path", &format!("/ HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}")),
            String::new(),
        ),
        (
            "a space in the path",
            with(":path", "/smuggled HTTP/1.1"),
            String::new(),
        ),
        (
            "a path of another host",
            with(":path", "http://b/smuggled"),
            String::new(),
        ),
        (
            "a line in the method",
            with(":method", "GET /smuggled HTTP/1.1\r\nx:"),
            String::new(),
        ),
        (
            "a space in the method",
            with(":method", "GET /smuggled"),
            String::new(),
        ),
        (
            "a line in the authority",
            with(":authority", &format!("a\r\n\r\n{SMUGGLED}")),
            String::new(),
        ),
        (
            "a user in the authority",
            with(":authority", "a@b"),
            String::new(),
        ),
        ("a host that differs", with("host", "b"), String::new()),
        (
            "a line in the scheme",
            with(":scheme", "http://a/smuggled HTTP/1.1\r\nx: "),
            String::new(),
        ),
    ]
}

async fn send(proxy: &Proxy, more: &[(&'static str, String)], body: &str) -> End {
    let is_replaced = |name: &str| {
        more.iter()
            .any(|(other, _)| *other == name && name.starts_with(':'))
    };
    let pseudo = POST.into_iter().filter(|(name, _)| !is_replaced(name));
    let mut all: Vec<(&str, &str)> = pseudo.collect();
    all.extend(
        more.iter()
            .filter(|(name, _)| name.starts_with(':'))
            .map(|(name, value)| (*name, value.as_str())),
    );
    all.extend(
        more.iter()
            .filter(|(name, _)| !name.starts_with(':'))
            .map(|(name, value)| (*name, value.as_str())),
    );
    let mut client = RawHttp2::connect(proxy.address).await;
    let head = frame(HEADERS, END_HEADERS, 1, &fields(&all));
    let body = frame(DATA, END_STREAM, 1, body.as_bytes());
    client.send([head, body].concat()).await;
    client.end(1).await
}

#[tokio::test]
async fn what_http1_could_read_otherwise_is_refused() {
    for (name, more, body) in corpus() {
        let server = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await
            .unwrap();
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let end = send(&proxy, &more, &body).await;
        assert!(
            matches!(end, End::Refused(_) | End::Answer(400 | 404)),
            "{name}: {end:?}"
        );
        // A request whose body turns out not to be what was said may have begun, and is broken off.
        for seen in server.seen() {
            assert!(name.starts_with("H2.CL of"), "{name}: {seen:?}");
        }
    }
}

/// A length would be read as that of a body, and what follows the switch as that body.
#[tokio::test]
async fn a_websocket_has_no_length() {
    let server = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await
        .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let length = SMUGGLED.len().to_string();
    let more = [
        (":method", "CONNECT".to_owned()),
        (":protocol", "websocket".to_owned()),
        ("content-length", length),
    ];
    assert_eq!(send(&proxy, &more, SMUGGLED).await, End::Answer(400));
    assert_eq!(server.seen(), [""; 0]);
}

/// A service that reads by its own rules, not by ours: it answers each request with its path.
#[tokio::test]
async fn no_service_sees_a_second_request() {
    let hyper =
        Backend::answering(|request| http::Response::new(request.uri().path().to_owned().into()))
            .await
            .unwrap();
    let python = PythonServer::start();
    for address in [hyper.address, python.address] {
        let proxy = Proxy::running(&gateway_to(address)).await;
        for (name, more, body) in corpus() {
            send(&proxy, &more, &body).await;
            for _ in 0..2 {
                let response = proxy.get("/honest").await;
                assert_eq!(
                    (response.status, response.text().as_str()),
                    (200, "/honest"),
                    "{name}"
                );
            }
        }
    }
}

/// Python's `http.server`.
struct PythonServer {
    process: std::process::Child,
    address: std::net::SocketAddr,
}

const SCRIPT: &str = r#"
import http.server, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            while self.rfile.readline() != b"\r\n":
                pass
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"#;

impl PythonServer {
    fn start() -> Self {
        use std::io::BufRead;
        use std::process::{Command, Stdio};
        let mut process = Command::new("python3")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        std::io::BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        Self {
            process,
            address: ([127, 0, 0, 1], port.trim().parse().unwrap()).into(),
        }
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}
