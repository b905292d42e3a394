//! The reason for what a release did, and its outcome, as people read them.

/// A reason in one row: where a build failed, the rows of its log are left out.
pub fn reason(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// `rolledBack` as people say it.
pub fn outcome(outcome: &str) -> &str {
    match outcome {
        "rolledBack" => "rolled back",
        outcome => outcome,
    }
}

/// What a release is told to do, as people say it.
pub fn order(order: &str) -> &str {
    match order {
        "rollback" => "roll back",
        order => order,
    }
}

/// A family of evidence as people say it.
pub fn family(family: &str) -> &str {
    match family {
        "clientErrors" => "4xx",
        family => family,
    }
}
