//! The table of a live run.

use judge::Rate;

use crate::case::Ending;

pub(crate) fn markdown(endings: &[Ending], rate: f64) -> String {
    let mut names: Vec<&str> = Vec::new();
    for ending in endings {
        if !names.contains(&ending.case.name) {
            names.push(ending.case.name);
        }
    }
    names.sort_by_key(|name| {
        crate::case::all()
            .iter()
            .position(|case| case.name == *name)
            .unwrap_or_default()
    });
    let mut text = format!(
        "Each at {rate} requests a second. Seconds are from the first share to the decision.\n\n\
         | version | releases | rolled back | promoted | seconds, median (most) | \
         canary requests, median | canary failures, mean (most) |\n|---|---|---|---|---|---|---|\n"
    );
    for name in names {
        let of: Vec<&Ending> = endings
            .iter()
            .filter(|ending| ending.case.name == name)
            .collect();
        let count = |of_kind: fn(&Ending) -> bool| of.iter().filter(|each| of_kind(each)).count();
        let most =
            |value: fn(&Ending) -> f64| of.iter().map(|each| value(each)).fold(0.0, f64::max);
        let failures: f64 = of.iter().map(|each| each.canary_failures as f64).sum();
        text.push_str(&format!(
            "| {name} | {} | {} | {} | {:.1} ({:.1}) | {:.0} | {:.1} ({:.0}) |\n",
            of.len(),
            count(|each| each.rolled_back),
            count(|each| each.promoted),
            median(&of, |each| each.seconds),
            most(|each| each.seconds),
            median(&of, |each| each.canary_requests as f64),
            failures / of.len() as f64,
            most(|each| each.canary_failures as f64),
        ));
    }
    let share = |healthy: bool| {
        let of = endings
            .iter()
            .filter(|ending| ending.case.healthy == healthy);
        let back = of.clone().filter(|ending| ending.rolled_back).count();
        let rate = Rate::new(back as u64, of.count() as u64);
        let (low, high) = (100.0 * rate.interval.low, 100.0 * rate.interval.high);
        format!("{} of {} ({low:.0} to {high:.0} %)", rate.count, rate.of)
    };
    let caught: Vec<&Ending> = endings
        .iter()
        .filter(|ending| !ending.case.healthy && ending.rolled_back)
        .collect();
    text.push_str(&format!(
        "\nHealthy ones rolled back: {}. Bad ones rolled back: {}",
        share(true),
        share(false)
    ));
    if !caught.is_empty() {
        let seconds = median(&caught, |each| each.seconds);
        text.push_str(&format!(", after a median of {seconds:.1} s"));
    }
    text.push_str(".\n");
    text
}

fn median(endings: &[&Ending], of: impl Fn(&Ending) -> f64) -> f64 {
    let mut values: Vec<f64> = endings.iter().map(|ending| of(ending)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
