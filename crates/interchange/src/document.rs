//! What reading gives: resources with their places, and what was not read, with the reason.

use std::collections::BTreeMap;
use std::fmt;

use model::{ResourceId, Spec, Timestamp};

/// One resource as its source describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub id: ResourceId,
    /// Of the identifier's kind.
    pub spec: Spec,
    /// None where the source does not speak of tags.
    pub tags: Option<BTreeMap<String, String>>,
    pub history: History,
    pub place: Place,
}

/// What a source knows of a resource's past; each part may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// As its source has it.
    pub arn: Option<String>,
    pub uid: Option<String>,
    pub version: Option<i64>,
    pub created_at: Option<Timestamp>,
    pub last_updated_at: Option<Timestamp>,
    pub mesh_owner: Option<String>,
    pub resource_owner: Option<String>,
}

/// A line of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

/// Something that should have been a resource, and why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub place: Place,
    /// What its source calls it.
    pub what: String,
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Something about a source that is worth knowing, and stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub place: Place,
    pub what: String,
    pub text: String,
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub documents: Vec<Document>,
    pub refused: Vec<Refusal>,
    /// Parts that describe no mesh resource.
    pub ignored: Vec<Note>,
    /// What was decided where a source leaves a choice.
    pub remarks: Vec<Note>,
}

impl Reading {
    pub(crate) fn extend(&mut self, other: Self) {
        self.documents.extend(other.documents);
        self.refused.extend(other.refused);
        self.ignored.extend(other.ignored);
        self.remarks.extend(other.remarks);
    }

    pub(crate) fn refuse(
        &mut self,
        place: Place,
        what: impl Into<String>,
        reason: impl Into<String>,
    ) {
        self.refused.push(Refusal {
            place,
            what: what.into(),
            reason: reason.into(),
            hint: None,
        });
    }

    pub(crate) fn ignore(
        &mut self,
        place: Place,
        what: impl Into<String>,
        text: impl Into<String>,
    ) {
        let (what, text) = (what.into(), text.into());
        self.ignored.push(Note { place, what, text });
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
