//! The query of a request, decoded, and as Signature Version 4 writes it.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// All but letters, digits and `-._~`.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Names and values in the order of the request, decoded: two ways to write a byte are one.
pub(crate) struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    pub(crate) fn read(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Self(decoded.collect())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        let found = self
            .0
            .iter()
            .filter(move |(each, _)| each == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(each, _)| each == name.as_bytes())
    }

    /// Encoded one way and sorted, without the parameter that holds the signature itself.
    pub(crate) fn canonical(&self, without: Option<&str>) -> String {
        let signed = self
            .0
            .iter()
            .filter(|(name, _)| without.is_none_or(|without| name != without.as_bytes()));
        let mut pairs: Vec<_> = signed
            .map(|(name, value)| (encoded(name), encoded(value)))
            .collect();
        pairs.sort();
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    }
}

/// As in a form: `+` is a space. That is how the signers of AWS's clients read a query.
fn decoded(text: &str) -> Vec<u8> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).collect()
}

fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_one_way() {
        for (query, expected) in [
            ("", ""),
            ("&&", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a=10", "a=1&a=10&a=2"),
            ("a", "a="),
            ("a=&a", "a=&a="),
            ("a=b=c", "a=b%3Dc"),
            ("=1", "=1"),
            ("a=%2f%2F%7e%7E~", "a=%2F%2F~~~"),
            ("a=b+c%20d%2Be", "a=b%20c%20d%2Be"),
            ("a=%zz%4", "a=%25zz%254"),
            ("a=%ff%C3%BC", "a=%FF%C3%BC"),
            // By the encoded name alone first: `-` comes before `=`, though `a=` is shorter.
            ("a-b=1&a=2", "a=2&a-b=1"),
            ("B=1&a=2&A=3", "A=3&B=1&a=2"),
        ] {
            assert_eq!(Query::read(query).canonical(None), expected, "{query}");
        }
    }

    #[test]
    fn only_the_signature_is_left_out() {
        let query = Query::read("X-Amz-Signature=1&x-amz-signature=2&a=3");
        let canonical = query.canonical(Some("X-Amz-Signature"));
        assert_eq!(canonical, "a=3&x-amz-signature=2");
    }
}
