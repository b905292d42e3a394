//! What an arm was asked for and how it answered, however rarely: what a canary has been tried with.
//!
//! Failures are left out. They are the judge's business, and nothing that a canary should have shown too.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Outcome, templates};

/// Requests of one template that were answered alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// `{}` where it is an unusual one.
    pub method: String,
    /// The path's template; none where paths were too many to tell apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub class: Class,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// 1xx and 2xx.
    Success,
    /// 3xx.
    Redirect,
    /// 4xx.
    ClientError,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answered {
    /// Answers that callers got.
    #[serde(skip_serializing_if = "is_zero")]
    pub callers: u64,
    /// Answers to copies, which were thrown away.
    #[serde(skip_serializing_if = "is_zero")]
    pub copies: u64,
}

/// Counts by case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Row>", into = "Vec<Row>")]
pub struct Answers(BTreeMap<Case, Answered>);

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(flatten)]
    case: Case,
    #[serde(flatten)]
    answered: Answered,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Success, Self::Redirect, Self::ClientError];

    /// None where the request failed, or was given up.
    pub fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Success => Some(Self::Success),
            Outcome::Redirect => Some(Self::Redirect),
            Outcome::ClientError => Some(Self::ClientError),
            _ => None,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::ClientError => "4xx",
        })
    }
}

impl Answers {
    /// Those of all templates, and of some that have just been given up. More are left out.
    const MOST: usize = 4 * templates::MOST * Class::ALL.len();

    pub fn add(&mut self, case: Case, answered: Answered) {
        let has_room = self.0.len() < Self::MOST || self.0.contains_key(&case);
        if has_room && answered != Answered::default() {
            let sum = self.0.entry(case).or_default();
            sum.callers += answered.callers;
            sum.copies += answered.copies;
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (case, answered) in other.0 {
            self.add(case, answered);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Case, Answered)> {
        self.0.iter().map(|(case, answered)| (case, *answered))
    }

    /// Whether a proxy can have counted this.
    pub fn is_plausible(&self, most: u64) -> bool {
        self.iter().all(|(case, answered)| {
            let length = case.path.as_ref().map_or(0, String::len);
            let fits = answered.callers < most && answered.copies < most;
            fits && length <= templates::LONGEST && case.method.len() <= templates::LONGEST
        })
    }
}

impl From<Vec<Row>> for Answers {
    fn from(rows: Vec<Row>) -> Self {
        let mut answers = Self::default();
        for row in rows {
            answers.add(row.case, row.answered);
        }
        answers
    }
}

impl From<Answers> for Vec<Row> {
    fn from(answers: Answers) -> Self {
        let rows = answers.0.into_iter();
        rows.map(|(case, answered)| Row { case, answered })
            .collect()
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_they_were_written() {
        let case = |path: Option<&str>, class| Case {
            method: "GET".to_owned(),
            path: path.map(str::to_owned),
            class,
        };
        let mut answers = Answers::default();
        let counts = |callers, copies| Answered { callers, copies };
        answers.add(case(Some("/orders/{}"), Class::Success), counts(3, 0));
        answers.add(case(Some("/orders/{}"), Class::ClientError), counts(0, 1));
        answers.add(case(None, Class::Redirect), counts(0, 0));
        let text = serde_json::to_string(&answers).unwrap();
        assert_eq!(
            text,
            r#"[{"method":"GET","path":"/orders/{}","class":"success","callers":3},{"method":"GET","path":"/orders/{}","class":"clientError","copies":1}]"#
        );
        assert_eq!(serde_json::from_str::<Answers>(&text).unwrap(), answers);
        assert!(answers.is_plausible(4) && !answers.is_plausible(3));
    }
}
