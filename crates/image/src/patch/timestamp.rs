//! The times that `diff -u` writes behind file names: to be cut off, and to be understood when they
//! are the epoch, which stands for a file that is not there.

/// The length of what belongs to a timestamp at the end of `line`, the separator before it
/// included; 0 if none is there.
pub(super) fn length(line: &[u8]) -> usize {
    if !line.last().is_some_and(u8::is_ascii_digit) {
        return 0;
    }
    let before_zone = without_zone(line);
    let before_time = without_time(before_zone);
    let Some(before_date) = without_date(before_time) else {
        return 0;
    };
    let name = match before_date.split_last() {
        Some((b'\t', name)) => name,
        // A mailer made spaces of the tab.
        Some((b' ', _)) => without_spaces(before_date),
        _ => return 0,
    };
    line.len() - name.len()
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let end = text
        .iter()
        .rposition(|byte| *byte != b' ')
        .map_or(0, |at| at + 1);
    text.get(..end).unwrap_or_default()
}

/// Without ` +0100` or ` +01:00` at the end.
fn without_zone(line: &[u8]) -> &[u8] {
    let form = |shape: &[u8]| before(line, shape);
    form(b" +0000")
        .or_else(|| form(b" -0000"))
        .or_else(|| form(b" +00:00"))
        .or_else(|| form(b" -00:00"))
        .unwrap_or(line)
}

/// Without ` 19:41:17` or ` 19:41:17.62` at the end.
fn without_time(line: &[u8]) -> &[u8] {
    let fraction = line
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let whole = line
        .get(..line.len() - fraction)
        .and_then(|rest| rest.strip_suffix(b"."));
    before(line, b" 00:00:00")
        .or_else(|| {
            whole
                .filter(|_| fraction > 0)
                .and_then(|rest| before(rest, b" 00:00:00"))
        })
        .unwrap_or(line)
}

/// Without `2010-07-05` or `10-07-05` at the end.
fn without_date(line: &[u8]) -> Option<&[u8]> {
    before(line, b"0000-00-00").or_else(|| before(line, b"00-00-00"))
}

/// What stands before a text of that shape at the end of `line`; in a shape, `0` is any digit.
fn before<'a>(line: &'a [u8], shape: &[u8]) -> Option<&'a [u8]> {
    let (rest, end) = line.split_at_checked(line.len().checked_sub(shape.len())?)?;
    has_shape(end, shape).then_some(rest)
}

fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, sign)| {
            if *sign == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == sign
            }
        })
}

/// Whether a file name line ends with a tab and the time 1970-01-01 00:00:00 UTC, in whatever zone
/// it is written.
pub(super) fn is_epoch(line: &[u8]) -> bool {
    let Some(tab) = line.iter().rposition(|byte| *byte == b'\t') else {
        return false;
    };
    let stamp = line.get(tab + 1..).unwrap_or_default();
    minutes_after_epoch(stamp) == Some(0)
}

/// How far a stamp such as `1970-01-01 01:00:00.000 +0100` is from the epoch, if it is one of the
/// two days around it and a whole minute.
fn minutes_after_epoch(stamp: &[u8]) -> Option<i64> {
    let (day_starts, time) = match stamp.strip_prefix(b"1969-12-31 ") {
        Some(time) => (-24 * 60, time),
        None => (0, stamp.strip_prefix(b"1970-01-01 ")?),
    };
    let (clock, rest) = time.split_at_checked(b"00:00:00".len())?;
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let zeros = fraction.iter().take_while(|byte| **byte == b'0').count();
            fraction.get(zeros..).filter(|_| zeros > 0)?
        }
    };
    let zone = rest.strip_prefix(b" ")?.strip_suffix(b"\n")?;
    let (sign, zone) = zone.split_first()?;
    let direction = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let zone_shaped = has_shape(zone, b"0000") || has_shape(zone, b"00:00");
    if !has_shape(clock, b"00:00:00") || !clock.ends_with(b":00") || !zone_shaped {
        return None;
    }
    let offset = direction * (hours(zone)? * 60 + minutes(zone.get(zone.len() - 2..)?)?);
    let of_day = hours(clock)? * 60 + minutes(clock.get(3..)?)?;
    Some(day_starts + of_day - offset)
}

/// The hours that two digits stand for.
fn hours(text: &[u8]) -> Option<i64> {
    two_digits(text).filter(|hours| *hours < 30)
}

/// The minutes that two digits stand for.
fn minutes(text: &[u8]) -> Option<i64> {
    two_digits(text).filter(|minutes| *minutes < 60)
}

fn two_digits(text: &[u8]) -> Option<i64> {
    let digit = |at: usize| {
        text.get(at)
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| i64::from(byte - b'0'))
    };
    Some(digit(0)? * 10 + digit(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_cut_off() {
        for (line, name) in [
            ("a/x\t2010-07-05 19:41:17.620000023 -0500", "a/x"),
            ("a/x\t2010-07-05 19:41:17 +0530", "a/x"),
            ("a/x\t2010-07-05 19:41:17 +05:30", "a/x"),
            ("a/x y   10-07-05 19:41:17", "a/x y"),
            ("a/x\t2010-07-05", "a/x"),
            ("a/x 2010-07", "a/x 2010-07"),
            ("a/x", "a/x"),
            ("2010-07-05", "2010-07-05"),
        ] {
            assert_eq!(
                &line[..line.len() - length(line.as_bytes())],
                name,
                "{line}"
            );
        }
    }

    #[test]
    fn the_epoch_is_known_in_every_zone() {
        for (stamp, epoch) in [
            ("1970-01-01 00:00:00 +0000", true),
            ("1970-01-01 01:00:00.000000000 +0100", true),
            ("1969-12-31 18:30:00 -05:30", true),
            ("1969-12-31 18:30:00 -0500", false),
            ("1970-01-01 00:00:01 +0000", false),
            ("1970-01-01 00:00:00.5 +0000", false),
            ("1970-01-01 00:00:00. +0000", false),
            ("1970-01-02 00:00:00 +0000", false),
            ("1970-01-01 00:00:00", false),
        ] {
            assert_eq!(
                is_epoch(format!("a/x\t{stamp}\n").as_bytes()),
                epoch,
                "{stamp}"
            );
        }
    }
}
