//! Which share of a proxy's requests each zone gets, by Envoy's zone-aware rule
//! (<https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/zone_aware>).
//!
//! A zone keeps its callers' requests as far as its part of the healthy endpoints allows, and sends the
//! rest to zones that have more than their callers need. Callers are taken to be spread evenly over the
//! zones; then every healthy endpoint of the cluster gets the same load, whatever its zone.

use std::collections::BTreeMap;

/// With fewer healthy endpoints, one more or less shifts too much; Envoy's default.
const FEWEST_ENDPOINTS: usize = 6;

/// The share of each zone for callers in `own`, given the healthy endpoints of every zone; `None` where
/// zones make no difference.
pub(super) fn shares<'z>(
    own: &str,
    healthy: &BTreeMap<&'z str, usize>,
) -> Option<BTreeMap<&'z str, f64>> {
    let total: usize = healthy.values().sum();
    if healthy.len() < 2 || total < FEWEST_ENDPOINTS || !healthy.contains_key(own) {
        return None;
    }
    let needed = 1.0 / healthy.len() as f64;
    let part = |count: usize| count as f64 / total as f64;
    let kept = (part(healthy[own]) / needed).min(1.0);
    let spare = |count: usize| (part(count) - needed).max(0.0);
    let all_spare: f64 = healthy.values().map(|&count| spare(count)).sum();
    let share = |zone: &str, count: usize| {
        if zone == own {
            kept
        } else if kept < 1.0 {
            (1.0 - kept) * spare(count) / all_spare
        } else {
            0.0
        }
    };
    Some(
        healthy
            .iter()
            .map(|(&zone, &count)| (zone, share(zone, count)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(own: &str, counts: &[(&'static str, usize)]) -> Option<Vec<f64>> {
        let healthy = counts.iter().copied().collect();
        Some(shares(own, &healthy)?.into_values().collect())
    }

    #[test]
    fn a_zone_keeps_what_it_can_carry_and_spares_what_it_need_not() {
        for (own, counts, expected) in [
            ("a", [("a", 3), ("b", 3)], Some(vec![1.0, 0.0])),
            ("a", [("a", 6), ("b", 2)], Some(vec![1.0, 0.0])),
            ("b", [("a", 6), ("b", 2)], Some(vec![0.5, 0.5])),
            ("b", [("a", 6), ("b", 0)], Some(vec![1.0, 0.0])),
            ("a", [("a", 3), ("b", 2)], None),
            ("c", [("a", 3), ("b", 3)], None),
        ] {
            assert_eq!(of(own, &counts), expected, "{own} {counts:?}");
        }
        assert_eq!(of("a", &[("a", 9)]), None, "one zone is no choice");
        let [a, b, c] = of("a", &[("a", 1), ("b", 4), ("c", 7)]).unwrap()[..] else {
            panic!("three zones");
        };
        assert!((a - 0.25).abs() < 1e-9 && b.abs() < 1e-9 && (c - 0.75).abs() < 1e-9);
    }

    proptest! {
        /// Nothing is lost, no zone with endpoints that it needs is left out, and every endpoint of the
        /// cluster carries the same: that is, each zone gets as much as it has endpoints.
        #[test]
        fn every_endpoint_carries_the_same(counts in proptest::collection::vec(0usize..40, 2..8)) {
            let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
            let healthy: BTreeMap<&str, usize> = names.into_iter().zip(counts).collect();
            let total: usize = healthy.values().sum();
            prop_assume!(total >= FEWEST_ENDPOINTS);
            let mut load: BTreeMap<&str, f64> = BTreeMap::new();
            for &own in healthy.keys() {
                let shares = shares(own, &healthy).unwrap();
                let sum: f64 = shares.values().sum();
                prop_assert!((sum - 1.0).abs() < 1e-9, "{own}: {shares:?}");
                prop_assert!(healthy[own] == 0 || shares[own] > 0.0, "{own}: {shares:?}");
                for (zone, share) in shares {
                    prop_assert!(share == 0.0 || healthy[zone] > 0, "nobody is in {zone}");
                    *load.entry(zone).or_default() += share / healthy.len() as f64;
                }
            }
            for (zone, load) in load {
                let fair = healthy[zone] as f64 / total as f64;
                prop_assert!((load - fair).abs() < 1e-9, "{zone}: {load} of {fair}");
            }
        }
    }
}
