//! Times and durations for people.

use std::time::Duration;

use jiff::Timestamp;

/// `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 days`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `just now`, `20 s ago`, `5 min ago`, `3 h ago`, `2 days ago`; the text itself if it is no time.
pub fn ago(rfc3339: &str, now: Timestamp) -> String {
    let Ok(then) = rfc3339.parse::<Timestamp>() else {
        return rfc3339.to_owned();
    };
    match between(then, now).as_secs() {
        0..5 => "just now".to_owned(),
        seconds @ 5..60 => format!("{seconds} s ago"),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// From one RFC 3339 time to another; none if one is no time.
pub fn since(from: &str, to: &str) -> Option<Duration> {
    Some(between(from.parse().ok()?, to.parse().ok()?))
}

/// From an RFC 3339 time to now; zero if it is no time.
pub fn elapsed(from: &str, now: Timestamp) -> Duration {
    from.parse()
        .map_or(Duration::ZERO, |from| between(from, now))
}

/// Zero if the clock went back.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_units_at_most() {
        for (millis, text) in [
            (0, "0.0 s"),
            (449, "0.4 s"),
            (9_949, "9.9 s"),
            (10_000, "10 s"),
            (59_999, "59 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (4 * 86_400_000, "4 days"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (then, text) in [
            ("2026-11-22T11:59:58.5Z", "just now"),
            ("2026-11-22T12:00:30Z", "just now"),
            ("2026-11-22T12:59:20+01:00", "40 s ago"),
            ("2026-11-22T11:55:01Z", "4 min ago"),
            ("2026-11-21T12:00:00Z", "24 h ago"),
            ("2026-11-01T12:00:00Z", "21 days ago"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(ago(then, now), text);
        }
    }

    #[test]
    fn a_clock_that_went_back_costs_nothing() {
        let (early, late) = ("2026-11-22T11:00:00Z", "2026-11-22T11:00:01.250Z");
        assert_eq!(since(early, late), Some(Duration::from_millis(1250)));
        assert_eq!(since(late, early), Some(Duration::ZERO));
        assert_eq!(since("soon", late), None);
    }
}
