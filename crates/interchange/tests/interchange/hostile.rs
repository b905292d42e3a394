//! Damaged texts: whatever comes, it is read or refused, and every place lies inside the text.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::world::read;
use crate::{cloudformation, command_line, kubernetes, terraform};

/// What a damaged text gets in the place of a piece of it.
const PIECES: [&str; 16] = [
    "", "\n", " ", "---\n", "{", "}", "[", "\"", ": ", "*a", "&a ", "!Ref ", "!Sub ${", "null",
    "0", "<<: ",
];

fn text() -> impl Strategy<Value = String> {
    select(vec![
        cloudformation::TEMPLATE.to_owned(),
        command_line::DESCRIBED.to_owned(),
        kubernetes::CLUSTER.to_owned(),
        terraform::state(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_text_is_read_or_refused(
        text in text(),
        damages in proptest::collection::vec((any::<Index>(), 0..30_usize, select(PIECES.to_vec())), 1..4),
    ) {
        let mut characters: Vec<char> = text.chars().collect();
        for (index, length, piece) in damages {
            let start = index.index(characters.len());
            let end = (start + length).min(characters.len());
            characters.splice(start..end, piece.chars());
        }
        let text: String = characters.into_iter().collect();
        let lines = text.lines().count() + 1;
        let reading = read(&text);
        let places = reading.documents.iter().map(|document| &document.place);
        for place in places.chain(reading.refused.iter().map(|refusal| &refusal.place)) {
            prop_assert!((1..=lines).contains(&place.line), "{place:?} of {lines}");
        }
    }
}
