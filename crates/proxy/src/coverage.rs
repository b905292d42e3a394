//! What each arm of a split was asked for and how it answered: plain integers of one worker, by path template.
//!
//! A request holds its template's row from its admission to its end. A template that gives way to a more general
//! one leaves its row behind, which is told of under its old name and goes when nobody holds it any more. Once a
//! template is known, a request for it costs a look-up and an increment, and allocates nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use view::observe::Outcome;
use view::observe::answers::{Answered, Answers, Case, Class};
use view::observe::templates::{Leaf, Templates};

#[derive(Debug)]
pub(crate) struct Coverage {
    arms: usize,
    templates: RefCell<Templates<Known>>,
    /// Every row, the first for requests whose paths are too many to tell apart.
    rows: RefCell<Vec<Rc<Row>>>,
}

#[derive(Debug)]
pub(crate) struct Row {
    method: &'static str,
    path: Option<Box<str>>,
    /// Ever, whatever became of it.
    requests: Cell<u64>,
    /// By arm and class: answers to callers, and to copies.
    answers: Box<[[Cell<u64>; 2]]>,
}

/// The row of a template that nothing more general has replaced.
#[derive(Debug)]
struct Known(Rc<Row>);

impl Leaf for Known {
    fn requests(&self) -> u64 {
        self.0.requests.get()
    }

    /// Its answers are told of under its own name.
    fn absorb(&mut self, other: Self) {
        let requests = &self.0.requests;
        requests.set(requests.get() + other.requests());
    }
}

impl Coverage {
    pub(crate) fn new(arms: usize) -> Self {
        Self {
            arms,
            templates: RefCell::default(),
            rows: RefCell::new(vec![Row::new(arms, "{}", None)]),
        }
    }

    /// The row of a request that was just admitted.
    pub(crate) fn row(&self, method: &str, path: &str) -> Rc<Row> {
        let known = self.templates.borrow();
        let row = match known.find(method, path) {
            Some(Known(row)) => Rc::clone(row),
            None => {
                drop(known);
                self.learn(method, path)
            }
        };
        row.requests.set(row.requests.get() + 1);
        row
    }

    #[cold]
    fn learn(&self, method: &str, path: &str) -> Rc<Row> {
        let rows = &mut *self.rows.borrow_mut();
        let beyond = Rc::clone(&rows[0]);
        let mut templates = self.templates.borrow_mut();
        let learnt = templates.learn(method, path, &mut |method, template| {
            let row = Row::new(self.arms, method, Some(template));
            rows.push(Rc::clone(&row));
            Known(row)
        });
        learnt.map_or(beyond, |known| Rc::clone(&known.0))
    }

    /// What is new, for each arm.
    pub(crate) fn take(&self) -> Vec<Answers> {
        let mut arms = vec![Answers::default(); self.arms];
        let mut rows = self.rows.borrow_mut();
        for row in rows.iter() {
            for (arm, answers) in arms.iter_mut().enumerate() {
                row.take(arm, answers);
            }
        }
        let mut is_first = true;
        rows.retain(|row| std::mem::take(&mut is_first) || Rc::strong_count(row) > 1);
        arms
    }
}

impl Row {
    fn new(arms: usize, method: &'static str, path: Option<&str>) -> Rc<Self> {
        let answers = std::iter::repeat_with(Default::default);
        Rc::new(Self {
            method,
            path: path.map(Box::from),
            requests: Cell::new(0),
            answers: answers.take(arms * Class::ALL.len()).collect(),
        })
    }

    /// Notes the end of a request.
    pub(crate) fn count(&self, arm: usize, outcome: Outcome, is_copy: bool) {
        if let Some(class) = Class::of(outcome) {
            let answers = &self.answers[place(arm, class)][usize::from(is_copy)];
            answers.set(answers.get() + 1);
        }
    }

    fn take(&self, arm: usize, into: &mut Answers) {
        for class in Class::ALL {
            let [callers, copies] = self.answers[place(arm, class)].each_ref().map(Cell::take);
            if callers + copies > 0 {
                let case = Case {
                    method: self.method.to_owned(),
                    path: self.path.as_deref().map(str::to_owned),
                    class,
                };
                into.add(case, Answered { callers, copies });
            }
        }
    }
}

fn place(arm: usize, class: Class) -> usize {
    arm * Class::ALL.len() + class as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(coverage: &Coverage) -> Vec<Vec<(String, u64, u64)>> {
        let cases = |answers: Answers| {
            let cases = answers.iter().map(|(case, answered)| {
                let path = case.path.as_deref().unwrap_or("other");
                let name = format!("{} {path} {}", case.method, case.class);
                (name, answered.callers, answered.copies)
            });
            cases.collect()
        };
        coverage.take().into_iter().map(cases).collect()
    }

    #[test]
    fn what_is_new_is_told_once_by_arm_template_and_class() {
        let coverage = Coverage::new(2);
        for (path, arm, outcome, is_copy) in [
            ("/orders/1", 0, Outcome::Success, false),
            ("/orders/2", 1, Outcome::Success, true),
            ("/orders/3", 0, Outcome::ClientError, false),
            ("/orders/4", 1, Outcome::ServerError, false),
            ("/orders/5", 1, Outcome::Cancelled, false),
        ] {
            coverage.row("GET", path).count(arm, outcome, is_copy);
        }
        let stable = [("GET /orders/{} 2xx", 1, 0), ("GET /orders/{} 4xx", 1, 0)];
        let canary = [("GET /orders/{} 2xx", 0, 1)];
        let named = |rows: &[(&str, u64, u64)]| {
            let rows = rows.iter();
            rows.map(|&(name, callers, copies)| (name.to_owned(), callers, copies))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&coverage), [named(&stable), named(&canary)]);
        assert_eq!(told(&coverage), [[], []]);
    }

    #[test]
    fn a_row_that_gave_way_is_told_of_and_goes_when_its_last_request_ends() {
        let coverage = Coverage::new(1);
        let name = |index: u32| format!("/{}", char::from_u32(0x4e00 + index).unwrap());
        let slow = coverage.row("GET", &name(0));
        (1..100).for_each(|index| {
            coverage
                .row("GET", &name(index))
                .count(0, Outcome::Success, false);
        });
        let first = told(&coverage);
        assert_eq!(
            first[0].iter().map(|(_, callers, _)| callers).sum::<u64>(),
            99
        );
        assert_eq!(
            coverage.rows.borrow().len(),
            3,
            "other, /{{}} and the slow one's"
        );

        slow.count(0, Outcome::Success, false);
        drop(slow);
        assert_eq!(told(&coverage), [[(format!("GET {} 2xx", name(0)), 1, 0)]]);
        assert_eq!(coverage.rows.borrow().len(), 2);
    }

    #[test]
    fn requests_without_a_template_are_told_of_as_such() {
        let coverage = Coverage::new(1);
        for index in 0..343_u32 {
            let digits = [index / 49, index / 7 % 7, index % 7];
            let names = digits.map(|digit| char::from_u32(0x61 + digit).unwrap());
            let path: String = names.iter().flat_map(|&name| ['/', name]).collect();
            coverage.row("GET", &path).count(0, Outcome::Success, false);
        }
        let told = told(&coverage);
        let other = told[0].iter().filter(|(name, ..)| name.contains("other"));
        assert_eq!(told[0].len(), 257);
        assert_eq!(other.map(|(_, callers, _)| *callers).sum::<u64>(), 87);
    }
}
