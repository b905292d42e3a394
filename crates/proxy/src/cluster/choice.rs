//! The draw of one endpoint among those in use.
//!
//! Two endpoints are drawn at random and the one with fewer requests under way is taken. While an endpoint
//! is new (slow start), a pair that has it is decided at random instead, in proportion to how warm each is
//! and how little it has to do. With zones, the zone is drawn first. What is not switched on costs nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;

use super::zones;
use crate::balancing::Balancing;
use crate::clock::{self, Instant};
use crate::endpoint::Endpoint;

/// What a new endpoint is sent at first, beside one that is warm; Envoy's default.
const COLDEST: f64 = 0.1;

#[derive(Debug, Default)]
pub(super) struct Choice {
    /// One, or one for each zone that gets something.
    groups: Vec<Group>,
    slow_start: Duration,
    /// When the last endpoint will be warm.
    warming_until: Cell<Option<Instant>>,
}

#[derive(Debug)]
struct Group {
    /// The shares of this group and of those before it.
    up_to: f64,
    endpoints: Vec<Rc<Endpoint>>,
}

impl Choice {
    /// `all`: whoever belongs to the cluster; `usable`: who of them may be sent something.
    pub(super) fn among(
        all: &[Rc<Endpoint>],
        usable: Vec<Rc<Endpoint>>,
        balancing: &Balancing,
        now: Instant,
    ) -> Self {
        let slow_start = balancing.slow_start.unwrap_or_default();
        let warm_at = usable
            .iter()
            .filter_map(|endpoint| endpoint.usable_since().checked_add(slow_start));
        let warming_until = warm_at.max().filter(|&warm_at| warm_at > now);
        let own = balancing.zone.as_deref();
        let groups = own.and_then(|own| by_zone(own, all, &usable));
        Self {
            groups: groups.unwrap_or_else(|| {
                vec![Group {
                    up_to: 1.0,
                    endpoints: usable,
                }]
            }),
            slow_start,
            warming_until: Cell::new(warming_until),
        }
    }

    /// `avoid`: the endpoints that have failed, taken again only if there is no other. An endpoint that is
    /// gone has nothing to do, and so would win every draw that it is in.
    pub(super) fn pick(&self, rng: &mut Rng, avoid: &[Rc<Endpoint>]) -> Option<Rc<Endpoint>> {
        let group = match self.groups.as_slice() {
            [only] => only,
            groups => {
                let drawn = rng.f64();
                let drawn = groups.iter().find(|group| drawn < group.up_to);
                let drawn = drawn.or(groups.last())?;
                let has_other = |group: &&Group| group.others(avoid).next().is_some();
                Some(drawn)
                    .filter(has_other)
                    .or_else(|| groups.iter().find(has_other))
                    .unwrap_or(drawn)
            }
        };
        if !avoid.is_empty() {
            let others: Vec<Rc<Endpoint>> = group.others(avoid).cloned().collect();
            if !others.is_empty() {
                return self.draw(rng, &others);
            }
        }
        self.draw(rng, &group.endpoints)
    }

    fn draw(&self, rng: &mut Rng, endpoints: &[Rc<Endpoint>]) -> Option<Rc<Endpoint>> {
        let count = endpoints.len();
        if count < 2 {
            return endpoints.first().cloned();
        }
        let first = rng.usize(..count);
        let second = (first + 1 + rng.usize(..count - 1)) % count;
        let (first, second) = (&endpoints[first], &endpoints[second]);
        let takes_first = match self.warming() {
            None => first.active() <= second.active(),
            Some(now) => self.takes_warmer(first, second, rng, now),
        };
        Some(Rc::clone(if takes_first { first } else { second }))
    }

    /// The time, while any endpoint is new.
    fn warming(&self) -> Option<Instant> {
        let until = self.warming_until.get()?;
        let now = clock::now();
        if now >= until {
            self.warming_until.set(None);
            return None;
        }
        Some(now)
    }

    fn takes_warmer(
        &self,
        first: &Endpoint,
        second: &Endpoint,
        rng: &mut Rng,
        now: Instant,
    ) -> bool {
        let (one, other) = (self.warmth(first, now), self.warmth(second, now));
        if one >= 1.0 && other >= 1.0 {
            return first.active() <= second.active();
        }
        let worth = |warmth: f64, endpoint: &Endpoint| warmth / f64::from(endpoint.active() + 1);
        let (one, other) = (worth(one, first), worth(other, second));
        rng.f64() * (one + other) < one
    }

    fn warmth(&self, endpoint: &Endpoint, now: Instant) -> f64 {
        let age = now.saturating_duration_since(endpoint.usable_since());
        (age.as_secs_f64() / self.slow_start.as_secs_f64()).clamp(COLDEST, 1.0)
    }
}

impl Group {
    fn others(&self, avoid: &[Rc<Endpoint>]) -> impl Iterator<Item = &Rc<Endpoint>> {
        let is_avoided = |endpoint| avoid.iter().any(|avoid| Rc::ptr_eq(avoid, endpoint));
        self.endpoints
            .iter()
            .filter(move |endpoint| !is_avoided(endpoint))
    }
}

/// `None` where zones make no difference, or are not known of every endpoint.
fn by_zone(own: &str, all: &[Rc<Endpoint>], usable: &[Rc<Endpoint>]) -> Option<Vec<Group>> {
    let mut healthy: BTreeMap<&str, usize> = BTreeMap::new();
    for endpoint in all {
        healthy.insert(endpoint.zone()?, 0);
    }
    for endpoint in usable {
        *healthy.entry(endpoint.zone()?).or_default() += 1;
    }
    let mut up_to = 0.0;
    let groups = zones::shares(own, &healthy)?.into_iter();
    let groups = groups
        .filter(|(_, share)| *share > 0.0)
        .map(|(zone, share)| {
            up_to += share;
            let of_zone = usable
                .iter()
                .filter(|endpoint| endpoint.zone() == Some(zone));
            Group {
                up_to,
                endpoints: of_zone.cloned().collect(),
            }
        });
    Some(groups.collect())
}
