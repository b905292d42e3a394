//! The service model's constraints: ranges, lengths, list sizes, patterns.
//!
//! Every shape of [`crate::spec`] says its own constraints beside its type, by [`Check`]; a [`Checker`]
//! stands at one place of a request and reports what is wrong there, so that a walk collects every
//! violation. Rules that the service model does not state are in [`crate::rules`] and walk the same way.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds};

use serde_json::Value;

use crate::error::{Error, Violation};

/// A shape that knows the constraints of its members.
pub trait Check {
    fn check(&self, at: &mut Checker);
}

/// One place of a request, and the violations found on the whole walk.
#[derive(Debug)]
pub struct Checker<'w> {
    path: String,
    found: &'w mut Vec<Violation>,
}

/// What a walk finds that starts at `root`, a member of the request such as `spec`.
pub fn violations(root: &str, walk: impl FnOnce(&mut Checker)) -> Vec<Violation> {
    let mut found = Vec::new();
    let path = root.to_owned();
    let mut checker = Checker {
        path,
        found: &mut found,
    };
    walk(&mut checker);
    found
}

/// The same as the answer to a request: a bad one, if the walk finds anything.
pub fn request(root: &str, walk: impl FnOnce(&mut Checker)) -> Result<(), Error> {
    let found = violations(root, walk);
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::bad_request(found))
}

impl Checker<'_> {
    /// The place of a member, or of a member's member (`match.range`).
    pub fn inside(&mut self, name: &str) -> Checker<'_> {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Checker {
            path,
            found: self.found,
        }
    }

    /// Walks each entry of a list.
    pub fn each<T>(
        &mut self,
        name: &str,
        items: Option<&[T]>,
        mut walk: impl FnMut(&mut Checker, &T),
    ) {
        for (index, item) in items.unwrap_or_default().iter().enumerate() {
            walk(&mut self.inside(&format!("{name}[{index}]")), item);
        }
    }

    /// Checks a member's own constraints.
    pub fn member(&mut self, name: &str, member: &impl Check) {
        member.check(&mut self.inside(name));
    }

    /// Checks a list's length, then each entry's own constraints.
    pub fn list<T: Check>(
        &mut self,
        name: &str,
        items: Option<&[T]>,
        length: impl RangeBounds<usize>,
    ) {
        self.count(name, items, length);
        self.each(name, items, |at, item| item.check(at));
    }

    /// Checks a list's length only.
    pub fn count<T>(&mut self, name: &str, items: Option<&[T]>, length: impl RangeBounds<usize>) {
        if let Some(items) = items.filter(|items| !length.contains(&items.len())) {
            let rule = format!(
                "has {} entries, allowed are {}",
                items.len(),
                spoken(&length)
            );
            self.inside(name).refuse(rule);
        }
    }

    /// Checks a number's range.
    pub fn integer<N: Copy + Into<i64>>(
        &mut self,
        name: &str,
        value: Option<N>,
        range: impl RangeBounds<i64>,
    ) {
        if let Some(value) = value {
            self.inside(name).integer_here(value.into(), range);
        }
    }

    /// Checks the range of the number at this place.
    pub fn integer_here(&mut self, value: i64, range: impl RangeBounds<i64>) {
        if !range.contains(&value) {
            let rule = format!("is out of range, allowed are {}", spoken(&range));
            self.refuse_value(value, rule);
        }
    }

    /// Checks a text's length in characters.
    pub fn text(&mut self, name: &str, value: Option<&String>, length: impl RangeBounds<usize>) {
        if let Some(value) = value {
            self.inside(name).text_here(value, length);
        }
    }

    /// Checks the length of the text at this place.
    pub fn text_here(&mut self, value: &str, length: impl RangeBounds<usize>) {
        let characters = value.chars().count();
        if !length.contains(&characters) {
            let rule = format!(
                "has {characters} characters, allowed are {}",
                spoken(&length)
            );
            self.refuse_text(value, rule);
        }
    }

    /// Whether nothing was found so far, here or below.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Refuses this place as a whole.
    pub fn refuse(&mut self, rule: impl Into<String>) {
        self.found.push(Violation::new(&self.path, rule));
    }

    /// Refuses the value at this place.
    pub fn refuse_value(&mut self, value: impl Display, rule: impl Into<String>) {
        self.found.push(Violation::new(&self.path, rule).of(value));
    }

    /// Refuses the text at this place, showing it as JSON does.
    pub fn refuse_text(&mut self, text: &str, rule: impl Into<String>) {
        self.refuse_value(Value::from(text), rule);
    }
}

impl<T: Check> Check for Option<T> {
    fn check(&self, at: &mut Checker) {
        if let Some(present) = self {
            present.check(at);
        }
    }
}

/// A range in words; none in the service model excludes its greatest value.
fn spoken<T: Display>(range: &impl RangeBounds<T>) -> String {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(least), Bound::Included(most)) => format!("{least} to {most}"),
        (Bound::Included(least), _) => format!("{least} or more"),
        (_, Bound::Included(most)) => format!("{most} or less"),
        _ => "all".to_owned(),
    }
}
