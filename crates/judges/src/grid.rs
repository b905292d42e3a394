//! The scenarios: healthy canaries under everything that may happen to a service, and bad ones.

use crate::scenario::{
    CALM, ColdStart, Fault, Incident, Latency, Onset, Scenario, Spells, Stalls, Tempo, Users,
};

/// Canaries that are no worse than the stable version.
pub(crate) fn healthy() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (name, failing) in [
        ("healthy 0 %", 0.0),
        ("healthy 0.01 %", 0.0001),
        ("healthy 0.1 %", 0.001),
        ("healthy 0.5 %", 0.005),
        ("healthy 1 %", 0.01),
        ("healthy 5 %", 0.05),
    ] {
        for rate in [0.2, 1.0, 10.0, 100.0, 1000.0, 10_000.0] {
            scenarios.push(Scenario {
                name,
                rate,
                failing,
                limit: if rate < 10.0 { 4.0 * 3600.0 } else { 3600.0 },
                ..CALM
            });
        }
    }
    scenarios.extend(adversities());
    scenarios
}

/// What happens to healthy canaries, one thing at a time.
pub(crate) fn adversities() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "shared incident 3 %, 12 min",
            incident: Some(Incident {
                from: 10.0,
                until: 730.0,
                failing: 0.031,
            }),
            ..CALM
        },
        Scenario {
            name: "shared outage 30 %, 3 min",
            rate: 10.0,
            incident: Some(Incident {
                from: 240.0,
                until: 420.0,
                failing: 0.3,
            }),
            ..CALM
        },
        Scenario {
            name: "diurnal",
            rate: 10.0,
            failing: 0.005,
            tempo: Tempo::Diurnal,
            ..CALM
        },
        Scenario {
            name: "bursts",
            failing: 0.005,
            tempo: Tempo::Bursts,
            ..CALM
        },
        Scenario {
            name: "spells of 20 % failures",
            spells: Some(Spells {
                calm: 60.0,
                spell: 5.0,
                failing: 0.2,
                own: false,
            }),
            ..CALM
        },
        Scenario {
            name: "callers send again 3 times",
            failing: 0.01,
            repeats: 3,
            ..CALM
        },
        Scenario {
            name: "sticky, 0.5 % of users hopeless",
            users: Users {
                count: 10_000,
                sticky: true,
                hopeless: 0.005,
            },
            ..CALM
        },
        Scenario {
            name: "5 % forced by a header",
            forced: 0.05,
            ..CALM
        },
        Scenario {
            name: "cold start 30 s, 3 times slower",
            cold_start: Some(ColdStart {
                lasts: 30.0,
                times: 3.0,
            }),
            ..CALM
        },
        stalling("each version stalls 50 to 500 ms", 100.0),
        stalling("each version stalls 50 to 500 ms", 1000.0),
        Scenario {
            name: "latency constant",
            latency: Latency::Constant,
            ..CALM
        },
        Scenario {
            name: "latency bimodal",
            latency: Latency::Bimodal,
            ..CALM
        },
        delayed("telemetry 0.1 s late", 0.1),
        delayed("telemetry 15 s late", 15.0),
        delayed("telemetry 60 s late", 60.0),
        Scenario {
            name: "a fifth of reports lost",
            lost: 0.2,
            ..CALM
        },
        Scenario {
            name: "10 proxies",
            proxies: 10,
            ..CALM
        },
        Scenario {
            name: "100 proxies",
            rate: 1000.0,
            proxies: 100,
            ..CALM
        },
    ]
}

/// About twice a minute, each for itself.
const fn stalling(name: &'static str, rate: f64) -> Scenario {
    Scenario {
        name,
        rate,
        stalls: Some(Stalls {
            apart: 30.0,
            shortest: 0.05,
            longest: 0.5,
        }),
        ..CALM
    }
}

const fn delayed(name: &'static str, delay: f64) -> Scenario {
    Scenario {
        name,
        failing: 0.005,
        delay,
        ..CALM
    }
}

/// Canaries that are worse.
pub(crate) fn bad() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for rate in [1.0, 10.0, 100.0, 1000.0, 10_000.0] {
        scenarios.push(failing("dead", rate, 0.001, 1.0));
        scenarios.push(failing("50 % errors", rate, 0.001, 0.5));
    }
    scenarios.extend([
        failing("0.1 to 5 %", 1.0, 0.001, 0.05),
        failing("0.1 to 2 %", 10.0, 0.001, 0.02),
        failing("0.1 to 2 %", 100.0, 0.001, 0.02),
        failing("0.1 to 0.5 %", 100.0, 0.001, 0.005),
        failing("0 to 0.3 %", 100.0, 0.0, 0.003),
        failing("0.5 to 1 %", 100.0, 0.005, 0.01),
        failing("1 to 2 %", 100.0, 0.01, 0.02),
        Scenario {
            fault: Fault::FailsMore(0.01),
            ..failing("5 to 6 %", 100.0, 0.05, 0.0)
        },
        failing("0.1 to 0.15 %", 1000.0, 0.001, 0.0015),
        Scenario {
            onset: Onset::At(30.0),
            ..failing("0.1 to 5 % after 30 s", 100.0, 0.001, 0.05)
        },
        Scenario {
            onset: Onset::AfterPromotion(60.0),
            ..failing("50 % errors after promotion", 100.0, 0.001, 0.5)
        },
        Scenario {
            fault: Fault::Worsens(0.01),
            ..failing("1 point worse each minute", 100.0, 0.001, 0.0)
        },
        Scenario {
            delay: 15.0,
            ..failing("50 % errors, telemetry 15 s late", 100.0, 0.001, 0.5)
        },
        Scenario {
            proxies: 100,
            ..failing("50 % errors, 100 proxies", 1000.0, 0.001, 0.5)
        },
        Scenario {
            incident: Some(Incident {
                from: 10.0,
                until: 730.0,
                failing: 0.031,
            }),
            ..failing("20 % errors in a shared incident", 100.0, 0.001, 0.2)
        },
        slower("5 % slower", Fault::Slower(1.05)),
        slower("10 % slower", Fault::Slower(1.1)),
        slower("25 % slower", Fault::Slower(1.25)),
        slower("50 % slower", Fault::Slower(1.5)),
        slower("1 % ten times slower", Fault::SlowTail(0.01, 10.0)),
    ]);
    scenarios
}

pub(crate) const fn failing(name: &'static str, rate: f64, stable: f64, canary: f64) -> Scenario {
    Scenario {
        name,
        rate,
        failing: stable,
        fault: Fault::Fails(canary),
        limit: if rate < 10.0 { 4.0 * 3600.0 } else { 3600.0 },
        ..CALM
    }
}

pub(crate) const fn slower(name: &'static str, fault: Fault) -> Scenario {
    Scenario {
        name,
        fault,
        ..CALM
    }
}

/// What is shown of every rule side by side.
pub(crate) fn compared() -> Vec<Scenario> {
    let healthy = healthy().into_iter().filter(|scenario| {
        let plain = [
            ("healthy 0.1 %", 0.2),
            ("healthy 0.1 %", 1.0),
            ("healthy 0.1 %", 10.0),
            ("healthy 0.1 %", 100.0),
            ("healthy 0.5 %", 10.0),
            ("healthy 1 %", 100.0),
        ];
        !scenario.name.starts_with("healthy") || plain.contains(&(scenario.name, scenario.rate))
    });
    healthy.chain(bad()).collect()
}
