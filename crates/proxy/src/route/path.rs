//! Paths as App Mesh's Envoy normalised them, for matching and for forwarding alike.
//!
//! Unreserved characters are decoded, dot segments resolved, slashes merged, in that order; `%2F` and
//! `%5C` stay as they are. A path that is normal already, nearly every one, is only looked at.

use std::borrow::Cow;

/// Normalises the path in front of the first `?`.
pub(crate) fn normalize(path_and_query: &str) -> Cow<'_, str> {
    let path = without_query(path_and_query);
    if is_normal(path.as_bytes()) {
        return Cow::Borrowed(path_and_query);
    }
    let query = &path_and_query[path.len()..];
    let mut normal = merge_slashes(&resolve_dots(&decode_unreserved(path)));
    normal.push_str(query);
    Cow::Owned(normal)
}

pub(crate) fn without_query(path_and_query: &str) -> &str {
    path_and_query.split('?').next().unwrap_or(path_and_query)
}

fn is_normal(path: &[u8]) -> bool {
    let mut after_slash = false;
    for &byte in path {
        match byte {
            b'%' | b'\\' => return false,
            b'/' | b'.' if after_slash => return false,
            _ => after_slash = byte == b'/',
        }
    }
    true
}

/// `%41` is `A` (RFC 3986 section 6.2.2.2), and a backslash is a slash, as URL parsers have it. A `%` that escapes
/// nothing stays, unless it would now: whoever decodes `%%32e` gets `%2e`, and must not get a dot after us.
fn decode_unreserved(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut lone = Vec::new();
    let mut rest = path;
    while let Some(at) = rest.find(['%', '\\']) {
        decoded.push_str(&rest[..at]);
        let special = &rest[at..];
        let taken = match special.as_bytes() {
            [b'\\', ..] => {
                decoded.push('/');
                1
            }
            [_, escape @ ..] => match escaped(escape) {
                Some(value) if value.is_ascii_alphanumeric() || b"-._~".contains(&value) => {
                    decoded.push(char::from(value));
                    3
                }
                reserved => {
                    if reserved.is_none() {
                        lone.push(decoded.len());
                    }
                    decoded.push('%');
                    1
                }
            },
            [] => break,
        };
        rest = &special[taken..];
    }
    decoded.push_str(rest);
    let mut safe = String::with_capacity(decoded.len());
    let mut copied = 0;
    for after in lone.into_iter().map(|percent| percent + 1) {
        if escaped(&decoded.as_bytes()[after..]).is_some() {
            safe.push_str(&decoded[copied..after]);
            safe.push_str("25");
            copied = after;
        }
    }
    safe.push_str(&decoded[copied..]);
    safe
}

/// What the two digits after a `%` stand for.
fn escaped(after: &[u8]) -> Option<u8> {
    let [high, low, ..] = after else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

/// RFC 3986 section 5.2.4.
fn resolve_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_in_slash = false;
    for segment in path.split('/').skip(1) {
        ends_in_slash = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    if ends_in_slash {
        segments.push("");
    }
    format!("/{}", segments.join("/"))
}

fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_become_what_envoy_made_of_them() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b?c//d/../e", "/a/b?c//d/../e"),
            ("/a//b///c", "/a/b/c"),
            ("//a", "/a"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/../../etc", "/etc"),
            ("/a/b/..//c", "/a/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/%61dmin", "/admin"),
            ("/a%2Fb%5cc%20d", "/a%2Fb%5cc%20d"),
            ("/a\\..\\b", "/b"),
            ("/a.b/.c/..d", "/a.b/.c/..d"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/%%34%31%", "/%2541%"),
            ("/a/%%32e%%32e/b", "/a/%252e%252e/b"),
            ("/%%%37%65", "/%%257e"),
            ("/%2e?%2e", "/?%2e"),
        ] {
            assert_eq!(normalize(path), normal, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_path_has_no_dot_segment_and_no_double_slash(path in "/[a./%2eE5cF\\\\?]{0,24}") {
            let normal = normalize(&path);
            prop_assert_eq!(normalize(&normal), &*normal);
            let normal = without_query(&normal);
            prop_assert!(normal.starts_with('/'));
            prop_assert!(!normal.contains("//") && !normal.contains('\\'));
            prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}
