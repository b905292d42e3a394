//! The lines the service writes to its standard output:
//!
//! ```text
//! D, [2026-11-22 21:38:00 UTC #4711] DEBUG -- : Created logger
//! GET /crystal - 200 (12.3µs)
//! ```

use std::io::{self, Write};
use std::process;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy)]
pub enum Severity {
    Debug,
    Info,
    Warn,
}

pub fn event(severity: Severity, message: &str) {
    let name = match severity {
        Severity::Debug => "DEBUG",
        Severity::Info => "INFO",
        Severity::Warn => "WARN",
    };
    let initial = &name[..1];
    let time = utc(SystemTime::now());
    let process = process::id();
    line(&format!(
        "{initial}, [{time} #{process}] {name:>5} -- : {message}"
    ));
}

pub fn request(method: &str, target: &str, status: &str, elapsed: Duration) {
    let code = &status[..3];
    line(&format!("{method} {target} - {code} ({})", text(elapsed)));
}

pub fn line(text: &str) {
    // Losing a line, say to a full disk, must not fail a request.
    let _lost = writeln!(io::stdout(), "{text}");
}

fn text(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    match seconds {
        60.0.. => format!("{:.2}m", seconds / 60.0),
        1.0.. => format!("{seconds:.2}s"),
        0.001.. => format!("{:.2}ms", seconds * 1e3),
        _ => format!("{:.2}µs", seconds * 1e6),
    }
}

/// `2026-11-22 21:38:00 UTC`
fn utc(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The Gregorian date of a day counted from 1 January 1970.
///
/// The year is taken to begin in March, which puts the leap day last; 400 such
/// years always have 146,097 days.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468; // from 1 March of the year 0
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // 0 is March
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let january_or_february = u64::from(month >= 10);
    let year = era * 400 + year + january_or_february;
    (year, (month + 2) % 12 + 1, day_of_month)
}
