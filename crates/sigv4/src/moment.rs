//! The moment of a signature, in the two forms in which requests write it.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

const HTTP_DATE: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();

/// `20150830T123600Z`, the form of `X-Amz-Date`.
pub(crate) fn basic(text: &str) -> Option<Timestamp> {
    let has_form = text.len() == 16
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    has_form.then(|| text.parse().ok()).flatten()
}

/// What a `Date` header may hold: that form, or HTTP's own (`Sun, 30 Aug 2015 12:36:00 GMT`).
pub(crate) fn basic_or_http(text: &str) -> Option<Timestamp> {
    basic(text).or_else(|| HTTP_DATE.parse_timestamp(text).ok())
}

/// As the signed text writes it.
pub(crate) fn written(moment: Timestamp) -> String {
    in_utc(moment, "%Y%m%dT%H%M%SZ")
}

/// The day, as the scope of a credential writes it.
pub(crate) fn day(moment: Timestamp) -> String {
    in_utc(moment, "%Y%m%d")
}

fn in_utc(moment: Timestamp, format: &str) -> String {
    moment.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_moment() {
        let moment = basic("20150830T123600Z").unwrap();
        assert_eq!(moment, "2015-08-30T12:36:00Z".parse().unwrap());
        for text in [
            "20150830T123600Z",
            "Sun, 30 Aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:00 +0000",
        ] {
            assert_eq!(basic_or_http(text), Some(moment), "{text}");
        }
        assert_eq!(written(moment), "20150830T123600Z");
        assert_eq!(day(moment), "20150830");
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "20150830",
            "20150830T123600",
            "20150830T123600+",
            "20150830t123600Z",
            "20151330T123600Z",
            "20150830T256000Z",
            "2015083aT123600Z",
            "2015-08-30T12:36:00Z",
            "20150830T12360\u{663}Z",
            "yesterday",
        ] {
            assert_eq!(basic_or_http(text), None, "{text}");
        }
    }
}
