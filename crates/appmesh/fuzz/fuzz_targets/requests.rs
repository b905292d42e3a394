//! Any sequence of requests. The input is text that a person can write too: a line with method and target, the body
//! after it, and an empty line before the next request.

#![no_main]

#[path = "../../tests/arbitrary/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let checked = check::Checked::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (request, others) = split(rest, b"\n\n");
        let (line, body) = split(request, b"\n");
        let (method, target) = split(line, b" ");
        checked.ask(method, target, body);
        rest = others;
    }
    checked.assert_whole();
});

/// What stands before the separator and what after it.
fn split<'b>(bytes: &'b [u8], separator: &[u8]) -> (&'b [u8], &'b [u8]) {
    match bytes
        .windows(separator.len())
        .position(|part| part == separator)
    {
        Some(at) => (&bytes[..at], &bytes[at + separator.len()..]),
        None => (bytes, &[]),
    }
}
