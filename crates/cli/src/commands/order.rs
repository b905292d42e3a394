//! `serin set`, `hold`, `resume`, `promote` and `rollback`: people steer a release.

use server::api::types::{NewOrder, OrderTaken};

use crate::args::{Global, Set, Steer};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::line::Line;
use crate::render::verdict;
use crate::terminal::Terminal;

pub fn plain(order: &str) -> NewOrder {
    NewOrder {
        order: order.to_owned(),
        share: None,
        by: std::env::var("USER").ok(),
        dry_run: false,
    }
}

pub fn set(set: &Set) -> NewOrder {
    NewOrder {
        share: Some(set.share.to_string()),
        ..plain("set")
    }
}

pub async fn run(
    order: NewOrder,
    steer: &Steer,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let order = NewOrder {
        dry_run: steer.dry_run,
        ..order
    };
    let taken = super::client(global)?.order(&steer.release, &order).await?;
    if terminal.is_json() {
        terminal.json(&taken)?;
        return Ok(Exit::Done);
    }
    terminal.say(confirmation(&taken, steer.dry_run))?;
    if let Some(undo) = &taken.undo {
        terminal.note(Line::new().faint(format!("undo: {undo}")));
    }
    Ok(Exit::Done)
}

fn confirmation(taken: &OrderTaken, dry_run: bool) -> Line {
    let line = Line::new().strong(&taken.release).plain(match dry_run {
        true => ": would be told to ",
        false => ": told to ",
    });
    line.strong(verdict::order(&taken.order))
}
