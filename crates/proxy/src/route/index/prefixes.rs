//! All of many strings that a given one begins with, in few comparisons.
//!
//! The strings lie in order, each knowing the longest other that it begins with itself. What begins a text
//! comes before it in the order, and everything in between begins the same way; so the nearest string before
//! the text, and those that it leads to, are all that can begin it.

use std::iter;

#[derive(Debug)]
pub(crate) struct Prefixes<T> {
    sorted: Vec<Prefix<T>>,
}

#[derive(Debug)]
struct Prefix<T> {
    text: Vec<u8>,
    /// The longest of the others that this one begins with.
    within: Option<usize>,
    value: T,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { sorted: Vec::new() }
    }
}

impl<T> Prefixes<T> {
    /// Each string once.
    pub(super) fn new(prefixes: impl IntoIterator<Item = (Vec<u8>, T)>) -> Self {
        let prefix = |(text, value)| Prefix {
            text,
            within: None,
            value,
        };
        let mut sorted: Vec<_> = prefixes.into_iter().map(prefix).collect();
        sorted.sort_by(|one, other| one.text.cmp(&other.text));
        for at in 1..sorted.len() {
            let mut within = Some(at - 1);
            while let Some(candidate) = within
                && !sorted[at].text.starts_with(&sorted[candidate].text)
            {
                within = sorted[candidate].within;
            }
            sorted[at].within = within;
        }
        Self { sorted }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The values of all strings that `text` begins with, the longest first.
    pub(super) fn of(&self, text: &[u8]) -> impl Iterator<Item = &T> {
        let after = self
            .sorted
            .partition_point(|prefix| prefix.text.as_slice() <= text);
        let mut longest = after.checked_sub(1);
        while let Some(candidate) = longest
            && !text.starts_with(&self.sorted[candidate].text)
        {
            longest = self.sorted[candidate].within;
        }
        iter::successors(longest, |&at| self.sorted[at].within).map(|at| &self.sorted[at].value)
    }
}

#[cfg(test)]
mod tests {
    use super::Prefixes;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn none_is_missed_and_none_is_wrong(
            known in proptest::collection::btree_set("[ab/]{0,6}", 0..40),
            text in "[ab/]{0,10}",
        ) {
            let prefixes = known.iter().map(|known| (known.clone().into_bytes(), known.clone()));
            let prefixes = Prefixes::new(prefixes);
            let found: Vec<&String> = prefixes.of(text.as_bytes()).collect();
            let expected: BTreeSet<&String> =
                known.iter().filter(|known| text.starts_with(known.as_str())).collect();
            prop_assert!(found.is_sorted_by_key(|prefix| std::cmp::Reverse(prefix.len())));
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}
