//! How much of production's mix of requests the canary has really served.
//!
//! A case is a method, a path template and a class of statuses. How much each weighs is how often the stable
//! version answered callers so while the release ran; it is covered once the canary has answered so, be it a copy.
//! Failures are no cases. The templates are learnt again from those that the proxies learnt, as each of them may
//! have seen less: at most [`templates::MOST`] in all, and the paths of the rest count as one.
//!
//! [`templates::MOST`]: view::observe::templates::MOST

use std::fmt;

use model::Share;
use serde::{Deserialize, Serialize};
use view::observe::answers::{Case, Class};
use view::observe::templates::{Leaf, Templates};

/// Answers of both versions in one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    #[serde(flatten)]
    pub case: Case,
    /// To callers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stable: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub canary: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// All answers of a release.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    templates: Templates<Answers>,
    beyond: Answers,
}

/// Of the stable version and of the canary, by class.
#[derive(Clone, Debug, Default)]
struct Answers([(u64, u64); Class::ALL.len()]);

impl Leaf for Answers {
    fn requests(&self) -> u64 {
        self.0
            .iter()
            .map(|(stable, canary)| stable.saturating_add(*canary))
            .fold(0, u64::saturating_add)
    }

    fn absorb(&mut self, other: Self) {
        for (class, (stable, canary)) in Class::ALL.into_iter().zip(other.0) {
            self.add(class, stable, canary);
        }
    }
}

impl Answers {
    fn add(&mut self, class: Class, stable: u64, canary: u64) {
        let sum = &mut self.0[class as usize];
        sum.0 = sum.0.saturating_add(stable);
        sum.1 = sum.1.saturating_add(canary);
    }
}

/// One case of production's.
#[derive(Clone, Debug, PartialEq)]
pub struct Covered {
    pub case: Case,
    /// Of production's answers.
    pub share: f64,
    /// How often the canary has answered so.
    pub canary: u64,
}

/// The cases of production, the most frequent first.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    pub cases: Vec<Covered>,
}

impl Coverage {
    pub fn add(&mut self, rows: &[Row]) {
        for Row {
            case,
            stable,
            canary,
        } in rows
        {
            let new = &mut |_: &'static str, _: &str| Answers::default();
            let template = case.path.as_ref();
            let known = template.and_then(|path| self.templates.learn(&case.method, path, new));
            known
                .unwrap_or(&mut self.beyond)
                .add(case.class, *stable, *canary);
        }
    }

    /// None before production has answered anything.
    pub fn mix(&self) -> Option<Mix> {
        let templates = self.templates.all().into_iter();
        let known = templates.map(|(method, path, answers)| (method, Some(path), answers));
        let all = known.chain([("{}", None, &self.beyond)]);
        let mut cases: Vec<(Case, u64, u64)> = all
            .flat_map(|(method, path, answers)| {
                let classes = Class::ALL.into_iter().zip(answers.0);
                classes.map(move |(class, (stable, canary))| {
                    let (method, path) = (method.to_owned(), path.clone());
                    (
                        Case {
                            method,
                            path,
                            class,
                        },
                        stable,
                        canary,
                    )
                })
            })
            .filter(|(_, stable, _)| *stable > 0)
            .collect();
        cases.sort_by(|(one, more, _), (other, less, _)| less.cmp(more).then(one.cmp(other)));
        let total: u64 = cases.iter().map(|(_, stable, _)| stable).sum();
        let cases = cases.into_iter().map(|(case, stable, canary)| Covered {
            case,
            share: stable as f64 / total as f64,
            canary,
        });
        (total > 0).then(|| Mix {
            cases: cases.collect(),
        })
    }
}

impl Mix {
    /// The part of production's mix that the canary has served.
    pub fn covered(&self) -> f64 {
        let covered = self.cases.iter().filter(|case| case.canary > 0);
        covered.fold(0.0, |sum, case| sum + case.share)
    }

    pub fn missing(&self) -> impl Iterator<Item = &Covered> {
        self.cases.iter().filter(|case| case.canary == 0)
    }

    pub fn reaches(&self, wanted: Share) -> bool {
        self.rarest_needed(wanted).is_none()
    }

    /// The share of the rarest case that is needed to reach the wanted coverage, the most frequent first; none
    /// if it is reached.
    pub fn rarest_needed(&self, wanted: Share) -> Option<f64> {
        /// Sums of shares are not exact.
        const EXACTNESS: f64 = 1e-9;
        let wanted = f64::from(wanted.basis_points()) / f64::from(Share::WHOLE.basis_points());
        let mut covered = self.covered();
        let mut missing = self.missing();
        let mut rarest = None;
        while covered + EXACTNESS < wanted {
            let next = missing.next()?.share;
            covered += next;
            rarest = Some(next);
        }
        rarest
    }
}

/// `covers 93.2 % of production's mix; not yet: POST /orders/{} (4.1 %)`.
impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        write!(f, "covers {} of production's mix", Percent(self.covered()))?;
        let mut before = "; not yet: ";
        for missing in self.missing().take(SHOWN) {
            write!(
                f,
                "{before}{} ({})",
                Named(&missing.case),
                Percent(missing.share)
            )?;
            before = ", ";
        }
        match self.missing().count().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A case for people.
#[derive(Debug)]
pub struct Named<'a>(pub &'a Case);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case {
            method,
            path,
            class,
        } = self.0;
        match (path, method.as_str()) {
            (None, _) => f.write_str("other paths")?,
            (Some(path), "{}") => write!(f, "unusual methods of {path}")?,
            (Some(path), method) => write!(f, "{method} {path}")?,
        }
        match class {
            Class::Success => Ok(()),
            class => write!(f, " answered {class}"),
        }
    }
}

/// Rounded down, so that it shows 100 % only where nothing is missing.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 1000.0 + 1e-6).floor();
        match tenths {
            0.0 if self.0 > 0.0 => f.write_str("under 0.1 %"),
            tenths if tenths % 10.0 == 0.0 => write!(f, "{} %", tenths / 10.0),
            tenths => write!(f, "{:.1} %", tenths / 10.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, path: &str, class: Class, stable: u64, canary: u64) -> Row {
        let case = Case {
            method: method.to_owned(),
            path: (path != "*").then(|| path.to_owned()),
            class,
        };
        Row {
            case,
            stable,
            canary,
        }
    }

    fn mix(rows: &[Row]) -> Mix {
        let mut coverage = Coverage::default();
        coverage.add(rows);
        coverage.mix().unwrap()
    }

    fn percent(percent: u16) -> Share {
        Share::from_basis_points(percent * 100).unwrap()
    }

    #[test]
    fn cases_weigh_as_much_as_production_asks_for_them() {
        let mix = mix(&[
            row("GET", "/orders/{}", Class::Success, 900, 3),
            row("GET", "/orders/{}", Class::ClientError, 35, 0),
            row("POST", "/orders", Class::Success, 41, 0),
            row("GET", "/", Class::Redirect, 20, 1),
            row("{}", "/", Class::Success, 3, 0),
            row("{}", "*", Class::Success, 1, 0),
            row("GET", "/only/the/canary", Class::Success, 0, 70),
        ]);
        assert_eq!(
            mix.to_string(),
            "covers 92 % of production's mix; not yet: POST /orders (4.1 %), \
             GET /orders/{} answered 4xx (3.5 %), unusual methods of / (0.3 %) and 1 more"
        );
        let needed = [92, 93, 97, 100].map(|wanted| mix.rarest_needed(percent(wanted)));
        assert_eq!(needed, [None, Some(0.041), Some(0.035), Some(0.001)]);
        assert!(mix.reaches(percent(92)) && !mix.reaches(percent(93)));
    }

    #[test]
    fn everything_served_is_everything() {
        let thirds = ["/a", "/b", "/c"].map(|path| row("GET", path, Class::Success, 1, 1));
        assert_eq!(mix(&thirds).to_string(), "covers 100 % of production's mix");
        assert!(mix(&thirds).reaches(Share::WHOLE));
        let nearly = [
            row("GET", "/a", Class::Success, 9_999_999, 1),
            row("GET", "/b", Class::Success, 1, 0),
        ];
        assert_eq!(
            mix(&nearly).to_string(),
            "covers 99.9 % of production's mix; not yet: GET /b (under 0.1 %)"
        );
    }

    #[test]
    fn what_the_canary_alone_was_asked_says_nothing_of_production() {
        let mut coverage = Coverage::default();
        assert_eq!(coverage.mix(), None);
        coverage.add(&[row("GET", "/", Class::Success, 0, 5)]);
        assert_eq!(coverage.mix(), None);
    }

    /// A worker that has seen little still tells names from each other; together they are too many.
    #[test]
    fn templates_of_several_proxies_become_one() {
        let mut coverage = Coverage::default();
        for index in 0..100 {
            let name = char::from_u32(0x4e00 + index).unwrap();
            coverage.add(&[row("GET", &format!("/users/{name}"), Class::Success, 1, 0)]);
        }
        coverage.add(&[row("GET", "/users/{}", Class::Success, 50, 1)]);
        let mix = coverage.mix().unwrap();
        assert_eq!((mix.cases.len(), mix.covered()), (1, 1.0));
    }
}
