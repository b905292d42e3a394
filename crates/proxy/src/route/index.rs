//! Which routes a request may match, without trying them all.
//!
//! Routes lie by host and path; what else they ask for is tried only on those that fit so far. The first in
//! match order wins, exactly as if all had been tried in turn: a list is left as soon as what comes next in
//! it could only come after a match in another. A few routes are tried in turn anyway, as that is faster.

mod prefixes;

use std::borrow::Cow;
use std::collections::HashMap;

use view::{HostMatch, PathMatch};

use prefixes::Prefixes;

/// Up to here an index costs more than it saves.
pub(super) const FEW: usize = 8;

#[derive(Debug)]
pub(crate) enum Index {
    /// So many routes, to be tried in turn.
    Few(usize),
    Paths(Paths),
    Hosts(Box<Hosts>),
}

/// Routes by path; every list is in match order.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    exact: HashMap<String, Vec<usize>>,
    /// Those for prefixes, and expressions by what all that they match begins with.
    beginning: Prefixes<Vec<usize>>,
}

#[derive(Debug)]
pub(crate) struct Hosts {
    any: Paths,
    /// By names in lower case.
    exact: HashMap<String, Paths>,
    /// By endings in lower case, last letter first.
    ending: Prefixes<Paths>,
}

/// What is known of the first match, while lists are gone through.
struct Search<F> {
    best: Option<usize>,
    matches: F,
}

impl Index {
    /// Over routes in match order.
    pub(super) fn of_paths<'r>(routes: impl ExactSizeIterator<Item = &'r PathMatch>) -> Self {
        match routes.len() {
            few @ ..=FEW => Self::Few(few),
            _ => Self::Paths(Paths::new(routes.enumerate())),
        }
    }

    /// Over routes in match order; one without a host takes any.
    pub(super) fn of_hosts<'r>(
        routes: impl ExactSizeIterator<Item = (Option<&'r HostMatch>, &'r PathMatch)>,
    ) -> Self {
        match routes.len() {
            few @ ..=FEW => Self::Few(few),
            _ => Self::Hosts(Box::new(Hosts::new(routes))),
        }
    }

    /// The first route that `matches`, which is asked of none that cannot by its host or path.
    pub(super) fn first(
        &self,
        host: &str,
        path: &str,
        mut matches: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let mut search = match self {
            Self::Few(count) => return (0..*count).find(|&route| matches(route)),
            _ => Search {
                best: None,
                matches,
            },
        };
        match self {
            Self::Few(_) => {}
            Self::Paths(paths) => paths.search(path, &mut search),
            Self::Hosts(hosts) => hosts.search(host, path, &mut search),
        }
        search.best
    }
}

impl Paths {
    fn new<'r>(routes: impl Iterator<Item = (usize, &'r PathMatch)>) -> Self {
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut beginning: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (route, path) in routes {
            let list = match path {
                PathMatch::Exact(path) => exact.entry(path.clone()).or_default(),
                PathMatch::Prefix(prefix) => beginning.entry(prefix.clone().into()).or_default(),
                PathMatch::Regex(pattern) => beginning
                    .entry(certain_beginning(pattern).into())
                    .or_default(),
            };
            list.push(route);
        }
        Self {
            exact,
            beginning: Prefixes::new(beginning),
        }
    }

    fn search(&self, path: &str, search: &mut Search<impl FnMut(usize) -> bool>) {
        if let Some(list) = self.exact.get(path) {
            search.try_all(list);
        }
        for list in self.beginning.of(path.as_bytes()) {
            search.try_all(list);
        }
    }
}

impl Hosts {
    fn new<'r>(routes: impl Iterator<Item = (Option<&'r HostMatch>, &'r PathMatch)>) -> Self {
        type Routes<'r> = Vec<(usize, &'r PathMatch)>;
        let mut any: Routes<'_> = Vec::new();
        let mut exact: HashMap<String, Routes<'_>> = HashMap::new();
        let mut ending: HashMap<Vec<u8>, Routes<'_>> = HashMap::new();
        for (route, (host, path)) in routes.enumerate() {
            let list = match host {
                None => &mut any,
                Some(HostMatch::Exact(name)) => exact.entry(name.to_ascii_lowercase()).or_default(),
                Some(HostMatch::Suffix(suffix)) => ending.entry(backwards(suffix)).or_default(),
            };
            list.push((route, path));
        }
        let paths = |routes: Routes<'_>| Paths::new(routes.into_iter());
        Self {
            any: paths(any),
            exact: exact
                .into_iter()
                .map(|(name, routes)| (name, paths(routes)))
                .collect(),
            ending: Prefixes::new(ending.into_iter().map(|(end, routes)| (end, paths(routes)))),
        }
    }

    fn search(&self, host: &str, path: &str, search: &mut Search<impl FnMut(usize) -> bool>) {
        if let Some(paths) = self.exact.get(&*lower_case(host)) {
            paths.search(path, search);
        }
        if !self.ending.is_empty() {
            for paths in self.ending.of(&backwards(host)) {
                paths.search(path, search);
            }
        }
        self.any.search(path, search);
    }
}

impl<F: FnMut(usize) -> bool> Search<F> {
    fn try_all(&mut self, list: &[usize]) {
        for &route in list {
            if self.best.is_some_and(|best| best < route) {
                return;
            }
            if (self.matches)(route) {
                self.best = Some(route);
                return;
            }
        }
    }
}

pub(super) fn lower_case(host: &str) -> Cow<'_, str> {
    match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

fn backwards(host: &str) -> Vec<u8> {
    host.bytes()
        .rev()
        .map(|byte| byte.to_ascii_lowercase())
        .collect()
}

/// Letters, digits and a few signs that stand for themselves, as far as they must come; empty where that is
/// not plain to see.
fn certain_beginning(pattern: &str) -> &str {
    if pattern.contains('|') {
        return "";
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_~%".contains(byte);
    let plain = pattern.bytes().take_while(|byte| is_plain(byte)).count();
    match pattern.as_bytes().get(plain) {
        // What is repeated, perhaps never, is the last of them.
        Some(b'*' | b'?' | b'+' | b'{') => &pattern[..plain.saturating_sub(1)],
        _ => &pattern[..plain],
    }
}

#[cfg(test)]
mod tests;
