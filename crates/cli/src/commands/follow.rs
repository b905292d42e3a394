//! `serin follow`, and how `serin release` goes on: a release shown until it has ended.
//!
//! Ctrl-C detaches: the release belongs to the server and goes on without who watches it.

use server::api::types::EventLine;

use crate::args::{Global, Target};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Follow, News};
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::terminal::Terminal;
use crate::watch::Watch;

pub async fn run(
    target: &Target,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    to_the_end(&target.release, super::client(global)?, terminal).await
}

/// Shows a release to its end.
pub async fn to_the_end(
    release: &str,
    client: Client,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let release = client.release(release).await?;
    let mut follow = Follow::new(client, &release);
    let mut watch = Watch::default();
    let mut outcome = Ok(Exit::Done);
    loop {
        let news = tokio::select! {
            news = follow.next() => news?,
            () = interrupt.received() => {
                terminal.clear()?;
                terminal.note(Line::new().plain(detached(&release.id)));
                return Ok(Exit::Interrupted);
            }
        };
        match news {
            Some(News::Event(event)) => {
                if event.event == "ended" {
                    outcome = exit_after(&event);
                }
                match terminal.is_json() {
                    true => terminal.json(&event)?,
                    false => watch.event(&event, terminal)?,
                }
            }
            // Programs are told events alone.
            Some(News::Standing(_)) if terminal.is_json() => {}
            Some(News::Standing(standing)) => {
                let progress = standing.progress();
                watch.standing(&progress, progress.picture(), terminal)?;
            }
            None => break,
        }
    }
    terminal.clear()?;
    outcome
}

/// What to say when nobody follows any more.
pub fn detached(release: &str) -> String {
    format!(
        "{release} goes on; `serin follow {release}` watches it again, `serin rollback {release}` ends it"
    )
}

/// What the end of a release means to a script.
fn exit_after(ended: &EventLine) -> Result<Exit, Failure> {
    match ended.data["outcome"].as_str() {
        Some("promoted") => Ok(Exit::Done),
        Some("rolledBack") => Ok(Exit::RolledBack),
        _ => {
            let release = ended.release.clone();
            let hint = format!("`serin why {release}` tells all of it");
            let reason = ended.data["reason"]
                .as_str()
                .unwrap_or(&ended.text)
                .to_owned();
            Err(Failure::new(Exit::Failed, NotMade { release, reason }).hint(hint))
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{release} came to nothing: {reason}")]
struct NotMade {
    release: String,
    reason: String,
}
