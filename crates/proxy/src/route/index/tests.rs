use std::cell::Cell;

use proptest::prelude::*;
use view::expression;

use super::*;
use crate::route::matcher::host_matches;

type Route = (Option<HostMatch>, PathMatch);

fn fits(route: &Route, host: &str, path: &str) -> bool {
    let (wanted, asked) = route;
    let path_fits = match asked {
        PathMatch::Prefix(prefix) => path.starts_with(prefix.as_str()),
        PathMatch::Exact(exact) => path == exact,
        PathMatch::Regex(pattern) => expression::whole(pattern)
            .unwrap()
            .is_match(path.as_bytes()),
    };
    path_fits
        && wanted
            .as_ref()
            .is_none_or(|wanted| host_matches(wanted, host))
}

fn index(routes: &[Route]) -> Index {
    Index::of_hosts(routes.iter().map(|(host, path)| (host.as_ref(), path)))
}

fn any_path() -> impl Strategy<Value = PathMatch> {
    prop_oneof![
        "/[ab/]{0,5}".prop_map(PathMatch::Prefix),
        "/[ab/]{0,5}".prop_map(PathMatch::Exact),
        "/[ab]{0,3}(a\\*|b\\?|a\\+|\\.\\*|\\[ab\\]|a\\{0,2\\}|\\(a\\|b\\)|\\|/b)?[ab/]{0,2}"
            .prop_map(PathMatch::Regex)
            .prop_filter("an expression", |path| match path {
                PathMatch::Regex(pattern) => expression::whole(pattern).is_ok(),
                _ => false,
            }),
    ]
}

fn any_host() -> impl Strategy<Value = Option<HostMatch>> {
    prop_oneof![
        2 => Just(None),
        1 => "[abAB]{1,2}\\.[ab]".prop_map(|name| Some(HostMatch::Exact(name))),
        1 => "(\\.|[abA])?[ab]".prop_map(|suffix| Some(HostMatch::Suffix(suffix))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever else a route asks for (here: anything at all), the first that would have matched is found.
    #[test]
    fn the_first_match_is_the_one_that_trying_all_would_find(
        routes in proptest::collection::vec((any_host(), any_path(), any::<bool>()), 0..40),
        host in "[abAB]{1,2}\\.[abAB]",
        path in "/[ab/]{0,6}",
    ) {
        let (routes, wanted): (Vec<Route>, Vec<bool>) =
            routes.into_iter().map(|(host, path, wanted)| ((host, path), wanted)).unzip();
        let matches = |route: usize| wanted[route] && fits(&routes[route], &host, &path);
        let expected = (0..routes.len()).find(|&route| matches(route));
        prop_assert_eq!(index(&routes).first(&host, &path, matches), expected);

        let everywhere: Vec<Route> = routes.iter().map(|(_, path)| (None, path.clone())).collect();
        let matches = |route: usize| wanted[route] && fits(&everywhere[route], &host, &path);
        let expected = (0..everywhere.len()).find(|&route| matches(route));
        let paths = Index::of_paths(everywhere.iter().map(|(_, path)| path));
        prop_assert_eq!(paths.first(&host, &path, matches), expected);
    }
}

#[test]
fn what_an_expression_certainly_begins_with() {
    for (pattern, beginning) in [
        ("/api/v1/.*", "/api/v1/"),
        ("/api", "/api"),
        ("/apis?", "/api"),
        ("/a*", "/"),
        ("/ab{0}", "/a"),
        ("/a+", "/"),
        ("/a|/b", ""),
        ("/(a|b)", ""),
        ("(?i)/a", ""),
        ("/a\\.b", "/a"),
        ("[/]a", ""),
        ("", ""),
    ] {
        assert_eq!(certain_beginning(pattern), beginning, "{pattern}");
    }
}

/// How many routes are tried for one request.
fn tried(routes: &[Route], host: &str, path: &str) -> usize {
    let tries = Cell::new(0);
    let found = index(routes).first(host, path, |route| {
        tries.set(tries.get() + 1);
        fits(&routes[route], host, path)
    });
    assert!(found.is_some(), "{host}{path}");
    tries.get()
}

#[test]
fn thousands_of_routes_are_as_few_tries_as_tens() {
    let routes = |count: usize| -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        for number in 0..count / 5 {
            let name = HostMatch::Exact(format!("shop{number}.example.com"));
            let ending = HostMatch::Suffix(format!(".tenant{number}.example.com"));
            routes.push((Some(name), PathMatch::Prefix("/".into())));
            routes.push((Some(ending), PathMatch::Prefix("/api/".into())));
            routes.push((None, PathMatch::Exact(format!("/v1/items/{number}"))));
            routes.push((None, PathMatch::Prefix(format!("/v2/items{number}/"))));
            routes.push((None, PathMatch::Regex(format!("/v3/items{number}/[0-9]+"))));
        }
        routes.push((None, PathMatch::Prefix("/".into())));
        routes
    };
    let (tens, thousands) = (routes(20), routes(10_000));
    for (host, path) in [
        ("shop3.example.com", "/"),
        ("a.tenant3.example.com", "/api/b"),
        ("x", "/v1/items/3"),
        ("x", "/v2/items3/b"),
        ("x", "/v3/items3/42"),
        ("x", "/v2/nothing/of/the/kind"),
    ] {
        let (few, many) = (tried(&tens, host, path), tried(&thousands, host, path));
        assert!(
            many <= few && many <= 2,
            "{host}{path}: {few} tries, then {many}"
        );
    }
}
