//! Tasks die: their processes are killed, and the server starts them again.

use std::collections::BTreeSet;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::mesh::SERVICES;
use crate::server::Server;

/// The healthy tasks as they were when somebody last looked.
#[derive(Debug, Default)]
pub struct Tasks {
    healthy: BTreeSet<(String, u32)>,
    /// Those that were healthy the time before as well: every proxy knows them by now.
    known: BTreeSet<(String, u32)>,
    pub deaths: u64,
}

impl Tasks {
    /// Keeps what it knows while the server is away, or the proxy has not found it again: the proxy does too.
    pub async fn look(&mut self, server: &Server) {
        if let Ok(sight) = server.sight().await
            && sight.has_proxy
        {
            let healthy = sight.tasks.into_iter().collect::<BTreeSet<_>>();
            self.known = self.healthy.intersection(&healthy).cloned().collect();
            self.healthy = healthy;
        }
    }

    /// One task of a service is killed, if another of it lives that the proxy has had time to hear of.
    pub fn kill_one(&mut self) -> anyhow::Result<()> {
        let service = SERVICES[fastrand::usize(..SERVICES.len())];
        let living: Vec<Pid> = self
            .known
            .iter()
            .filter(|(of, _)| of == service)
            .filter_map(|(_, pid)| Pid::from_raw(i32::try_from(*pid).ok()?))
            .filter(|pid| test_kill_process(*pid).is_ok())
            .collect();
        if living.len() > 1 {
            let chosen = living[fastrand::usize(..living.len())];
            kill_process(chosen, Signal::KILL).context("a task cannot be killed")?;
            self.known
                .retain(|(_, pid)| i32::try_from(*pid).ok() != Some(chosen.as_raw_pid()));
            self.deaths += 1;
        }
        Ok(())
    }
}
