//! Requests that name their arm: for testers and for CI, who must not wait for a lucky draw.
//!
//! A name that is no target of the split is ignored. In a chain of calls one header then pins the
//! services that have such a version, and leaves the others to chance.

use httparse::Header;
use view::PinKey;

use crate::sticky::header;

/// The index of the target that the request names.
pub(crate) fn target(pin: &view::Pin, lines: &[Header<'_>]) -> Option<usize> {
    let name = match &pin.by {
        PinKey::Header(name) => str::from_utf8(header(lines, name).next()?).ok()?.trim(),
        PinKey::Baggage(member) => baggage(lines, member)?,
    };
    pin.targets.get(name).copied()
}

/// The value of a member of `baggage` (W3C Baggage, section 3): `key=value;property, key=value`.
fn baggage<'a>(lines: &'a [Header<'a>], member: &str) -> Option<&'a str> {
    header(lines, "baggage")
        .filter_map(|line| str::from_utf8(line).ok())
        .flat_map(|line| line.split(','))
        .find_map(|entry| {
            let (key, value) = entry.split(';').next()?.split_once('=')?;
            (key.trim() == member).then(|| value.trim())
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pinned(by: PinKey, lines: &[(&str, &str)]) -> Option<usize> {
        let lines: Vec<_> = lines
            .iter()
            .map(|(name, value)| Header {
                name,
                value: value.as_bytes(),
            })
            .collect();
        let targets = BTreeMap::from([("vanilla".to_owned(), 0), ("epoch".to_owned(), 1)]);
        target(&view::Pin { by, targets }, &lines)
    }

    #[test]
    fn by_header() {
        let by = || PinKey::Header("x-serin-version".into());
        assert_eq!(pinned(by(), &[("X-Serin-Version", "epoch")]), Some(1));
        assert_eq!(pinned(by(), &[("x-serin-version", "Epoch")]), None);
        assert_eq!(pinned(by(), &[("x-serin-version", "gone")]), None);
        assert_eq!(pinned(by(), &[("baggage", "x-serin-version=epoch")]), None);
    }

    #[test]
    fn by_baggage() {
        let by = || PinKey::Baggage("serin-version".into());
        for (lines, expected) in [
            (&[("baggage", "serin-version=epoch")][..], Some(1)),
            (
                &[("Baggage", "user=1;p=2 , serin-version = epoch ; ttl=3, a=b")],
                Some(1),
            ),
            (
                &[("baggage", "user=1"), ("baggage", "serin-version=vanilla")],
                Some(0),
            ),
            (&[("baggage", "other;serin-version=epoch")], None),
            (&[("baggage", "serin-version")], None),
            (&[("serin-version", "epoch")], None),
        ] {
            assert_eq!(pinned(by(), lines), expected, "{lines:?}");
        }
    }
}
