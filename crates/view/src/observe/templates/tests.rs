use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, PartialEq)]
struct Requests(u64);

impl Leaf for Requests {
    fn requests(&self) -> u64 {
        self.0
    }

    fn absorb(&mut self, other: Self) {
        self.0 += other.0;
    }
}

/// Asks for a path once more; whether it has a template.
fn ask(templates: &mut Templates<Requests>, method: &str, path: &str) -> bool {
    let learnt = templates.learn(method, path, &mut |_, _| Requests(0));
    learnt.map(|requests| requests.0 += 1).is_some()
}

fn paths(templates: &Templates<Requests>) -> BTreeMap<String, u64> {
    let all = templates.all().into_iter();
    all.map(|(method, path, requests)| (format!("{method} {path}"), requests.0))
        .collect()
}

#[test]
fn paths_that_differ_in_identifiers_share_a_template() {
    let mut templates = Templates::default();
    for number in 0..1000 {
        assert!(ask(
            &mut templates,
            "GET",
            &format!("/v1/orders/{number}/items")
        ));
    }
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/v1/orders"),
        ("POST", "/v1/orders/"),
        ("BREW", "/pot"),
    ] {
        assert!(ask(&mut templates, method, path));
    }
    let expected = [
        ("GET /", 1),
        ("GET /v1/orders/{}/items", 1000),
        ("POST /v1/orders", 2),
        ("{} /pot", 1),
    ];
    assert_eq!(
        paths(&templates),
        expected
            .map(|(path, count)| (path.to_owned(), count))
            .into()
    );
}

#[test]
fn a_position_of_many_names_keeps_the_frequent_ones() {
    let mut templates = Templates::default();
    for user in 0..2000_u32 {
        let name: String = user
            .to_string()
            .bytes()
            .map(|digit| char::from(digit + 49))
            .collect();
        assert!(ask(
            &mut templates,
            "GET",
            &format!("/users/{name}/profile")
        ));
        assert!(ask(&mut templates, "GET", "/users/me/profile"));
        assert!(ask(&mut templates, "GET", "/health"));
    }
    let expected = [
        ("GET /health", 2000),
        ("GET /users/me/profile", 2000),
        ("GET /users/{}/profile", 2000),
    ];
    assert_eq!(
        paths(&templates),
        expected
            .map(|(path, count)| (path.to_owned(), count))
            .into()
    );
}

#[test]
fn siblings_within_reason_all_keep_their_names() {
    let mut templates = Templates::default();
    let methods: Vec<String> = (b'a'..=b'z')
        .flat_map(|first| {
            [b'x', b'y'].map(|second| {
                format!(
                    "/shop.Orders/Get{}{}",
                    char::from(first),
                    char::from(second)
                )
            })
        })
        .collect();
    for path in &methods {
        assert!(ask(&mut templates, "POST", path));
    }
    assert_eq!(paths(&templates).len(), methods.len());
}

/// Every position has fewer names than would be cut down for their number.
#[test]
fn what_finds_no_place_has_no_template_and_what_has_one_keeps_it() {
    let mut templates = Templates::default();
    let letters = || ('a'..='g').map(String::from);
    let all = letters().flat_map(|a| {
        letters().flat_map(move |b| {
            letters().map({
                let a = a.clone();
                move |c| format!("/{a}/{b}/{c}")
            })
        })
    });
    let (known, beyond): (Vec<_>, Vec<_>) = all.partition(|path| ask(&mut templates, "GET", path));
    assert_eq!((known.len(), beyond.len()), (MOST, 343 - MOST));
    assert!(known.iter().all(|path| ask(&mut templates, "GET", path)));
    assert!(!ask(&mut templates, "GET", &beyond[0]));
    assert_eq!(templates.all().len(), MOST);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked for: the bound holds, nothing is lost, and a template's own path leads to it.
    #[test]
    fn templates_are_bounded_and_lose_nothing(
        wide in 1_usize..200,
        asked in proptest::collection::vec((0_usize..3, 0_usize..200, 0_usize..200, 0_usize..9), 1..2000),
    ) {
        let mut templates = Templates::default();
        let mut with_template = 0;
        let name = |index: usize| format!("n{}", char::from_u32(0x4e00 + (index % wide) as u32).unwrap());
        for (method, first, second, depth) in asked {
            let tail = "/x".repeat(depth);
            let path = format!("/{}/{}{tail}", name(first), name(second));
            with_template += u64::from(ask(&mut templates, ["GET", "POST", "FOO"][method], &path));
        }
        let all = templates.all();
        prop_assert!(all.len() <= MOST);
        prop_assert_eq!(all.iter().map(|(_, _, requests)| requests.0).sum::<u64>(), with_template);
        let distinct: BTreeSet<_> = all.iter().map(|(method, path, _)| (method, path)).collect();
        prop_assert_eq!(distinct.len(), all.len());
        for (method, path, requests) in &all {
            prop_assert!(path.len() <= LONGEST);
            prop_assert_eq!(templates.find(method, path), Some(*requests));
        }
    }
}

#[test]
fn every_method_has_its_own_place() {
    for (index, method) in METHODS.into_iter().enumerate() {
        assert_eq!(index_of(method), index);
    }
}
