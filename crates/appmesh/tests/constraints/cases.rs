//! What is just inside and just outside of each constraint, at every place of an input.
//!
//! An input is walked beside its shape, and at each place one value is put in another's stead. Nothing here knows App
//! Mesh: all constraints come from the service model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::place::Place;
use crate::service::{Form, Location, Member, Operation, Service, Shape};
use crate::stretched;

/// One request to be made, and what has to come of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) place: Place,
    pub(crate) constraint: String,
    pub(crate) input: Value,
    pub(crate) expected: Expected,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    Accepted,
    /// A bad request, whose message names this place.
    Refused(Place),
}

/// The places of an operation's input and the values that its bases have there.
pub(crate) struct Cases<'s> {
    service: &'s Service,
    operation: &'s Operation,
    samples: BTreeMap<Place, Value>,
    cases: Vec<Case>,
}

const UNKNOWN: &str = "unknownMember";
const OUTSIDE_EVERY_PATTERN: &str = "é";

/// Every case that the bases make possible.
pub(crate) fn of(service: &Service, operation: &Operation, bases: &[Value]) -> Vec<Case> {
    let mut cases = Cases {
        service,
        operation,
        samples: BTreeMap::new(),
        cases: Vec::new(),
    };
    for base in bases {
        cases.sample(base, &Place::default());
    }
    for base in bases {
        cases.accept(&Place::default(), "as it is", base.clone());
        cases.walk(base, base, &operation.input, &Place::default());
    }
    cases.cases
}

/// The places of an input that no base visits.
pub(crate) fn unvisited(service: &Service, operation: &Operation, bases: &[Value]) -> Vec<String> {
    let mut cases = Cases {
        service,
        operation,
        samples: BTreeMap::new(),
        cases: Vec::new(),
    };
    for base in bases {
        cases.sample(base, &Place::default());
    }
    let mut all = BTreeSet::new();
    all_places(service, &operation.input, &Place::default(), &mut all);
    all.retain(|place| !cases.samples.contains_key(place));
    all.iter().map(Place::to_string).collect()
}

fn all_places(service: &Service, member: &Member, place: &Place, all: &mut BTreeSet<Place>) {
    all.insert(place.clone());
    let shape = service.shape(member);
    for (name, member) in &shape.members {
        all_places(service, member, &place.member(name), all);
    }
    if let Some(member) = &shape.member {
        all_places(service, member, &place.entry(0), all);
    }
}

impl Cases<'_> {
    fn sample(&mut self, value: &Value, place: &Place) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    self.sample(value, &place.member(name));
                }
            }
            Value::Array(entries) => {
                for (index, value) in entries.iter().enumerate() {
                    self.sample(value, &place.entry(index));
                }
            }
            _ => {}
        }
        self.samples
            .entry(place.of_any_entry())
            .or_insert_with(|| value.clone());
    }

    fn walk(&mut self, base: &Value, value: &Value, member: &Member, place: &Place) {
        let shape = self.service.shape(member);
        let mut at = At {
            cases: self,
            base,
            place,
        };
        match shape.form {
            Form::Structure => at.structure(shape, value),
            Form::List => at.list(shape, value),
            Form::String => at.text(shape, value.as_str().unwrap()),
            Form::Integer | Form::Long => at.number(shape),
            Form::Boolean => at.refuse("a text for a boolean", json!("true")),
            Form::Timestamp => unreachable!("no input has a time"),
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    self.walk(base, value, &shape.members[name], &place.member(name));
                }
            }
            Value::Array(entries) => {
                let member = shape.member.as_ref().unwrap();
                for (index, value) in entries.iter().enumerate() {
                    self.walk(base, value, member, &place.entry(index));
                }
            }
            _ => {}
        }
    }

    fn accept(&mut self, place: &Place, constraint: &str, input: Value) {
        self.push(place, constraint, input, Expected::Accepted);
    }

    fn push(&mut self, place: &Place, constraint: &str, input: Value, expected: Expected) {
        self.cases.push(Case {
            place: place.of_any_entry(),
            constraint: constraint.to_owned(),
            input,
            expected,
        });
    }
}

/// One place of one base.
struct At<'a, 's> {
    cases: &'a mut Cases<'s>,
    base: &'a Value,
    place: &'a Place,
}

impl At<'_, '_> {
    fn accept(&mut self, constraint: &str, value: Value) {
        let input = self.place.replaced(self.base, Some(value));
        self.cases.accept(self.place, constraint, input);
    }

    fn refuse(&mut self, constraint: &str, value: Value) {
        let at = self.place.clone();
        self.refuse_at(constraint, Some(value), at);
    }

    /// Refuses a value here with a message that names a place below.
    fn refuse_at(&mut self, constraint: &str, value: Option<Value>, at: Place) {
        let input = self.place.replaced(self.base, value);
        let expected = Expected::Refused(at);
        self.cases.push(self.place, constraint, input, expected);
    }

    fn structure(&mut self, shape: &Shape, value: &Value) {
        let members = value.as_object().unwrap();
        let is_input = *self.place == Place::default();
        let has_body = |member: &Member| member.location == Location::Body;
        if is_input && !shape.members.values().any(has_body) {
            // All of it stands in path and query, where nothing has a type and more is allowed.
            return self.required(shape, value);
        }
        if !is_input {
            self.refuse("a text for a structure", json!("text"));
            self.refuse("a list for a structure", json!([value]));
        }
        if shape.union {
            return self.union(shape, value);
        }
        let mut more = members.clone();
        more.insert(UNKNOWN.to_owned(), json!("text"));
        let unknown = self.place.member(UNKNOWN);
        self.refuse_at("an unknown member", Some(more.into()), unknown);
        self.required(shape, value);
    }

    fn required(&mut self, shape: &Shape, value: &Value) {
        for name in &shape.required {
            let mut fewer = value.as_object().unwrap().clone();
            fewer.remove(name);
            let (fewer, missing) = (Value::from(fewer), self.place.member(name));
            self.refuse_at(&format!("{name} is required"), Some(fewer), missing.clone());
            if shape.members[name].location == Location::Body {
                let null = missing.replaced(self.base, Some(Value::Null));
                let expected = Expected::Refused(missing.clone());
                self.cases.push(&missing, "no null", null, expected);
            }
        }
    }

    fn union(&mut self, shape: &Shape, value: &Value) {
        self.refuse("an empty union", json!({}));
        let unknown = self.place.member(UNKNOWN);
        self.refuse_at(
            "an unknown member",
            Some(json!({ UNKNOWN: "text" })),
            unknown,
        );
        for name in shape.members.keys() {
            let sample = self
                .cases
                .samples
                .get(&self.place.member(name).of_any_entry());
            if let (None, Some(sample)) = (value.get(name), sample) {
                let mut both = value.as_object().unwrap().clone();
                both.insert(name.clone(), sample.clone());
                self.refuse(&format!("{name} beside another member"), both.into());
            }
        }
    }

    fn list(&mut self, shape: &Shape, value: &Value) {
        self.refuse("a text for a list", json!("text"));
        self.refuse("a structure for a list", json!({}));
        let entries = value.as_array().unwrap();
        let entry_shape = self.cases.service.shape(shape.member.as_ref().unwrap());
        let sized = |size: i64| -> Value {
            let entry = |index: usize| match (&entry_shape.values[..], &entries[0]) {
                ([], entry) => distinct(entry, index),
                (values, _) => json!(values[index % values.len()]),
            };
            (0..usize::try_from(size).unwrap()).map(entry).collect()
        };
        if let Some(least) = shape.min {
            self.accept("least size", sized(least));
            if least > 0 {
                self.refuse("least size", sized(least - 1));
            }
        }
        if let Some(most) = shape.max {
            self.accept("greatest size", sized(most));
            self.refuse("greatest size", sized(most + 1));
        }
    }

    fn text(&mut self, shape: &Shape, value: &str) {
        if self.is_in_body() {
            self.refuse("a number for a text", json!(7));
        }
        if !shape.values.is_empty() {
            for allowed in &shape.values {
                self.accept(&format!("the value {allowed}"), json!(allowed));
            }
            self.refuse("only known values", json!("no-such-value"));
            self.refuse("no value", json!(""));
            let swapped = value.chars().map(|letter| match letter {
                letter if letter.is_ascii_uppercase() => letter.to_ascii_lowercase(),
                letter => letter.to_ascii_uppercase(),
            });
            return self.refuse("case counts", json!(swapped.collect::<String>()));
        }
        if shape.pattern.is_some() {
            self.refuse("pattern", json!(OUTSIDE_EVERY_PATTERN));
        }
        let sized = |size: i64| json!(stretched(value, usize::try_from(size).unwrap()));
        if let Some(least) = shape.min {
            self.accept("least length", sized(least));
            if least > 0 {
                self.refuse("least length", sized(least - 1));
            }
        }
        if let Some(most) = shape.max {
            self.accept("greatest length", sized(most));
            self.refuse("greatest length", sized(most + 1));
        }
    }

    fn number(&mut self, shape: &Shape) {
        self.refuse("a text for a number", json!("text"));
        self.refuse("no fraction", json!(80.5));
        if let Some(least) = shape.min {
            self.accept("least number", json!(least));
            self.refuse("least number", json!(least - 1));
        }
        if let Some(greatest) = shape.max {
            self.accept("greatest number", json!(greatest));
            self.refuse("greatest number", json!(greatest + 1));
        }
    }

    /// Path and query hold nothing but text.
    fn is_in_body(&self) -> bool {
        let input = self.cases.service.shape(&self.cases.operation.input);
        let mut elsewhere = input.members.iter();
        !elsewhere
            .any(|(name, member)| member.location != Location::Body && self.place.is_inside(name))
    }
}

/// Another entry like this one, with a key of its own if it has a key.
fn distinct(entry: &Value, index: usize) -> Value {
    let mut entry = entry.clone();
    if let Some(key) = entry.get_mut("key") {
        *key = json!(format!("key-{index}"));
    }
    entry
}
