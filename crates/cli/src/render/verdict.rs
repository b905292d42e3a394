//! The judge's words, and the outcome of a release.

/// How the judge begins a sentence, depending on its decision.
const BEGINNINGS: [&str; 3] = ["promoted: ", "rolled back: ", "going on: "];

/// A sentence of the judge without its decision, for where that stands already. Of a build that failed, the
/// first row.
pub fn reason(sentence: &str) -> &str {
    let sentence = sentence.lines().next().unwrap_or_default();
    let beginning = BEGINNINGS
        .into_iter()
        .find_map(|beginning| sentence.strip_prefix(beginning));
    beginning.unwrap_or(sentence)
}

/// `promote: promoted: …` with the decision said once.
pub fn said_once(text: &str) -> String {
    match text.split_once(": ") {
        Some((decision, sentence)) => format!("{decision}: {}", reason(sentence)),
        None => text.to_owned(),
    }
}

/// `rolledBack` as people say it.
pub fn outcome(outcome: &str) -> &str {
    match outcome {
        "rolledBack" => "rolled back",
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_said_once() {
        assert_eq!(reason("going on: no requests yet"), "no requests yet");
        assert_eq!(reason("ordered"), "ordered");
        assert_eq!(
            said_once("roll back: rolled back: 2 of 2 failures"),
            "roll back: 2 of 2 failures"
        );
        assert_eq!(said_once("promote: ordered"), "promote: ordered");
        assert_eq!(said_once("promote"), "promote");
    }
}
