//! What an import did, or would do, as people and programs read it.

use std::collections::BTreeMap;

use interchange::{Note, Place, Reading};
use model::ResourceId;
use serde::Serialize;
use server::api::import::{Action, ImportPlan};

use crate::line::Line;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    applied: bool,
    resources: Vec<Row>,
    remarks: Vec<NoteRow>,
    ignored: Vec<NoteRow>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    action: Action,
    /// The path of a resource, or what its source calls something that is none.
    resource: String,
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NoteRow {
    place: String,
    what: String,
    text: String,
}

impl From<Note> for NoteRow {
    fn from(note: Note) -> Self {
        Self {
            place: note.place.to_string(),
            what: note.what,
            text: note.text,
        }
    }
}

impl Report {
    pub(super) fn new(reading: Reading, plan: ImportPlan) -> Self {
        let documents = reading.documents.into_iter();
        let places: BTreeMap<ResourceId, Place> = documents
            .map(|document| (document.id, document.place))
            .collect();
        let planned = plan.resources.into_iter().map(|planned| Row {
            action: planned.action,
            place: places.get(&planned.resource).map(Place::to_string),
            resource: planned.resource.path(),
            reason: planned.reason,
            hint: planned.hint,
        });
        let refused = reading.refused.into_iter().map(|refusal| Row {
            action: Action::Refused,
            resource: refusal.what,
            place: Some(refusal.place.to_string()),
            reason: Some(refusal.reason),
            hint: refusal.hint,
        });
        Self {
            applied: plan.applied,
            resources: planned.chain(refused).collect(),
            remarks: reading.remarks.into_iter().map(NoteRow::from).collect(),
            ignored: reading.ignored.into_iter().map(NoteRow::from).collect(),
        }
    }

    pub(super) fn refuses(&self) -> bool {
        self.count(Action::Refused) > 0
    }

    fn count(&self, action: Action) -> usize {
        let rows = self.resources.iter();
        rows.filter(|row| row.action == action).count()
    }

    pub(super) fn lines(&self, dry_run: bool) -> Vec<Line> {
        let width = self
            .resources
            .iter()
            .map(|row| row.resource.chars().count());
        let width = width.max().unwrap_or_default().min(60);
        let mut lines = Vec::new();
        for row in &self.resources {
            lines.extend(row.lines(width));
        }
        for remark in &self.remarks {
            let NoteRow { place, what, text } = remark;
            lines.push(
                Line::new()
                    .canary("note: ")
                    .plain(format!("{place}: {what} {text}")),
            );
        }
        if !self.ignored.is_empty() {
            let count = self.ignored.len();
            let text =
                format!("passed over {count} parts that add nothing to a mesh; -o json lists them");
            lines.push(Line::new().faint(text));
        }
        lines.push(self.summary(dry_run));
        lines
    }

    fn summary(&self, dry_run: bool) -> Line {
        let [create, update, same, refused] = [
            Action::Create,
            Action::Update,
            Action::Same,
            Action::Refused,
        ]
        .map(|action| self.count(action));
        let counts = format!("{create} create, {update} update, {same} same, {refused} refused");
        let line = Line::new().strong(counts);
        if self.applied {
            return line.plain(": done");
        }
        let line = line.plain(": nothing was changed");
        match refused > 0 && !dry_run {
            true => line.plain("; repair what is refused, or leave it out with --skip-refused"),
            false => line,
        }
    }
}

impl Row {
    fn lines(&self, width: usize) -> Vec<Line> {
        let line = match self.action {
            Action::Create => Line::new().good("create   "),
            Action::Update => Line::new().canary("update   "),
            Action::Same => Line::new().faint("same     "),
            Action::Refused => Line::new().bad("refused  "),
        };
        let resource = Line::new().plain(&self.resource).padded(width);
        let place = self.place.as_deref().unwrap_or_default();
        let mut lines = vec![line.then(resource).faint(format!("  {place}"))];
        let indented = || Line::new().plain("         ").hang();
        lines.extend(self.reason.iter().map(|reason| indented().plain(reason)));
        let hint = self.hint.iter();
        lines.extend(hint.map(|hint| indented().canary("hint: ").plain(hint)));
        lines
    }
}
