//! A place in a request's input, written as the API's messages write it: `spec.listeners[0].portMapping`.

use std::fmt;

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Member(String),
    Entry(usize),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Vec<Step>);

impl Place {
    pub(crate) fn member(&self, name: &str) -> Self {
        self.below(Step::Member(name.to_owned()))
    }

    pub(crate) fn entry(&self, index: usize) -> Self {
        self.below(Step::Entry(index))
    }

    fn below(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// The same place of any entry, whichever its number.
    pub(crate) fn of_any_entry(&self) -> Self {
        let steps = self.0.iter().cloned().map(|step| match step {
            Step::Entry(_) => Step::Entry(0),
            member => member,
        });
        Self(steps.collect())
    }

    pub(crate) fn is_inside(&self, name: &str) -> bool {
        self.0.first() == Some(&Step::Member(name.to_owned()))
    }

    /// The input with another value here, or with none.
    pub(crate) fn replaced(&self, input: &Value, value: Option<Value>) -> Value {
        let mut input = input.clone();
        let Some((last, holders)) = self.0.split_last() else {
            return value.unwrap();
        };
        let mut holder = &mut input;
        for step in holders {
            holder = match step {
                Step::Member(name) => &mut holder[name],
                Step::Entry(index) => &mut holder[index],
            };
        }
        match (last, value) {
            (Step::Member(name), Some(value)) => holder[name] = value,
            (Step::Entry(index), Some(value)) => holder[index] = value,
            (Step::Member(name), None) => {
                holder.as_object_mut().unwrap().remove(name);
            }
            (Step::Entry(index), None) => {
                holder.as_array_mut().unwrap().remove(*index);
            }
        }
        input
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(name) if number == 0 => write!(formatter, "{name}")?,
                Step::Member(name) => write!(formatter, ".{name}")?,
                Step::Entry(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}
