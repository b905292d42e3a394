//! A worker's copy of an applied view: the shared program, with this worker's connections and counters.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use view::observe::Kind;

use crate::access_log::{Files, Log};
use crate::clock::Instant;
use crate::cluster::LocalCluster;
use crate::counters::{Counters, SplitCell, Tally};
use crate::discovery::Watched;
use crate::health::Generation;
use crate::route::{Listener, Program};
use crate::split::{Assignment, By};

#[derive(Debug)]
pub(crate) struct LocalNode {
    pub(crate) program: Arc<Program>,
    /// In the order of the program's.
    pub(crate) clusters: Vec<LocalCluster>,
    /// By service and route.
    cells: Vec<Vec<RouteCells>>,
    /// In the order of the program's listeners.
    logs: Vec<Option<Rc<Log>>>,
}

#[derive(Debug)]
struct RouteCells {
    drawn: Rc<SplitCell>,
    /// Where users stay on their arm.
    kept: Option<Rc<SplitCell>>,
    /// Where requests may name their arm.
    pinned: Option<Rc<SplitCell>>,
    /// Where requests may go to both arms.
    mirrored: Option<Rc<SplitCell>>,
    /// Where trouble is made.
    faulted: Option<Rc<SplitCell>>,
}

impl LocalNode {
    /// Takes over the connections and counters that `before`, the node's view so far, has in common.
    pub(crate) fn new(
        program: Arc<Program>,
        watched: Vec<Watched>,
        generation: &Generation,
        counters: &Counters,
        files: &Files,
        before: Option<&Self>,
    ) -> Self {
        let known = before.map(Self::by_name).unwrap_or_default();
        let clusters = program
            .clusters
            .iter()
            .zip(watched)
            .map(|(cluster, watched)| {
                let before = known.get(&*cluster.name).copied();
                LocalCluster::new(watched, Arc::clone(generation), before)
            });
        let cells = program.services.iter().map(|service| {
            let routes = service.routes.iter();
            routes
                .map(|route| {
                    let cell = |kind| counters.cell(&program.node, &route.split, kind);
                    RouteCells {
                        drawn: cell(Kind::Drawn),
                        kept: route.split.is_sticky().then(|| cell(Kind::Kept)),
                        pinned: route.split.may_be_pinned().then(|| cell(Kind::Pinned)),
                        mirrored: route.mirror.as_ref().map(|_| cell(Kind::Mirrored)),
                        faulted: route.fault.as_ref().map(|_| cell(Kind::Faulted)),
                    }
                })
                .collect()
        });
        Self {
            clusters: clusters.collect(),
            cells: cells.collect(),
            logs: program
                .listeners
                .iter()
                .map(|listener| log(listener, files))
                .collect(),
            program,
        }
    }

    /// Where requests of this listener are written down.
    pub(crate) fn log(&self, listener: usize) -> Option<&Rc<Log>> {
        self.logs.get(listener)?.as_ref()
    }

    /// Notes that a request of this route was sent to this target.
    pub(crate) fn count(
        &self,
        (service, route): (usize, usize),
        assignment: &Assignment,
        is_faulted: bool,
        started: Instant,
    ) -> Tally {
        let cells = &self.cells[service][route];
        let (cell, user) = match &assignment.by {
            _ if is_faulted => (cells.faulted.as_ref(), None),
            By::Chance => (None, None),
            By::User(user) => (cells.kept.as_ref(), Some(user.hash)),
            By::Name => (cells.pinned.as_ref(), None),
        };
        let cell = cell.unwrap_or(&cells.drawn);
        cell.count(assignment.target, user, started)
    }

    /// Notes that a request of this route was sent to both of its targets, and answered by the first of
    /// these.
    pub(crate) fn count_pair(
        &self,
        (service, route): (usize, usize),
        targets: [usize; 2],
        started: Instant,
    ) -> Option<[Tally; 2]> {
        let cell = self.cells[service][route].mirrored.as_ref()?;
        Some(cell.count_pair(targets, started))
    }

    fn by_name(&self) -> HashMap<&str, &LocalCluster> {
        let names = self.program.clusters.iter();
        let names = names.map(|cluster| &*cluster.name);
        names.zip(&self.clusters).collect()
    }

    /// Closes the idle connections to endpoints that `after` does not have.
    pub(crate) fn retire(&self, after: Option<&Self>) {
        let kept = after.map(Self::by_name).unwrap_or_default();
        for (cluster, local) in self.program.clusters.iter().zip(&self.clusters) {
            local.retire_all_but(kept.get(&*cluster.name).copied());
        }
    }
}

fn log(listener: &Listener, files: &Files) -> Option<Rc<Log>> {
    let log = listener.access_log.as_ref()?;
    match Log::open(Arc::clone(&log.format), &log.path, files) {
        Ok(opened) => Some(opened),
        Err(error) => {
            tracing::error!(path = log.path, %error, "an access log has no thread to write it");
            None
        }
    }
}
