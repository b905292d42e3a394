use std::time::Duration;

use super::*;

const SMALLEST: &str = "mesh: shop\nservices:\n  crystal:\n    run: ./server\n";

fn refusal(text: &str) -> String {
    Manifest::parse(text).unwrap_err().to_string()
}

#[test]
fn the_smallest_manifest_gets_every_default() {
    let manifest = Manifest::parse(SMALLEST).unwrap();
    assert_eq!(manifest.host("crystal"), "crystal.shop.local");
    assert_eq!(manifest.path("crystal"), "/");
    assert_eq!(manifest.gateway.port, 8080);
    let crystal = &manifest.services["crystal"];
    assert_eq!(crystal.run.words(), ["sh", "-c", "./server"]);
    assert_eq!(crystal.tag.as_str(), "vanilla");
    assert_eq!(crystal.health.interval.0, Duration::from_secs(5));
    assert_eq!(
        crystal.release.policy(),
        Policy::Auto {
            mode: Mode::Balanced,
            max_share: model::Share::from_basis_points(5000).unwrap()
        }
    );
}

#[test]
fn several_services_get_a_path_each() {
    let manifest = Manifest::parse(
        "mesh: shop\nservices:\n  a: { run: [./a], backends: [b] }\n  b: { run: [./b, --fast], path: /other }\n",
    )
    .unwrap();
    assert_eq!(manifest.path("a"), "/a");
    assert_eq!(manifest.path("b"), "/other");
    assert_eq!(manifest.services["b"].run.words(), ["./b", "--fast"]);
}

#[test]
fn bad_fields_are_refused_on_their_line() {
    for (line, text, words) in [
        (4, SMALLEST.replace("./server", "''"), "may not be empty"),
        (
            5,
            format!("{SMALLEST}    taks: 3\n"),
            "unknown field `taks`",
        ),
        (5, format!("{SMALLEST}    stop_grace: 10\n"), "no duration"),
        (5, format!("{SMALLEST}    path: web\n"), "begin with `/`"),
        (1, SMALLEST.replace("shop", "../shop"), "is no name"),
        (
            5,
            format!("{SMALLEST}    release: {{ steps: [5, 101] }}\n"),
            "101",
        ),
    ] {
        let refusal = refusal(&text);
        assert!(refusal.contains(words), "{refusal}");
        assert!(refusal.contains(&format!("line {line}")), "{refusal}");
    }
}

/// So many of them, that rise to 100.
fn percents(many: u32) -> String {
    let percents: Vec<_> = (101 - many..=100).map(|each| each.to_string()).collect();
    percents.join(", ")
}

#[test]
fn rules_over_several_fields_name_the_field() {
    for (tail, field) in [
        ("    tasks: 0\n", "services.crystal.tasks"),
        ("    backends: [nodejs]\n", "services.crystal.backends"),
        (
            "    release: { steps: [50, 25, 100] }\n",
            "services.crystal.release.steps",
        ),
        (
            "    release: { steps: [5, 25] }\n",
            "services.crystal.release.steps",
        ),
        (
            &format!("    release: {{ steps: [{}] }}\n", percents(33)),
            "services.crystal.release.steps: has 33 steps, of at most 32",
        ),
        (
            "    release: { failure_budget: 0 }\n",
            "services.crystal.release.failure_budget",
        ),
        (
            "    release: { false_promotion: 5 }\n",
            "services.crystal.release.false_promotion",
        ),
        (
            "    health: { interval: 1s }\n",
            "services.crystal.health.interval",
        ),
        (
            "    health: { healthy_threshold: 1 }\n",
            "services.crystal.health.healthy_threshold",
        ),
        (
            "    traffic: { sticky: { cookie: user } }\n    release: { bake: 5m }\n",
            "services.crystal.release.bake: cannot be set with traffic.sticky",
        ),
        ("  other: { run: x, host: crystal.shop.local }\n", "host"),
    ] {
        let refusal = refusal(&format!("{SMALLEST}{tail}"));
        assert!(refusal.contains(field), "{refusal}");
    }
}

#[test]
fn traffic_is_steered_only_where_it_is_written() {
    let traffic = |tail: &str| {
        let manifest = Manifest::parse(&format!("{SMALLEST}{tail}")).unwrap();
        manifest.services["crystal"].traffic.clone()
    };
    assert_eq!(traffic(""), TrafficSettings::default());
    let steered = traffic(
        "    traffic:\n      sticky: { cookie: crystal-user }\n      pin: { header: X-Serin-Version }\n      mirror: { share: 2.5% }\n      fault: { abort: { share: 0.01, status: 503 } }\n",
    );
    let mirror = steered.mirror.unwrap();
    assert_eq!(mirror.share.0.basis_points(), 250);
    assert_eq!(mirror.methods.len(), 3);
    assert_eq!(
        steered.fault.unwrap().abort.unwrap().share.0.basis_points(),
        1
    );
    assert_eq!(
        steered.sticky,
        Some(StickySettings::Cookie("crystal-user".parse().unwrap()))
    );
    assert_eq!(
        steered.pin,
        Some(PinSettings::Header("x-serin-version".parse().unwrap()))
    );
    for (traffic, words) in [
        ("sticky: { cookie: 'a b' }", "no name of a header or cookie"),
        ("sticky: { header: Cookie }", "meaning of its own"),
        ("sticky: { cookie: a, header: b }", "line 5"),
        ("sticky: cookie", "line 5"),
        ("pin: { header: '' }", "no name of a header or cookie"),
        ("pins: { header: a }", "unknown field `pins`"),
        ("mirror: { methods: [GET] }", "missing field `share`"),
        ("mirror: { share: 101 }", "101"),
        ("mirror: { share: 1, methods: [] }", "names no method"),
        ("fault: { header: a }", "needs a delay or an abort"),
        (
            "fault: { delay: { share: 1, time: 1h } }",
            "fault.delay.time: 1h is over 5m",
        ),
        (
            "fault: { abort: { share: 1, status: 200 } }",
            "fault.abort.status: 200 is not in 400..=599",
        ),
    ] {
        let refusal = refusal(&format!("{SMALLEST}    traffic: {{ {traffic} }}\n"));
        assert!(refusal.contains(words), "{traffic}: {refusal}");
    }
}

#[test]
fn durations_print_as_they_are_written() {
    for text in ["250ms", "90s", "5m", "1h", "0s"] {
        let duration: TextDuration = text.parse().unwrap();
        assert_eq!(duration.to_string(), text);
    }
    for text in [
        "",
        "5",
        "s",
        "-1s",
        "1.5s",
        "5d",
        "99999999999999999999s",
        "18446744073709551615h",
    ] {
        assert!(text.parse::<TextDuration>().is_err(), "{text}");
    }
}
