//! What the tests have in common: reading a text, and comparing what came of it.

use interchange::{Document, Options, Reading, Source};
use serde_json::Value;

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
        found: false,
    }
}

/// Where the server is that the tests import into.
pub(crate) fn options() -> Options {
    Options {
        region: Some("eu-west-1".to_owned()),
        account: Some("111122223333".to_owned()),
        ..Options::default()
    }
}

pub(crate) fn read(text: &str) -> Reading {
    read_with(text, &options())
}

pub(crate) fn read_with(text: &str, options: &Options) -> Reading {
    interchange::read(&[source("mesh", text)], options)
}

/// The documents of a text in which nothing is refused.
pub(crate) fn documents(text: &str) -> Vec<Document> {
    let reading = read(text);
    assert_eq!(reading.refused, vec![]);
    reading.documents
}

/// The document of this path, and its spec on the wire.
pub(crate) fn spec_of(documents: &[Document], path: &str) -> Value {
    let found = documents.iter().find(|document| document.id.path() == path);
    let paths: Vec<String> = documents
        .iter()
        .map(|document| document.id.path())
        .collect();
    let document = found.unwrap_or_else(|| panic!("{path} is none of {paths:?}"));
    serde_json::to_value(document.spec.wire()).unwrap()
}

/// Each refusal as `line: what: reason`.
pub(crate) fn refusals(reading: &Reading) -> Vec<String> {
    let lines = reading.refused.iter().map(|refusal| {
        format!(
            "{}: {}: {}",
            refusal.place.line, refusal.what, refusal.reason
        )
    });
    lines.collect()
}
