//! Ctrl-C, SIGTERM and a closed terminal: the ways people end a command.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::failure::Failure;

#[derive(Debug)]
pub struct Interrupt {
    signals: [Signal; 3],
}

#[derive(Debug, thiserror::Error)]
#[error("could not listen for signals")]
pub struct Deaf(#[source] io::Error);

impl From<Deaf> for Failure {
    fn from(error: Deaf) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl Interrupt {
    /// From here on these signals no longer end the process.
    pub fn listen() -> Result<Self, Deaf> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [interrupt, terminate, hangup] = kinds.map(|kind| signal(kind).map_err(Deaf));
        Ok(Self {
            signals: [interrupt?, terminate?, hangup?],
        })
    }

    pub async fn received(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
