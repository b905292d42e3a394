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

/// `%41` is `A` (RFC 3986 section 6.2.2.2), and a backslash is a slash, as URL parsers have it.
fn decode_unreserved(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find(['%', '\\']) {
        decoded.push_str(&rest[..at]);
        let special = &rest[at..];
        let taken = match special.as_bytes() {
            [b'\\', ..] => {
                decoded.push('/');
                1
            }
            [_, high, low, ..] => match unreserved(*high, *low) {
                Some(character) => {
                    decoded.push(character);
                    3
                }
                None => {
                    decoded.push('%');
                    1
                }
            },
            _ => {
                decoded.push('%');
                1
            }
        };
        rest = &special[taken..];
    }
    decoded.push_str(rest);
    decoded
}

fn unreserved(high: u8, low: u8) -> Option<char> {
    let value = char::from(high).to_digit(16)? << 4 | char::from(low).to_digit(16)?;
    char::from_u32(value).filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c))
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
            ("/%2e?%2e", "/?%2e"),
        ] {
            assert_eq!(normalize(path), normal, "{path}");
        }
    }

    proptest! {
        /// Decoding can make one new escape (`%%34%31`), never a new dot segment or double slash.
        #[test]
        fn a_normal_path_has_no_dot_segment_and_no_double_slash(path in "/[a./%2eE5cF\\\\?]{0,24}") {
            let normal = normalize(&path);
            let normal = without_query(&normal);
            prop_assert!(normal.starts_with('/'));
            prop_assert!(!normal.contains("//") && !normal.contains('\\'));
            prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}
