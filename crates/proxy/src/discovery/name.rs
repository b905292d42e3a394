//! A name that endpoints are found by, followed for as long as its cluster lasts.
//!
//! It is looked up again when its answer has run out, within bounds and not all names at once. While it
//! cannot be looked up, what it meant last goes on being used, and tries become rarer. That there is no such
//! name any more is believed when it is said twice in a row.

use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use view::{DnsResponse, IpPreference};

use super::dns::{Answer, LookupError};

/// However soon an answer runs out, or however late.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(300);
/// The last pause between tries that fail; the first is `SOONEST`, and they double.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) hostname: String,
    pub(super) port: u16,
    pub(super) response: DnsResponse,
    pub(super) ip_preference: IpPreference,
}

/// What is to be done about a lookup's result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These are the endpoints now.
    Use(Vec<SocketAddr>),
    /// What it meant before still counts.
    Keep,
}

/// The course of a name's lookups.
#[derive(Debug, Default)]
pub(super) struct Course {
    current: Vec<SocketAddr>,
    failures: u32,
    denials: u32,
}

impl Course {
    /// Begins where another left off.
    pub(super) fn from(mut current: Vec<SocketAddr>) -> Self {
        current.sort_unstable();
        Self {
            current,
            ..Self::default()
        }
    }

    /// What a result means, and when to ask again. `is_usable`: whether an address that is in use should
    /// stay so.
    pub(super) fn after(
        &mut self,
        name: &Name,
        result: Result<Answer, LookupError>,
        is_usable: impl Fn(SocketAddr) -> bool,
        rng: &mut Rng,
    ) -> (Verdict, Duration) {
        match result {
            Ok(Answer::Addresses { addresses, ttl }) => {
                (self.failures, self.denials) = (0, 0);
                let mut addresses: Vec<SocketAddr> = addresses
                    .into_iter()
                    .map(|ip| SocketAddr::new(ip, name.port))
                    .collect();
                addresses.dedup();
                let chosen = match name.response {
                    DnsResponse::Logical => self.one_of(&addresses, is_usable),
                    DnsResponse::Strict => {
                        addresses.sort_unstable();
                        addresses.dedup();
                        addresses
                    }
                };
                (
                    self.use_now(chosen),
                    jittered(ttl.clamp(SOONEST, LATEST), rng),
                )
            }
            Ok(Answer::Nothing { ttl }) => {
                self.failures = 0;
                self.denials += 1;
                tracing::warn!(hostname = name.hostname, "the name has no address");
                // A load balancer's name that is gone says nothing of the load balancer.
                let is_gone = self.denials >= 2 && name.response == DnsResponse::Strict;
                let verdict = if is_gone {
                    self.use_now(Vec::new())
                } else {
                    Verdict::Keep
                };
                let ttl = ttl.unwrap_or(SOONEST).clamp(SOONEST, LONGEST_PAUSE);
                (verdict, jittered(ttl, rng))
            }
            Err(error) => {
                tracing::warn!(%error, "endpoints stay as they were");
                let pause = SOONEST.saturating_mul(1 << self.failures.min(16));
                self.failures += 1;
                (Verdict::Keep, jittered(pause.min(LONGEST_PAUSE), rng))
            }
        }
    }

    fn use_now(&mut self, chosen: Vec<SocketAddr>) -> Verdict {
        if chosen == self.current {
            return Verdict::Keep;
        }
        self.current.clone_from(&chosen);
        Verdict::Use(chosen)
    }

    /// The address in use, while it is an answer and well; else the first that is another.
    fn one_of(
        &self,
        addresses: &[SocketAddr],
        is_usable: impl Fn(SocketAddr) -> bool,
    ) -> Vec<SocketAddr> {
        let current = self.current.first().copied();
        let current = current.filter(|current| addresses.contains(current));
        let other = addresses
            .iter()
            .copied()
            .find(|address| Some(*address) != current);
        let chosen = match current {
            Some(current) if is_usable(current) => Some(current),
            current => other.or(current),
        };
        chosen.into_iter().collect()
    }
}

/// Up to a tenth more or less, so that many names' lookups spread.
fn jittered(pause: Duration, rng: &mut Rng) -> Duration {
    pause.mul_f64(0.9 + 0.2 * rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn name(response: DnsResponse) -> Name {
        Name {
            hostname: "db.local".into(),
            port: 80,
            response,
            ip_preference: IpPreference::Unset,
        }
    }

    fn answer(addresses: &[&str], seconds: u64) -> Result<Answer, LookupError> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let ttl = Duration::from_secs(seconds);
        Ok(Answer::Addresses { addresses, ttl })
    }

    fn nothing() -> Result<Answer, LookupError> {
        Ok(Answer::Nothing { ttl: None })
    }

    fn failed() -> Result<Answer, LookupError> {
        Err(LookupError {
            hostname: "db.local".into(),
            source: "no answer".into(),
        })
    }

    fn uses(addresses: &[&str]) -> Verdict {
        let at_80 = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), 80);
        Verdict::Use(addresses.iter().map(at_80).collect())
    }

    fn verdicts(
        response: DnsResponse,
        results: impl IntoIterator<Item = Result<Answer, LookupError>>,
    ) -> Vec<Verdict> {
        let (name, mut course, mut rng) = (name(response), Course::default(), Rng::with_seed(1));
        results
            .into_iter()
            .map(|result| course.after(&name, result, |_| true, &mut rng).0)
            .collect()
    }

    #[test]
    fn every_address_is_an_endpoint_whatever_their_order() {
        let results = [
            answer(&["10.0.0.2", "10.0.0.1", "10.0.0.2"], 5),
            answer(&["10.0.0.1", "10.0.0.2"], 5),
            answer(&["10.0.0.3"], 5),
        ];
        let expected = [
            uses(&["10.0.0.1", "10.0.0.2"]),
            Verdict::Keep,
            uses(&["10.0.0.3"]),
        ];
        assert_eq!(verdicts(DnsResponse::Strict, results), expected);
    }

    #[test]
    fn a_load_balancers_address_stays_while_it_is_among_the_answers() {
        let results = [
            answer(&["10.0.0.2", "10.0.0.1"], 5),
            answer(&["10.0.0.1", "10.0.0.2"], 5),
            answer(&["10.0.0.1", "10.0.0.3"], 5),
            nothing(),
            nothing(),
            nothing(),
        ];
        let mut expected = vec![uses(&["10.0.0.2"]), Verdict::Keep, uses(&["10.0.0.1"])];
        expected.extend([Verdict::Keep, Verdict::Keep, Verdict::Keep]);
        assert_eq!(verdicts(DnsResponse::Logical, results), expected);
    }

    #[test]
    fn a_load_balancers_address_that_fails_its_checks_is_left_for_another() {
        let (name, mut rng) = (name(DnsResponse::Logical), Rng::with_seed(1));
        let mut course = Course::default();
        let mut after = |result, usable| course.after(&name, result, |_| usable, &mut rng).0;
        assert_eq!(
            after(answer(&["10.0.0.1", "10.0.0.2"], 5), true),
            uses(&["10.0.0.1"])
        );
        assert_eq!(
            after(answer(&["10.0.0.1", "10.0.0.2"], 5), false),
            uses(&["10.0.0.2"])
        );
        assert_eq!(
            after(answer(&["10.0.0.2"], 5), false),
            Verdict::Keep,
            "there is no other"
        );
    }

    #[test]
    fn a_name_that_is_gone_must_be_gone_twice() {
        let here = || answer(&["10.0.0.1"], 5);
        let results = [
            here(),
            nothing(),
            here(),
            nothing(),
            nothing(),
            nothing(),
            here(),
        ];
        let expected = [
            uses(&["10.0.0.1"]),
            Verdict::Keep,
            Verdict::Keep,
            Verdict::Keep,
            uses(&[]),
            Verdict::Keep,
            uses(&["10.0.0.1"]),
        ];
        assert_eq!(verdicts(DnsResponse::Strict, results), expected);
    }

    #[test]
    fn failures_change_nothing_and_are_tried_again_ever_more_rarely() {
        let (name, mut rng) = (name(DnsResponse::Strict), Rng::with_seed(1));
        let mut course = Course::default();
        let mut after = |result| course.after(&name, result, |_| true, &mut rng);
        after(answer(&["10.0.0.1"], 5));
        for expected in [1, 2, 4, 8, 16, 30, 30, 30] {
            let (verdict, pause) = after(failed());
            assert_eq!(verdict, Verdict::Keep);
            let about = pause.as_secs_f64() / f64::from(expected);
            assert!((0.9..=1.1).contains(&about), "{pause:?} for {expected} s");
        }
        after(answer(&["10.0.0.1"], 5));
        assert!(
            after(failed()).1 <= Duration::from_millis(1100),
            "from the start again"
        );
    }

    #[test]
    fn an_answer_holds_as_long_as_it_says_within_bounds() {
        let (name, mut rng) = (name(DnsResponse::Strict), Rng::with_seed(1));
        for (seconds, expected) in [(0, 1), (1, 1), (60, 60), (86_400, 300)] {
            let mut course = Course::default();
            let result = answer(&["10.0.0.1"], seconds);
            let (_, pause) = course.after(&name, result, |_| true, &mut rng);
            let about = pause.as_secs_f64() / f64::from(expected);
            assert!((0.9..=1.1).contains(&about), "{pause:?} for {seconds} s");
        }
        let result = Ok(Answer::Nothing { ttl: Some(LATEST) });
        let (_, pause) = Course::default().after(&name, result, |_| true, &mut rng);
        assert!(
            pause <= LONGEST_PAUSE.mul_f64(1.1),
            "nobody waits long for what may come"
        );
    }
}
