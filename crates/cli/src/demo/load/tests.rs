use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use super::*;

#[test]
fn the_commit_stands_in_the_answer() {
    for (text, commit) in [
        (
            "Crystal backend: Hello! from 127.0.0.1 in AZ-a commit NOHASH\n",
            Some("NOHASH"),
        ),
        (
            "Crystal backend: Hello! from x commit CANARY\n at 1795384800000",
            Some("CANARY"),
        ),
        ("Crystal backend: Hello! from x commit ", None),
        ("The server cannot handle the request\n", None),
        ("", None),
    ] {
        assert_eq!(commit_of(text), commit, "{text:?}");
    }
}

/// Answers requests in turn: old version, new version, a failure, a foreign text, and a cut.
fn serve(stream: TcpStream, turn: &std::sync::atomic::AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
        }
        let (status, body) = match turn.fetch_add(1, Ordering::SeqCst) % 5 {
            0 => (
                "200 OK",
                "Crystal backend: Hello! from here commit NOHASH\n",
            ),
            1 => (
                "200 OK",
                "Crystal backend: Hello! from here commit CANARY\n at 1",
            ),
            2 => (
                "503 Service Unavailable",
                "The server cannot handle the request\n",
            ),
            3 => ("200 OK", "hello"),
            _ => return,
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if writer.write_all((head + body).as_bytes()).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn every_answer_is_counted_as_what_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = listener.local_addr().unwrap();
    let turn = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let answered = Arc::clone(&turn);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let turn = Arc::clone(&answered);
            std::thread::spawn(move || serve(stream.unwrap(), &turn));
        }
    });
    let load = Load::start(Question {
        gateway,
        host: "crystal.local".to_owned(),
        path: "/crystal",
        commits: ["NOHASH", "CANARY"],
    })
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while load.seen().requests() < 100 && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    let seen = load.finish().await;

    let asked = turn.load(Ordering::SeqCst) as u64;
    assert!(asked >= 100, "{seen:?}");
    assert_eq!(seen.requests(), asked);
    let of_five = |turn: u64| (asked + 4 - turn) / 5;
    assert_eq!(seen.answered, [of_five(0), of_five(1)]);
    assert_eq!(
        [seen.failed, seen.strange, seen.cut],
        [of_five(2), of_five(3), of_five(4)]
    );
    assert_eq!(
        seen.texts[1],
        "Crystal backend: Hello! from here commit CANARY\n at 1"
    );
}
