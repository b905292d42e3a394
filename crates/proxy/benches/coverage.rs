//! What a request costs in the coverage counters: `cargo bench -p proxy --bench coverage`.
//!
//! In processor time of this thread, over paths with names and identifiers, all known before. Fails if a kind of
//! path costs 50 ns or more. The best of many rounds counts: whatever else the machine does only adds.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::process::ExitCode;

use proxy::benchmarks::Coverage;
use rustix::time::{ClockId, clock_gettime};

const LIMIT: f64 = 50.0;
const ROUNDS: usize = 40;
const REQUESTS: usize = 200_000;

const PATHS: [(&str, [(&str, &str); 4]); 4] = [
    (
        "one or two names",
        [
            ("GET", "/"),
            ("GET", "/health"),
            ("POST", "/orders"),
            ("GET", "/v1/items"),
        ],
    ),
    (
        "numbers",
        [
            ("GET", "/v1/orders/88123"),
            ("GET", "/v1/orders/7"),
            ("PUT", "/v1/orders/55/items/9"),
            ("DELETE", "/v1/users/4711"),
        ],
    ),
    (
        "UUIDs",
        [
            ("GET", "/v1/orders/550e8400-e29b-41d4-a716-446655440000"),
            ("GET", "/v1/users/6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            ("PATCH", "/v1/orders/f47ac10b-58cc-4372-a567-0e02b2c3d479"),
            ("GET", "/v1/carts/7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ],
    ),
    (
        "gRPC",
        [
            ("POST", "/shop.v1.Orders/CreateOrder"),
            ("POST", "/shop.v1.Orders/GetOrder"),
            ("POST", "/shop.v1.Carts/AddItem"),
            ("POST", "/shop.v1.Carts/RemoveItem"),
        ],
    ),
];

fn main() -> ExitCode {
    let mut worst: f64 = 0.0;
    let coverage = Coverage::default();
    // An API around the paths that are measured.
    for name in [
        "users", "carts", "stock", "search", "login", "logout", "events", "metrics",
    ] {
        for tail in ["", "/1", "/1/items", "/1/history", "/recent"] {
            coverage.count("GET", &format!("/v1/{name}{tail}"), 0);
        }
    }
    for (name, paths) in PATHS {
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let before = computed();
            for (method, path) in paths.iter().cycle().take(REQUESTS) {
                let (method, path) = std::hint::black_box((*method, *path));
                coverage.count(method, path, 1);
            }
            best = best.min((computed() - before) * 1e9 / REQUESTS as f64);
        }
        println!("{name}: {best:.1} ns a request");
        worst = worst.max(best);
    }
    match worst < LIMIT {
        true => ExitCode::SUCCESS,
        false => {
            println!("more than {LIMIT} ns");
            ExitCode::FAILURE
        }
    }
}

/// Seconds of this thread.
fn computed() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
