//! The criteria that routes and gateway routes share.

use model::spec::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{free_text, text};

pub(super) fn path() -> BoxedStrategy<PathMatch> {
    (of(text(255)), of(text(255)))
        .prop_map(|(exact, regex)| PathMatch { exact, regex })
        .boxed()
}

pub(super) fn headers() -> BoxedStrategy<Vec<HeaderMatch>> {
    let range = (any::<i64>(), any::<i64>()).prop_map(|(start, end)| MatchRange { start, end });
    let method = prop_oneof![
        text(255).prop_map(HeaderMatchMethod::Exact),
        text(255).prop_map(HeaderMatchMethod::Prefix),
        text(255).prop_map(HeaderMatchMethod::Regex),
        text(255).prop_map(HeaderMatchMethod::Suffix),
        range.prop_map(HeaderMatchMethod::Range),
    ];
    let header = (text(50), of(any::<bool>()), of(method));
    let header = header.prop_map(|(name, invert, method)| HeaderMatch {
        name,
        invert,
        method,
    });
    vec(header, 1..=10).boxed()
}

pub(super) fn query_parameters() -> BoxedStrategy<Vec<QueryParameter>> {
    let criterion = of(free_text()).prop_map(|exact| QueryParameterMatch { exact });
    let parameter = (free_text(), of(criterion));
    let parameter = parameter.prop_map(|(name, matches)| QueryParameter { name, matches });
    vec(parameter, 1..=10).boxed()
}

pub(super) fn method() -> impl Strategy<Value = HttpMethod> {
    select(vec![
        HttpMethod::Get,
        HttpMethod::Head,
        HttpMethod::Post,
        HttpMethod::Put,
        HttpMethod::Delete,
        HttpMethod::Connect,
        HttpMethod::Options,
        HttpMethod::Trace,
        HttpMethod::Patch,
    ])
}
