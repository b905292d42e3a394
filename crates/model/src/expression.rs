//! Regular expressions as App Mesh's proxies read them: RE2's, and over the whole text `[A]`.
//!
//! The regex crate reads nearly the same language in linear time. Where the two differ on an expression that
//! RE2 takes, it is rewritten: a `{` that begins no repetition and a `[` inside a class are themselves,
//! `\Q...\E` quotes, and `\w`, `\d`, `\s` and `\b` know ASCII only. What a mesh accepts and what a proxy runs are
//! made here both, so a proxy never meets an expression that it cannot compile.

use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::{Regex, RegexBuilder};

/// Bytes of a compiled expression: far more than the 1,000 instructions that App Mesh let RE2 have `[A]`,
/// and little enough to be compiled in milliseconds.
const LARGEST: usize = 1024 * 1024;

/// Compiles an expression that must match the whole of a text.
pub fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    let pattern = rewritten(pattern);
    // By itself first: `a)(b` would close the group around it.
    compile(&pattern)?;
    compile(&format!(r"\A(?:{pattern})\z"))
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(LARGEST).build()
}

fn rewritten(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\\' if rest.peek() == Some(&'Q') => quote(&mut rest, &mut written),
            '\\' => escape(&mut rest, &mut written),
            '[' => class(&mut rest, &mut written),
            '{' if !begins_repetition(rest.clone()) => written.push_str(r"\{"),
            _ => written.push(next),
        }
    }
    written
}

/// From `\Q` to `\E`, or to the end.
fn quote(rest: &mut Peekable<Chars<'_>>, written: &mut String) {
    rest.next();
    let text: String = rest.clone().collect();
    let quoted = text.split(r"\E").next().unwrap_or_default();
    written.push_str(&regex::escape(quoted));
    rest.by_ref()
        .take(quoted.chars().count() + r"\E".len())
        .for_each(drop);
}

/// What follows a backslash outside of a class.
fn escape(rest: &mut Peekable<Chars<'_>>, written: &mut String) {
    match rest.next() {
        Some(boundary @ ('b' | 'B')) => written.push_str(&format!(r"(?-u:\{boundary})")),
        Some(letter) => match ascii_class(letter) {
            Some((members, is_negated)) => {
                let negation = if is_negated { "^" } else { "" };
                written.push_str(&format!("[{negation}{members}]"));
            }
            None => copy_escape(letter, rest, written),
        },
        None => written.push('\\'),
    }
}

/// A bracketed class, up to its `]`.
fn class(rest: &mut Peekable<Chars<'_>>, written: &mut String) {
    written.push('[');
    if rest.next_if_eq(&'^').is_some() {
        written.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        written.push_str(r"\]");
    }
    while let Some(next) = rest.next() {
        match next {
            ']' => return written.push(']'),
            '\\' => class_escape(rest, written),
            '[' if rest.peek() == Some(&':') => written.push('['),
            // Operators of the regex crate alone.
            '[' | '&' | '~' => written.extend(['\\', next]),
            '-' if rest.next_if_eq(&'-').is_some() => written.push_str(r"-\-"),
            _ => written.push(next),
        }
        if written.ends_with('[') {
            copy_named_class(rest, written);
        }
    }
}

fn class_escape(rest: &mut Peekable<Chars<'_>>, written: &mut String) {
    let Some(letter) = rest.next() else {
        return written.push('\\');
    };
    match ascii_class(letter) {
        Some((members, false)) => written.push_str(members),
        Some((members, true)) => written.push_str(&format!("[^{members}]")),
        None => copy_escape(letter, rest, written),
    }
}

/// The rest of `[:alpha:]`, whose own `]` ends no class.
fn copy_named_class(rest: &mut Peekable<Chars<'_>>, written: &mut String) {
    while let Some(next) = rest.next() {
        written.push(next);
        if next == ':' && rest.next_if_eq(&']').is_some() {
            return written.push(']');
        }
    }
}

/// An escape that both read alike; the braces of `\x{...}` and `\p{...}` belong to it.
fn copy_escape(letter: char, rest: &mut Peekable<Chars<'_>>, written: &mut String) {
    written.extend(['\\', letter]);
    if matches!(letter, 'x' | 'p' | 'P') && rest.peek() == Some(&'{') {
        for next in rest.by_ref() {
            written.push(next);
            if next == '}' {
                return;
            }
        }
    }
}

/// The members of a class that RE2 keeps to ASCII, and whether it is the class of all others.
fn ascii_class(letter: char) -> Option<(&'static str, bool)> {
    let members = match letter.to_ascii_lowercase() {
        'w' => "0-9A-Za-z_",
        'd' => "0-9",
        's' => r"\t\n\f\r ",
        _ => return None,
    };
    Some((members, letter.is_ascii_uppercase()))
}

/// Whether what follows a `{` makes it `{n}`, `{n,}` or `{n,m}`.
fn begins_repetition(rest: Peekable<Chars<'_>>) -> bool {
    let inside: String = rest.take_while(|next| *next != '}').collect();
    let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

#[cfg(test)]
mod tests {
    use super::whole;

    /// Each expression, a text that it matches, and one that it does not.
    const READ: [(&str, &str, &str); 16] = [
        ("/users/{id}", "/users/{id}", "/users/1"),
        ("a{,5}", "a{,5}", "aaa"),
        ("a{2}", "aa", "a{2}"),
        ("a{2,3}b", "aaab", "ab"),
        (r"\Qa.b\E+", "a.bb", "acb"),
        (r"\Qa.b", "a.b", "acb"),
        ("[[a]+", "[a", "b"),
        ("[]a]+", "]a", "b"),
        ("[^]a]+", "bc", "]"),
        ("[a&&b]+", "a&b", "c"),
        ("[[:alpha:]-]+", "a-b", "1"),
        (r"\w+", "a_1", "é"),
        (r"[\w.]+", "a.b", "a-b"),
        (r"[^\W]+", "ab", "a-"),
        (r"\x{e9}\d", "é1", "e1"),
        (r"é.", "éé", "é"),
    ];

    #[test]
    fn expressions_mean_what_they_mean_to_re2() {
        for (pattern, matching, other) in READ {
            let expression = whole(pattern).unwrap();
            assert!(expression.is_match(matching.as_bytes()), "{pattern}");
            assert!(!expression.is_match(other.as_bytes()), "{pattern}");
        }
    }

    #[test]
    fn what_would_leave_its_place_is_refused() {
        for pattern in ["(?x)a # b", "a)(b", "(", "[a", r"\", "a**)", r"\C"] {
            assert!(whole(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_counted_class_of_letters_is_small_and_a_huge_one_refused() {
        assert!(whole(r"\w{1,255}").is_ok());
        assert!(whole(r"(\pL{1,255}){1,255}").is_err());
    }
}
