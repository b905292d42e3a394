//! Rules of the criteria that routes and gateway routes share.

use crate::check::Checker;
use crate::expression;
use crate::spec::{HeaderMatch, HeaderMatchMethod, PathMatch, QueryParameter};

/// A prefix, a path or neither: AWS's own examples have matches with only a port `[E]`.
pub(super) fn check_path(at: &mut Checker, prefix: Option<&String>, path: Option<&PathMatch>) {
    absolute(&mut at.inside("prefix"), prefix);
    let Some(path) = path else { return };
    let at = &mut at.inside("path");
    if prefix.is_some() {
        at.refuse("excludes a prefix");
    }
    exactly_one(
        at,
        ["exact", "regex"],
        [path.exact.is_some(), path.regex.is_some()],
    );
    absolute(&mut at.inside("exact"), path.exact.as_ref());
    if let Some(regex) = &path.regex {
        check_regex(&mut at.inside("regex"), regex);
    }
}

/// `[M]` for prefixes; `[?]` for whole paths, of which no other kind could ever match.
pub(super) fn absolute(at: &mut Checker, path: Option<&String>) {
    if let Some(path) = path.filter(|path| !path.starts_with('/')) {
        at.refuse_text(path, "does not start with /");
    }
}

/// Plain structs of the service model that are meant as unions `[K]`.
pub(super) fn exactly_one<const N: usize>(at: &mut Checker, names: [&str; N], present: [bool; N]) {
    if present.into_iter().filter(|present| *present).count() != 1 {
        at.refuse(format!("needs exactly one of {}", names.join(", ")));
    }
}

pub(super) fn check_headers(at: &mut Checker, name: &str, headers: Option<&[HeaderMatch]>) {
    at.each(name, headers, |at, header| match &header.method {
        Some(HeaderMatchMethod::Range(range)) if range.end <= range.start => {
            let rule = format!("ends at {}, not after its start {}", range.end, range.start);
            at.inside("match.range").refuse(rule);
        }
        Some(HeaderMatchMethod::Regex(regex)) => check_regex(&mut at.inside("match.regex"), regex),
        _ => {}
    });
}

/// A parameter alone must be present; a criterion without a value means nothing `[K]`.
pub(super) fn check_query_parameters(at: &mut Checker, parameters: Option<&[QueryParameter]>) {
    at.each("queryParameters", parameters, |at, parameter| {
        let criterion = parameter.matches.as_ref();
        if criterion.is_some_and(|criterion| criterion.exact.is_none()) {
            at.inside("match.exact")
                .refuse("is required in a query parameter's match");
        }
    });
}

fn check_regex(at: &mut Checker, regex: &str) {
    if let Err(error) = expression::whole(regex) {
        // The parser's report has many lines, the last of which says what is wrong.
        let report = error.to_string();
        let reason = report.lines().last().unwrap_or_default().trim();
        let reason = reason.trim_start_matches("error: ");
        at.refuse_text(regex, format!("is no regular expression: {reason}"));
    }
}
