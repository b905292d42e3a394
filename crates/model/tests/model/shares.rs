//! Shares, and the weights that stand for them.

use std::collections::BTreeMap;

use model::share::weights_for;
use model::{Share, Shares};

fn share(points: u16) -> Share {
    Share::from_basis_points(points).unwrap()
}

#[test]
fn weights_of_familiar_shares() {
    let rows = [
        ("0", (100, 0)),
        ("1 %", (99, 1)),
        ("5%", (95, 5)),
        ("12.5%", (7, 1)),
        ("33.33", (2, 1)),
        ("37.5 %", (5, 3)),
        ("66.67", (1, 2)),
        ("0.01", (100, 1)),
        ("99.99", (1, 100)),
        ("100%", (0, 100)),
    ];
    for (text, weights) in rows {
        assert_eq!(weights_for(text.parse().unwrap()), weights, "{text}");
    }
}

/// No two weights at all come nearer, by trying them all.
#[test]
fn no_weights_come_nearer() {
    let error = |(stable, canary): (u32, u32), wanted: f64| {
        (f64::from(canary) / f64::from(stable + canary) - wanted).abs()
    };
    for points in (1..10_000).step_by(37).filter(|points| points % 100 != 0) {
        let chosen = weights_for(share(points));
        let wanted = share(points).fraction();
        for stable in 1..=100 {
            for canary in 1..=100 {
                let better = error((stable, canary), wanted) + 1e-12 < error(chosen, wanted);
                assert!(
                    !better,
                    "{points}: {stable}:{canary} is nearer than {chosen:?}"
                );
            }
        }
    }
}

#[test]
fn both_sides_of_a_true_split_keep_a_weight() {
    for points in 0..=10_000 {
        let (stable, canary) = weights_for(share(points));
        assert!(stable <= 100 && canary <= 100);
        assert_eq!(canary == 0, points == 0);
        assert_eq!(stable == 0, points == 10_000);
        if points % 100 == 0 {
            assert_eq!((stable + canary, canary * 100), (100, u32::from(points)));
        }
    }
}

#[test]
fn shares_are_written_and_read_as_percentages() {
    let rows = [
        (0, "0 %"),
        (1, "0.01 %"),
        (50, "0.5 %"),
        (1250, "12.5 %"),
        (1205, "12.05 %"),
        (10_000, "100 %"),
    ];
    for (points, text) in rows {
        assert_eq!(share(points).to_string(), text);
    }
    for points in 0..=10_000 {
        assert_eq!(share(points).to_string().parse(), Ok(share(points)));
    }
    for text in [
        "", "%", ".5", "5.", "12.345", "100.01", "101", "-1", "+1", "1e1", "12,5", "9999999",
        "12 .5",
    ] {
        assert!(text.parse::<Share>().is_err(), "{text:?}");
    }
}

#[test]
fn shares_sum_to_the_whole() {
    let of = |shares: &[(&str, u16)]| {
        let shares = shares
            .iter()
            .map(|(node, points)| ((*node).to_owned(), share(*points)));
        Shares::new(shares.collect::<BTreeMap<_, _>>())
    };
    assert_eq!(
        of(&[("stable", 8750), ("canary", 1250)]),
        Ok(Shares::split("stable", "canary", share(1250)))
    );
    assert!(of(&[("stable", 8750), ("canary", 1249)]).is_err());
    assert!(of(&[]).is_err());
    assert_eq!(
        of(&[("same", 10_000)]),
        Ok(Shares::split("same", "same", share(1250)))
    );
    assert!(serde_json::from_str::<Shares>(r#"{"stable": 8750}"#).is_err());
    assert!(serde_json::from_str::<Shares>(r#"{"stable": 10001}"#).is_err());
}
