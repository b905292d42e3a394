//! A view's match conditions, compiled: regular expressions once, when the view is applied.

use httparse::Header;
use regex::bytes::Regex;
use view::expression;
use view::{HeaderMatch, HostMatch, PathMatch, QueryMatch, RequestMatch, ValueMatch};

/// What conditions are tried against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) authority: &'a str,
    /// Normalised, without the query.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) lines: &'a [Header<'a>],
}

/// Listeners speak plain HTTP so far.
const SCHEME: &str = "http";

#[derive(Debug)]
pub(crate) struct Matcher {
    path: Path,
    method: Option<String>,
    scheme: Option<String>,
    headers: Vec<HeaderMatcher>,
    query: Vec<QueryMatch>,
}

#[derive(Debug)]
enum Path {
    Prefix(String),
    Exact(String),
    Regex(Regex),
}

#[derive(Debug)]
struct HeaderMatcher {
    name: String,
    invert: bool,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Present,
    Exact(String),
    Prefix(String),
    Suffix(String),
    Regex(Regex),
    Range { start: i64, end: i64 },
}

impl Matcher {
    pub(crate) fn compile(matches: &RequestMatch) -> Result<Self, regex::Error> {
        Ok(Self {
            path: match &matches.path {
                PathMatch::Prefix(prefix) => Path::Prefix(prefix.clone()),
                PathMatch::Exact(path) => Path::Exact(path.clone()),
                PathMatch::Regex(pattern) => Path::Regex(expression::whole(pattern)?),
            },
            method: matches.method.clone(),
            scheme: matches.scheme.clone(),
            headers: matches
                .headers
                .iter()
                .map(HeaderMatcher::compile)
                .collect::<Result<_, _>>()?,
            query: matches.query.clone(),
        })
    }

    pub(crate) fn matches(&self, asked: &Asked<'_>) -> bool {
        let path = match &self.path {
            Path::Prefix(prefix) => asked.path.starts_with(prefix.as_str()),
            Path::Exact(path) => asked.path == path,
            Path::Regex(regex) => regex.is_match(asked.path.as_bytes()),
        };
        path && self
            .method
            .as_ref()
            .is_none_or(|method| method == asked.method)
            && self.scheme.as_ref().is_none_or(|scheme| scheme == SCHEME)
            && self.headers.iter().all(|header| header.matches(asked))
            && self
                .query
                .iter()
                .all(|query| query_matches(query, asked.query))
    }
}

impl HeaderMatcher {
    fn compile(header: &HeaderMatch) -> Result<Self, regex::Error> {
        Ok(Self {
            name: header.name.clone(),
            invert: header.invert,
            value: match &header.value {
                ValueMatch::Present => Value::Present,
                ValueMatch::Exact(text) => Value::Exact(text.clone()),
                ValueMatch::Prefix(text) => Value::Prefix(text.clone()),
                ValueMatch::Suffix(text) => Value::Suffix(text.clone()),
                ValueMatch::Regex(pattern) => Value::Regex(expression::whole(pattern)?),
                ValueMatch::Range { start, end } => Value::Range {
                    start: *start,
                    end: *end,
                },
            },
        })
    }

    /// As Envoy: a condition on the value of a header that is absent does not hold, inverted or not.
    fn matches(&self, asked: &Asked<'_>) -> bool {
        let holds = match self.name.as_str() {
            ":method" => Some(self.value.matches(asked.method.as_bytes())),
            ":scheme" => Some(self.value.matches(SCHEME.as_bytes())),
            ":path" => Some(self.value.matches(asked.path.as_bytes())),
            ":authority" => Some(self.value.matches(asked.authority.as_bytes())),
            name => self.line_matches(name, asked.lines),
        };
        match holds {
            Some(holds) => holds != self.invert,
            None => self.invert && matches!(self.value, Value::Present),
        }
    }

    /// Several lines of a name are one value, joined by commas (RFC 9110 section 5.3).
    fn line_matches(&self, name: &str, lines: &[Header<'_>]) -> Option<bool> {
        let mut values = lines
            .iter()
            .filter(|line| line.name.len() == name.len() && line.name.eq_ignore_ascii_case(name))
            .map(|line| line.value);
        let first = values.next()?;
        let Some(second) = values.next() else {
            return Some(self.value.matches(first));
        };
        let mut joined = [first, second].join(&b',');
        for value in values {
            joined.push(b',');
            joined.extend_from_slice(value);
        }
        Some(self.value.matches(&joined))
    }
}

impl Value {
    fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(text) => value == text.as_bytes(),
            Self::Prefix(text) => value.starts_with(text.as_bytes()),
            Self::Suffix(text) => value.ends_with(text.as_bytes()),
            Self::Regex(regex) => regex.is_match(value),
            Self::Range { start, end } => str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .is_some_and(|number| (*start..*end).contains(&number)),
        }
    }
}

pub(crate) fn host_matches(wanted: &HostMatch, host: &str) -> bool {
    match wanted {
        HostMatch::Exact(name) => host.eq_ignore_ascii_case(name),
        HostMatch::Suffix(suffix) => host
            .len()
            .checked_sub(suffix.len())
            .and_then(|at| host.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix)),
    }
}

/// The first parameter of the name decides, as in Envoy.
fn query_matches(wanted: &QueryMatch, query: Option<&str>) -> bool {
    query
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(name, _)| decoded(name).eq(wanted.name.bytes()))
        .is_some_and(|(_, value)| {
            wanted
                .exact
                .as_ref()
                .is_none_or(|exact| decoded(value).eq(exact.bytes()))
        })
}

fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let escaped = (byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        at += if escaped.is_some() { 3 } else { 1 };
        Some(escaped.unwrap_or(byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [Header<'static>; 4] = [
        Header {
            name: "canary_fleet",
            value: b"true",
        },
        Header {
            name: "X-Many",
            value: b"a",
        },
        Header {
            name: "x-many",
            value: b"b",
        },
        Header {
            name: "Age",
            value: b"17",
        },
    ];

    fn asked() -> Asked<'static> {
        Asked {
            method: "GET",
            authority: "crystal.local:3000",
            path: "/crystal/api",
            query: Some("a=1&b&a=2&c%20d=e%2Bf&%zz=%"),
            lines: &LINES,
        }
    }

    fn any() -> RequestMatch {
        RequestMatch {
            path: PathMatch::Prefix("/".into()),
            method: None,
            scheme: None,
            headers: vec![],
            query: vec![],
        }
    }

    fn matches(condition: &RequestMatch) -> bool {
        Matcher::compile(condition).unwrap().matches(&asked())
    }

    #[test]
    fn paths() {
        for (path, expected) in [
            (PathMatch::Prefix("/".into()), true),
            (PathMatch::Prefix("/cry".into()), true),
            (PathMatch::Prefix("/Cry".into()), false),
            (PathMatch::Prefix("/crystal/api/v2".into()), false),
            (PathMatch::Exact("/crystal/api".into()), true),
            (PathMatch::Exact("/crystal".into()), false),
            (PathMatch::Regex("/crystal/.*".into()), true),
            (PathMatch::Regex("/crystal".into()), false),
            (PathMatch::Regex("crystal/api".into()), false),
            (PathMatch::Regex("/a|/crystal/api".into()), true),
        ] {
            assert_eq!(
                matches(&RequestMatch {
                    path: path.clone(),
                    ..any()
                }),
                expected,
                "{path:?}"
            );
        }
        assert!(
            Matcher::compile(&RequestMatch {
                path: PathMatch::Regex("(".into()),
                ..any()
            })
            .is_err()
        );
    }

    #[test]
    fn method_and_scheme() {
        for (condition, expected) in [
            (
                RequestMatch {
                    method: Some("GET".into()),
                    ..any()
                },
                true,
            ),
            (
                RequestMatch {
                    method: Some("POST".into()),
                    ..any()
                },
                false,
            ),
            (
                RequestMatch {
                    scheme: Some("http".into()),
                    ..any()
                },
                true,
            ),
            (
                RequestMatch {
                    scheme: Some("https".into()),
                    ..any()
                },
                false,
            ),
            (RequestMatch { ..any() }, true),
        ] {
            assert_eq!(matches(&condition), expected, "{condition:?}");
        }
    }

    #[test]
    fn headers() {
        use ValueMatch::*;
        for (name, value, plain, inverted) in [
            ("canary_fleet", Present, true, false),
            ("CANARY_FLEET", Exact("true".into()), true, false),
            ("canary_fleet", Exact("TRUE".into()), false, true),
            ("canary_fleet", Prefix("tr".into()), true, false),
            ("canary_fleet", Suffix("ue".into()), true, false),
            ("canary_fleet", Regex("t.*e".into()), true, false),
            ("canary_fleet", Regex("tr".into()), false, true),
            ("x-many", Exact("a,b".into()), true, false),
            ("x-many", Exact("a".into()), false, true),
            ("age", Range { start: 17, end: 18 }, true, false),
            ("age", Range { start: 0, end: 17 }, false, true),
            ("canary_fleet", Range { start: 0, end: 17 }, false, true),
            (":method", Exact("GET".into()), true, false),
            (":scheme", Exact("https".into()), false, true),
            (":path", Prefix("/crystal".into()), true, false),
            (":authority", Prefix("crystal.local".into()), true, false),
            ("absent", Present, false, true),
            ("absent", Exact("a".into()), false, false),
            ("absent", Range { start: 0, end: 9 }, false, false),
        ] {
            for (invert, expected) in [(false, plain), (true, inverted)] {
                let header = HeaderMatch {
                    name: name.to_lowercase(),
                    invert,
                    value: value.clone(),
                };
                let condition = RequestMatch {
                    headers: vec![header],
                    ..any()
                };
                assert_eq!(matches(&condition), expected, "{condition:?}");
            }
        }
    }

    #[test]
    fn query_parameters() {
        for (name, exact, expected) in [
            ("a", None, true),
            ("a", Some("1"), true),
            ("a", Some("2"), false),
            ("b", None, true),
            ("b", Some(""), true),
            ("c d", Some("e+f"), true),
            ("%zz", Some("%"), true),
            ("absent", None, false),
        ] {
            let query = vec![QueryMatch {
                name: name.into(),
                exact: exact.map(Into::into),
            }];
            assert_eq!(
                matches(&RequestMatch { query, ..any() }),
                expected,
                "{name} {exact:?}"
            );
        }
    }

    #[test]
    fn hosts() {
        assert!(host_matches(&HostMatch::Exact("a.b".into()), "A.b"));
        assert!(!host_matches(&HostMatch::Exact("a.b".into()), "x.a.b"));
        assert!(host_matches(&HostMatch::Suffix(".b".into()), "a.B"));
        assert!(!host_matches(&HostMatch::Suffix(".b".into()), "b"));
        assert!(!host_matches(&HostMatch::Suffix("bb".into()), "aéb"));
    }
}
