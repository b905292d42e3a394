//! Values of options, refused in words that say what is expected.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// An address to listen on.
pub fn address(text: &str) -> Result<SocketAddr, &'static str> {
    read(
        text,
        "write an IP address and a port, as in 127.0.0.1:7470 or [::1]:7470",
    )
}

pub fn ip(text: &str) -> Result<IpAddr, &'static str> {
    read(text, "write an IP address, as in 127.0.0.1 or ::1")
}

pub fn port(text: &str) -> Result<u16, &'static str> {
    read(text, "write a port, 0 to 65535")
}

/// 0 or more.
pub fn count<T: FromStr>(text: &str) -> Result<T, &'static str> {
    read(text, "write a whole number, 0 or more")
}

/// For types that cannot be zero.
pub fn at_least_one<T: FromStr>(text: &str) -> Result<T, &'static str> {
    read(text, "write a whole number, 1 or more")
}

/// Requests a second, or failures.
pub fn quantity(text: &str) -> Result<f64, &'static str> {
    let expected = "write a number above 0, as in 100 or 0.5";
    match read::<f64>(text, expected) {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err(expected),
    }
}

/// Of a wrong decision, within what the manifest allows.
pub fn risk(text: &str) -> Result<f64, &'static str> {
    let expected = "write a probability from 0.000000001 to 0.5, as in 0.01";
    match read::<f64>(text, expected) {
        Ok(risk) if (1e-9..=0.5).contains(&risk) => Ok(risk),
        _ => Err(expected),
    }
}

fn read<T: FromStr>(text: &str, expected: &'static str) -> Result<T, &'static str> {
    text.parse().map_err(|_| expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_mean_nothing_are_refused() {
        for text in ["-1", "0", "inf", "NaN", "1e999", "x", ""] {
            assert!(quantity(text).is_err(), "{text}");
        }
        assert_eq!(quantity("0.5"), Ok(0.5));
        assert!(risk("0").is_err() && risk("0.6").is_err() && risk("0.01").is_ok());
        assert!(count::<u32>("-1").is_err() && count::<u32>("0") == Ok(0));
    }
}
