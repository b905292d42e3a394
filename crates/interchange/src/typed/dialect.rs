//! How the formats spell what the service model has.

use crate::tree::{Node, Value};

/// The rules of one format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    spelling: Spelling,
    /// `"80"` is good for a number and `80` for a string.
    pub(super) converts_scalars: bool,
    /// A structure is a list of one block, and an empty value stands for one that is absent.
    pub(super) blocks: bool,
    /// An unknown member is passed over, as the format's own reader does.
    prunes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Exact,
    /// `AWSCloudMap` is `awsCloudMap`, `certificateARN` is `certificateArn`.
    AnyCase,
    /// `weighted_target` is `weightedTargets`.
    Snake,
}

/// The service model's own JSON.
pub(crate) const COMMAND_LINE: Dialect = Dialect {
    spelling: Spelling::Exact,
    converts_scalars: false,
    blocks: false,
    prunes: false,
};

pub(crate) const CLOUDFORMATION: Dialect = Dialect {
    spelling: Spelling::AnyCase,
    converts_scalars: true,
    ..COMMAND_LINE
};

/// The API server prunes what the custom resource's schema does not know.
pub(crate) const KUBERNETES: Dialect = Dialect {
    spelling: Spelling::AnyCase,
    prunes: true,
    ..COMMAND_LINE
};

pub(crate) const TERRAFORM: Dialect = Dialect {
    spelling: Spelling::Snake,
    converts_scalars: true,
    blocks: true,
    prunes: false,
};

impl Dialect {
    /// The model's name of what the format calls `key`.
    pub(super) fn member(self, key: &str, members: &[&'static str]) -> Option<&'static str> {
        let is_meant = |member: &&&'static str| match self.spelling {
            Spelling::Exact => **member == key,
            Spelling::AnyCase => member.eq_ignore_ascii_case(key),
            Spelling::Snake => is_snake_of(key, member),
        };
        members.iter().find(is_meant).copied()
    }

    /// Whether a member that the model does not have says nothing, or nothing that was ever heard.
    pub(super) fn may_skip(self, node: &Node) -> bool {
        self.prunes || self.is_absent(node, true)
    }

    pub(super) fn is_absent(self, node: &Node, zero_is_absent: bool) -> bool {
        match &node.value {
            Value::Null => true,
            _ if !self.blocks => false,
            Value::Scalar(scalar) => {
                scalar.text.is_empty() || zero_is_absent && !scalar.quoted && scalar.text == "0"
            }
            Value::List(items) => items.is_empty(),
            Value::Map(members) => members.is_empty(),
        }
    }
}

/// Whether `key` is `member` in snake case; a block that may be repeated is named in the singular.
fn is_snake_of(key: &str, member: &str) -> bool {
    let mut snake = String::with_capacity(member.len() + 4);
    for character in member.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    key == snake || snake.strip_suffix('s') == Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_under_each_formats_names() {
        let found = |dialect: Dialect, key, member| dialect.member(key, &[member]) == Some(member);
        assert!(found(COMMAND_LINE, "awsCloudMap", "awsCloudMap"));
        assert!(!found(COMMAND_LINE, "AwsCloudMap", "awsCloudMap"));
        assert!(found(CLOUDFORMATION, "AWSCloudMap", "awsCloudMap"));
        assert!(found(KUBERNETES, "certificateARN", "certificateArn"));
        assert!(found(TERRAFORM, "weighted_target", "weightedTargets"));
        assert!(found(TERRAFORM, "http_retry_events", "httpRetryEvents"));
        assert!(found(TERRAFORM, "http2_route", "http2Route"));
        assert!(!found(TERRAFORM, "weightedTargets", "weightedTargets"));
    }
}
