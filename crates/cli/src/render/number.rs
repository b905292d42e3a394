//! Numbers for people.

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 request`, `2,000 requests`.
pub fn of(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// `12.4 %`: of a value that is in percent already.
pub fn percent(value: f64) -> String {
    match value {
        value if value == 0.0 || value >= 99.995 => format!("{value:.0} %"),
        value if value < 1.0 => format!("{value:.2} %"),
        value => format!("{value:.1} %"),
    }
}

/// `301/s`, `0.5/s`.
pub fn rate(per_second: f64) -> String {
    // The sum of no rates is minus zero.
    match per_second.abs() {
        rate if rate >= 10.0 => format!("{}/s", count(rate.round() as u64)),
        rate => format!("{rate:.1}/s"),
    }
}

/// Microseconds: `250 µs`, `3.1 ms`, `1.20 s`.
pub fn micros(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(of(1, "request"), "1 request");
        assert_eq!(of(2000, "request"), "2,000 requests");
    }

    #[test]
    fn small_values_keep_more_digits() {
        assert_eq!(
            [0.0, 0.126, 12.44, 99.99, 100.0].map(percent),
            ["0 %", "0.13 %", "12.4 %", "100.0 %", "100 %"]
        );
        assert_eq!(
            [-0.0, 9.94, 300.6, 12_000.0].map(rate),
            ["0.0/s", "9.9/s", "301/s", "12,000/s"]
        );
        assert_eq!(
            [250, 3_149, 1_204_000].map(micros),
            ["250 µs", "3.1 ms", "1.20 s"]
        );
    }
}
