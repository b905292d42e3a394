//! `%START_TIME%`: Envoy's additions to `strftime`, said in words that jiff knows.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// ISO 8601 with milliseconds.
const DEFAULT: &str = "%Y-%m-%dT%H:%M:%S.%3fZ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeFormat(String);

impl Default for TimeFormat {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl TimeFormat {
    /// `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut translated = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            translated.push_str(before);
            rest = match after.strip_prefix('E') {
                Some(extended) => extension(extended, &mut translated)?,
                None => {
                    translated.push('%');
                    // What follows belongs to it, so that `%%` is not taken for a beginning.
                    let end = 1 + after.bytes().take_while(u8::is_ascii_digit).count();
                    translated.push_str(after.get(..end)?);
                    &after[end..]
                }
            };
        }
        translated.push_str(rest);
        let format = Self(translated);
        format.format(SystemTime::UNIX_EPOCH).map(|_| format)
    }

    pub(super) fn format(&self, at: SystemTime) -> Option<String> {
        let at = Timestamp::try_from(at).ok()?.to_zoned(TimeZone::UTC);
        jiff::fmt::strtime::format(&self.0, &at).ok()
    }
}

/// `%ET`, and seconds with a fraction: `%E3S`, `%E*S`, `%E3f`, `%E*f`. Returns what follows.
fn extension<'a>(text: &'a str, translated: &mut String) -> Option<&'a str> {
    if let Some(rest) = text.strip_prefix('T') {
        translated.push('T');
        return Some(rest);
    }
    let digits = match text.strip_prefix('*') {
        Some(_) => "*",
        None => text.get(..1).filter(|digit| ("1"..="9").contains(digit))?,
    };
    let width = if digits == "*" { "" } else { digits };
    let rest = &text[1..];
    if let Some(rest) = rest.strip_prefix('S') {
        translated.push_str(&format!("%S.%{width}f"));
        return Some(rest);
    }
    let rest = rest.strip_prefix('f')?;
    translated.push_str(&format!("%{width}f"));
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_written_as_envoy_writes_them() {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_795_399_445, 67_890_123);
        for (format, expected) in [
            (DEFAULT, "2026-11-23T02:04:05.067Z"),
            ("%Y/%m/%dT%H:%M:%S%z", "2026/11/23T02:04:05+0000"),
            ("%s", "1795399445"),
            ("%s.%3f", "1795399445.067"),
            ("%E3S", "05.067"),
            ("%d%ET%E*f", "23T067890123"),
            ("100%%E3S", "100%E3S"),
            ("", ""),
        ] {
            let parsed = TimeFormat::parse(format);
            let written = parsed.as_ref().and_then(|parsed| parsed.format(at));
            assert_eq!(written.as_deref(), Some(expected), "{format}");
        }
        for bad in ["%", "%E", "%E0S", "%E3x", "%!"] {
            assert_eq!(TimeFormat::parse(bad), None, "{bad}");
        }
    }
}
