//! Which licences a dependency may have, as an SPDX expression says it.

const LICENCES: [&str; 13] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression lets us choose permitted licences.
pub(crate) fn is_permitted(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest) == Some(true) && rest.is_empty()
}

/// `all OR all ...`; none where the expression is malformed.
fn any_of(words: &mut &[&str]) -> Option<bool> {
    let mut permitted = all_of(words)?;
    while take(words, "OR") {
        permitted |= all_of(words)?;
    }
    Some(permitted)
}

/// `one AND one ...`
fn all_of(words: &mut &[&str]) -> Option<bool> {
    let mut permitted = one(words)?;
    while take(words, "AND") {
        permitted &= one(words)?;
    }
    Some(permitted)
}

/// A licence, one `WITH` an exception, or an expression in parentheses.
fn one(words: &mut &[&str]) -> Option<bool> {
    if take(words, "(") {
        let permitted = any_of(words)?;
        return take(words, ")").then_some(permitted);
    }
    let mut licence = next(words)?.to_owned();
    if take(words, "WITH") {
        licence = format!("{licence} WITH {}", next(words)?);
    }
    Some(LICENCES.contains(&licence.as_str()))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let found = words.first() == Some(&word);
    if found {
        *words = &words[1..];
    }
    found
}

fn next<'a>(words: &mut &[&'a str]) -> Option<&'a str> {
    let (first, rest) = words.split_first()?;
    *words = rest;
    Some(first)
}

#[test]
fn licence_expressions_are_understood() {
    let permitted = [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "GPL-3.0-only AND MIT OR ISC",
        "(MIT OR GPL-3.0-only) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
    ];
    let refused = [
        "",
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "ISC OR MIT AND",
        "(MIT OR GPL-3.0-only) AND AGPL-3.0-only",
        "GPL-2.0-only AND (MIT OR ISC)",
        "MIT WITH Classpath-exception-2.0",
        "(MIT",
        "MIT)",
        "MIT ISC",
    ];
    for licence in permitted {
        assert!(is_permitted(licence), "{licence}");
    }
    for licence in refused {
        assert!(!is_permitted(licence), "{licence}");
    }
}
