//! What happens in the demo, as data: told to people by the narrator, to programs as JSON lines.

use serde::Serialize;
use server::api::types::{EventLine, ReleasePlan, ReleaseStatus, ServiceStatus, StoryLine};

use super::load::Seen;
use super::proof::Proof;

#[derive(Debug, Serialize)]
#[serde(
    tag = "scene",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Scene<'a> {
    /// What is used, and where it lies.
    Setting {
        example: &'a str,
        choice: &'a str,
        directory: String,
        state: String,
    },
    Act {
        number: u8,
        title: String,
    },
    BuildLog {
        line: &'a str,
    },
    Event {
        event: &'a EventLine,
    },
    Standing {
        release: &'a ReleaseStatus,
        service: &'a ServiceStatus,
        load: Option<Seen>,
    },
    /// The service answers at this address.
    Serving {
        url: String,
        text: &'a str,
        requests_per_second: u32,
    },
    Change {
        patch: &'a str,
        plan: &'a ReleasePlan,
    },
    Proof {
        /// All went as it should.
        holds: bool,
        proof: &'a Proof,
        story: &'a [StoryLine],
        #[serde(skip)]
        requested_at: &'a str,
    },
    /// How people go on by themselves.
    Encore {
        commands: &'a [String],
        log: String,
    },
}
