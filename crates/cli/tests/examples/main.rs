//! Both crystal services, `examples/crystal` and its twin in Rust, as they come
//! and with each of their patches applied.
//!
//! Every version is built as a newcomer would build it, in a copy of the example,
//! and asked by curl and over plain sockets. The same checks run against both, so
//! the twins cannot drift apart. Without a Crystal compiler its half is skipped,
//! but never in CI.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and may speak"
)]

mod service;

use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use service::{Server, Twin, Version};
use tempfile::TempDir;

const AZ: &str = "127.0.0.1 in AZ-a";

#[test]
fn crystal_answers_as_the_workshop_says() {
    vanilla(Twin::Crystal);
}

#[test]
fn rust_answers_as_the_workshop_says() {
    vanilla(Twin::Rust);
}

#[test]
fn crystal_patched_with_add_time_ms_tells_the_time() {
    add_time_ms(Twin::Crystal);
}

#[test]
fn rust_patched_with_add_time_ms_tells_the_time() {
    add_time_ms(Twin::Rust);
}

#[test]
fn crystal_patched_with_error_fails_half_of_its_requests() {
    error(Twin::Crystal);
}

#[test]
fn rust_patched_with_error_fails_half_of_its_requests() {
    error(Twin::Rust);
}

fn vanilla(twin: Twin) {
    let Some(version) = Version::build(twin, None) else {
        return;
    };
    says_what_it_needs_to_start(&version);

    let server = Server::start(&version, AZ);
    tells_its_start_in_the_log(&server);
    answers_exact_paths_by_any_method(&server);
    compresses_as_the_client_accepts(&server);
    keeps_connections_and_frames_every_body(&server);
    closes_when_the_client_wants_it(&server);
    outlives_bad_clients(&server);
    serves_many_clients_at_once(&server);
    finishes_what_is_under_way_on_sigterm(server);
}

fn add_time_ms(twin: Twin) {
    let Some(version) = Version::build(twin, Some("add_time_ms")) else {
        return;
    };
    let server = Server::start(&version, AZ);

    let before = milliseconds_since_1970();
    let body = server.curl("/crystal", &[]).body;
    let after = milliseconds_since_1970();

    let (text, time) = body.rsplit_once(" at ").expect("the text ends in a time");
    assert_eq!(
        text,
        format!("Crystal backend: Hello! from {AZ} commit CANARY\n")
    );
    let time: u128 = time.parse().expect("the time is a number alone");
    assert!(
        (before..=after).contains(&time),
        "{before} <= {time} <= {after}"
    );
    assert_eq!(server.curl("/crystal/api", &[]).body, json("CANARY"));
    assert_eq!(server.curl("/health", &[]).body, "Healthy!");
}

fn error(twin: Twin) {
    let Some(version) = Version::build(twin, Some("error")) else {
        return;
    };
    let server = Server::start(&version, AZ);

    for (path, text) in [("/crystal", text("ERROR")), ("/crystal/api", json("ERROR"))] {
        let requests = 400;
        let mut failed = 0;
        let mut connection = server.connect();
        for _ in 0..requests {
            let response = connection.get(path);
            if response.status == 503 {
                failed += 1;
                assert_eq!(response.body, "The server cannot handle the request\n");
            } else {
                assert_eq!((response.status, response.body), (200, text.clone()));
            }
        }
        // Six standard deviations to each side: 2 false alarms in 10^9 runs.
        assert!(
            (140..=260).contains(&failed),
            "{failed} of {requests} requests to {path} failed"
        );
    }

    let mut connection = server.connect();
    for _ in 0..100 {
        assert_eq!(connection.get("/health").body, "Healthy!");
    }
}

// What every version as it comes must do.

fn says_what_it_needs_to_start(version: &Version) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let elsewhere = TempDir::new().unwrap();

    let [
        mut without_ip,
        mut without_az,
        mut bad_port,
        mut taken_port,
        mut without_hash,
    ] = std::array::from_fn(|_| version.command(AZ));
    without_ip.env_remove("IP");
    without_az.env_remove("AZ");
    bad_port.env("PORT", "http");
    taken_port.env("PORT", taken);
    without_hash.current_dir(elsewhere.path());

    for (mut command, message) in [
        (without_ip, "the environment variable IP is not set"),
        (without_az, "the environment variable AZ is not set"),
        (bad_port, "PORT=http is not a port"),
        (taken_port, "choose another port with PORT"),
        (without_hash, "cannot read code_hash.txt"),
    ] {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(message), "{said}");
    }
}

fn tells_its_start_in_the_log(server: &Server) {
    let process = server.child.id();
    let expected = [
        ("D", "DEBUG -- : Created logger"),
        ("I", " INFO -- : Program started"),
        ("W", " WARN -- : Nothing to do!"),
        ("D", "DEBUG -- : code_hash is: NOHASH"),
        ("D", "DEBUG -- : ip is: 127.0.0.1"),
        ("D", "DEBUG -- : az is: 127.0.0.1 in AZ-a"),
    ];
    assert_eq!(server.started.len(), expected.len(), "{:?}", server.started);
    for (line, (initial, message)) in server.started.iter().zip(expected) {
        let (head, tail) = line
            .split_once("] ")
            .expect("a time and a process in brackets");
        assert_eq!(tail, message);
        let head = head
            .strip_prefix(&format!("{initial}, ["))
            .expect("the initial");
        let time = head
            .strip_suffix(&format!(" UTC #{process}"))
            .expect("the process");
        let digits: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(digits, "0000-00-00 00:00:00", "{line}");
        let today = Command::new("date")
            .args(["-u", "+%F"])
            .output()
            .unwrap()
            .stdout;
        assert_eq!(time[..10], *String::from_utf8(today).unwrap().trim());
    }
}

fn answers_exact_paths_by_any_method(server: &Server) {
    let (text, json) = (text("NOHASH"), json("NOHASH"));
    let not_found = (404, "text/plain", "Not Found\n");
    let table = [
        ("/crystal", (200, "text/plain", &*text)),
        ("/crystal/", (200, "text/plain", &*text)),
        ("/crystal?from=http://a/health", (200, "text/plain", &*text)),
        ("/crystal/api", (200, "application/json", &*json)),
        ("/crystal/api/", (200, "application/json", &*json)),
        ("/health", (200, "text/plain", "Healthy!")),
        ("/", not_found),
        ("/Crystal", not_found),
        ("/crystals", not_found),
        ("/crystal/api/x", not_found),
        ("/health/", not_found),
    ];
    for (path, (status, content_type, body)) in table {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let response = server.curl(path, &["-X", method]);
            assert_eq!(response.status, status, "{method} {path}");
            assert_eq!(
                response.header("content-type"),
                Some(content_type),
                "{method} {path}"
            );
            assert_eq!(
                response.header("connection"),
                Some("keep-alive"),
                "{method} {path}"
            );
            assert_eq!(response.header("content-encoding"), None, "{method} {path}");
            assert_eq!(response.body, body, "{method} {path}");
            server.expect_log(&format!("{method} {path} - {status} ("));
        }
        let head = server.curl(path, &["--head"]);
        assert_eq!((head.status, &*head.body), (status, ""), "HEAD {path}");
        assert_eq!(
            head.header("content-length"),
            Some(&*body.len().to_string()),
            "HEAD {path}"
        );
    }
}

fn compresses_as_the_client_accepts(server: &Server) {
    let table = [
        (None, None),
        (Some("identity"), None),
        (Some("gzipped, inflate"), None),
        (Some("gzip"), Some("gzip")),
        (Some("br;q=1, GZip;q=0.5"), Some("gzip")),
        (Some("deflate, gzip"), Some("gzip")),
        (Some("deflate"), Some("deflate")),
    ];
    for (accepted, encoding) in table {
        for (path, body) in [
            ("/crystal", text("NOHASH")),
            ("/nowhere", "Not Found\n".to_owned()),
        ] {
            // With --compressed curl decodes the body, and checks its sums.
            let header = format!("Accept-Encoding: {}", accepted.unwrap_or_default());
            let response = server.curl(path, &["--compressed", "-H", header.trim_end_matches(' ')]);
            assert_eq!(response.header("content-encoding"), encoding, "{header}");
            assert_eq!(response.body, body, "{header}");
        }
    }
}

fn keeps_connections_and_frames_every_body(server: &Server) {
    let mut connection = server.connect();
    // Sent at once: a body taken for a request, or the reverse, would show.
    connection.send(
        "POST /crystal HTTP/1.1\r\nHost: a\r\nContent-Length: 22\r\n\r\nGET /none HTTP/1.1\r\n\r\n\
         POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n\
         HEAD /crystal HTTP/1.1\r\nhost: a\r\ncanary_fleet: true\r\n\r\n\
         GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let response = connection.receive();
    assert_eq!((response.status, response.body), (200, text("NOHASH")));
    assert_eq!(connection.receive().body, "Healthy!");
    assert_eq!(connection.receive_head().status, 200);
    let response = connection.receive();
    assert_eq!((response.status, &*response.body), (404, "Not Found\n"));

    connection.send(
        "POST /crystal HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    );
    assert_eq!(connection.receive_head().status, 100);
    connection.send("abc");
    assert_eq!(connection.receive().body, text("NOHASH"));

    let large = "x".repeat(4 << 20);
    connection.send(&format!(
        "PUT /health HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{large}",
        large.len()
    ));
    assert_eq!(connection.receive().body, "Healthy!");
}

fn closes_when_the_client_wants_it(server: &Server) {
    for request in [
        "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /health HTTP/1.0\r\n\r\n",
    ] {
        let mut connection = server.connect();
        connection.send(request);
        let response = connection.receive();
        assert_eq!(response.body, "Healthy!");
        assert_ne!(response.header("connection"), Some("keep-alive"));
        assert!(connection.is_closed(), "{request}");
    }
    let mut connection = server.connect();
    connection.send("GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_eq!(
        connection.receive().header("connection"),
        Some("keep-alive")
    );
    assert_eq!(connection.get("/health").body, "Healthy!");
}

fn outlives_bad_clients(server: &Server) {
    let endless_head = format!("GET /health HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(100_000));
    let endless_line = format!("GET /health?{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    for garbage in [
        "\0\x01\x02\r\n\r\n",
        "hello\r\n\r\n",
        "GET /\r\n\r\n",
        &endless_head,
        &endless_line,
    ] {
        let mut connection = server.connect();
        connection.send(garbage);
        let status = connection.receive_head().status;
        assert!((400..500).contains(&status), "{status} for {garbage:.40}");
    }
    for fragment in [
        "",
        "GET",
        "GET / HTTP/1.1\r\nHo",
        "PUT /crystal HTTP/1.1\r\nContent-Length: 9\r\n\r\nab",
    ] {
        let mut connection = server.connect();
        connection.send(fragment);
        connection
            .stream
            .get_ref()
            .shutdown(Shutdown::Write)
            .unwrap();
        let mut rest = Vec::new();
        let _reset = connection.stream.read_to_end(&mut rest);
    }
    assert_eq!(server.curl("/health", &[]).body, "Healthy!");
}

fn serves_many_clients_at_once(server: &Server) {
    let connections: Vec<_> = (0..64)
        .map(|_| {
            let mut connection = server.connect();
            assert_eq!(connection.get("/health").body, "Healthy!");
            connection
        })
        .collect();
    thread::scope(|scope| {
        for mut connection in connections {
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(connection.get("/crystal").body, text("NOHASH"));
                }
            });
        }
    });
}

fn finishes_what_is_under_way_on_sigterm(mut server: Server) {
    let mut idle = server.connect();
    assert_eq!(idle.get("/health").body, "Healthy!");
    let mut under_way = server.connect();
    under_way.send(
        "POST /crystal HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    );
    assert_eq!(under_way.receive_head().status, 100);

    let signal = Command::new("kill")
        .args(["-TERM", &server.child.id().to_string()])
        .status();
    assert!(signal.unwrap().success());
    assert!(
        eventually(|| TcpStream::connect(server.address).is_err()),
        "still accepts connections"
    );
    assert!(
        server.child.try_wait().unwrap().is_none(),
        "did not wait for the request under way"
    );

    under_way.send("abc");
    assert_eq!(under_way.receive().body, text("NOHASH"));
    assert!(
        eventually(|| server.child.try_wait().unwrap().is_some()),
        "still runs"
    );
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

fn text(commit: &str) -> String {
    format!("Crystal backend: Hello! from {AZ} commit {commit}\n")
}

fn json(commit: &str) -> String {
    format!(r#"{{"from":"Crystal backend", "message": "{AZ}", "commit": "{commit}"}}"#)
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with what another process says"
)]
fn milliseconds_since_1970() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

/// Within a time that is shorter than the ten seconds which a server is given to
/// finish its requests: one that merely waits them out is found out.
fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    (0..800).any(|_| {
        let holds = condition();
        if !holds {
            thread::sleep(Duration::from_millis(10));
        }
        holds
    })
}
