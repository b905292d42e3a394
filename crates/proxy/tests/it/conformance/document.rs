//! `docs/conformance.md`, written from the tables; `UPDATE=1` writes it anew.

use std::fmt::Write;
use std::path::Path;

use super::behaviour;
use super::requests;
use super::responses::{self, Got};
use crate::http2_raw::End;
use crate::{http2_conformance, http2_smuggling, smuggling};

const INTRODUCTION: &str = "# Conformance

What Serin's data plane does with HTTP, case by case. Written by the tests in `crates/proxy/tests/it/conformance`
from the tables that they try on the wire; do not edit it, run

```console
$ UPDATE=1 cargo nextest run -p proxy the_document_is_the_table
```

Standards: [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110) (semantics), [RFC
9112](https://www.rfc-editor.org/rfc/rfc9112) (HTTP/1.1), [RFC 9113](https://www.rfc-editor.org/rfc/rfc9113) (HTTP/2), [RFC
8441](https://www.rfc-editor.org/rfc/rfc8441) (WebSockets in HTTP/2).

## Where it differs on purpose

| clause | the standard | Serin |
|---|---|---|
| RFC 9110 7.6.3 | a proxy sends `Via` | none is added, as Envoy adds none: answers and requests stay as the application made them |
| RFC 9110 7.6.2 | `Max-Forwards` of OPTIONS and TRACE is counted down | it passes unchanged |
| RFC 9112 6.3 | equal lengths given twice may be made one | the message is refused |
| RFC 9112 5.2 | a folded line in a response may be unfolded | the response is refused |
| RFC 9112 6.1 | codings before `chunked` may pass | `Transfer-Encoding` is `chunked` or the message is refused |
| RFC 9110 9.3.6 | CONNECT makes a tunnel to the authority | to an endpoint of its route, once that grants it |
| RFC 9110 8.6, RFC 9112 6.1 | a server sends no length and no chunks with a 2xx to CONNECT | one that does has its line taken away; both, or two lengths, are refused |
";

struct Table(String);

impl Table {
    fn begin(&mut self, title: &str, words: &str, columns: [&str; 3]) {
        let [clause, case, does] = columns;
        let out = &mut self.0;
        write!(
            out,
            "\n## {title}\n\n{words}\n\n| {clause} | {case} | {does} |\n|---|---|---|\n"
        )
        .unwrap();
    }

    fn row(&mut self, clause: &str, case: &str, does: &str) {
        writeln!(
            self.0,
            "| {clause} | {} | {} |",
            escaped(case),
            escaped(does)
        )
        .unwrap();
    }
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Bytes of a message as a reader can see them.
fn shown(bytes: &str) -> String {
    let visible = bytes
        .replace('\r', "\\r")
        .replace('\n', "\\n")
        .replace('\t', "\\t");
    format!("`` {visible} ``")
}

fn document() -> String {
    let mut table = Table(INTRODUCTION.to_owned());
    table.begin(
        "Requests that pass (HTTP/1.1)",
        "Each is followed by a second request on the same connection, which the service must read as one of its own. \
         Shown by `each_request_goes_on_as_the_table_says`.",
        ["clause", "case", "the service gets"],
    );
    for case in &requests::CASES {
        let does = case.passed.map_or("what was sent".to_owned(), shown);
        table.row(case.clause, case.what, &does);
    }
    table.begin(
        "Requests that are refused (HTTP/1.1)",
        "Each hides a second request. It is answered with an error and the connection ends; neither nginx nor Python's \
         h11 behind the proxy ever reads the hidden one, and what they log is what was asked. Shown by \
         `nothing_ambiguous_reaches_a_server`, `nginx_and_the_proxy_never_disagree` and \
         `python_and_the_proxy_never_disagree`.",
        ["clause", "case", "the client gets"],
    );
    for (name, _, status) in smuggling::corpus() {
        let (clause, case) = name.split_once(": ").unwrap();
        table.row(&format!("RFC 9112 {clause}"), case, &status.to_string());
    }
    table.begin(
        "Responses (HTTP/1.1)",
        "Each is followed by another request on the same connection of the client's. Shown by \
         `each_response_comes_back_as_the_table_says`.",
        ["clause", "case", "the client gets"],
    );
    for case in &responses::CASES {
        let does = match case.got {
            Got::AsItCame => "what was sent".to_owned(),
            Got::Changed(text) => shown(text),
            Got::BadGateway => "502".to_owned(),
        };
        table.row(case.clause, case.what, &does);
    }
    table.begin(
        "HTTP/2",
        "What follows a client's preface, and how its stream ends. An error's code may be the general PROTOCOL_ERROR (1) \
         where the standard has one that says more. Shown by `every_case_ends_as_the_standard_says`.",
        ["clause", "case", "the stream ends with"],
    );
    for (name, _, end) in http2_conformance::cases() {
        let (clause, case) = name.split_once(": ").unwrap();
        let does = match end {
            End::Answer(status) => status.to_string(),
            End::Refused(code) => format!("error {code}"),
            other => format!("{other:?}"),
        };
        table.row(&format!("RFC 9113 {clause}"), case, &does);
    }
    table.begin(
        "From HTTP/2 to HTTP/1.1",
        "One request in HTTP/2 that would be two in HTTP/1.1 is refused. Shown by `what_http1_could_read_otherwise_is_refused` \
         and, with hyper and Python's `http.server` behind the proxy, `no_service_sees_a_second_request`.",
        ["clause", "case", "the stream ends with"],
    );
    for (name, _, _) in http2_smuggling::corpus() {
        table.row("RFC 9113 8.2, 8.3, 10.3", name, "an error, or 400");
    }
    table.begin(
        "What takes more than one message",
        "Each rule is shown by the test beside it.",
        ["clause", "rule", "shown by"],
    );
    for (clause, rule, test) in behaviour::RULES {
        table.row(clause, rule, &format!("`{test}`"));
    }
    table.0
}

#[test]
fn the_document_is_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("docs/conformance.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == document(),
        "docs/conformance.md is out of date: run this test with UPDATE=1"
    );
}

#[test]
fn every_test_that_the_document_names_exists() {
    let mut sources = String::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let named = document();
    let words = named
        .split('`')
        .filter(|word| word.matches('_').count() >= 2);
    let tests: Vec<_> = words
        .filter(|word| {
            word.bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        })
        .collect();
    assert!(tests.len() > behaviour::RULES.len());
    for test in tests {
        let is_a_test = ["#[tokio::test]\nasync fn ", "#[test]\nfn "]
            .iter()
            .any(|head| sources.contains(&format!("{head}{test}(")));
        assert!(is_a_test, "{test} is no test");
    }
}
