//! A worker's copy of an applied view: the shared program, with this worker's connections and counters.

use std::rc::Rc;
use std::sync::Arc;

use crate::cluster::LocalCluster;
use crate::counters::{Counters, SplitCell};
use crate::discovery::Watched;
use crate::health::Generation;
use crate::route::Program;

#[derive(Debug)]
pub(crate) struct LocalNode {
    pub(crate) program: Arc<Program>,
    /// In the order of the program's.
    pub(crate) clusters: Vec<LocalCluster>,
    /// By service and route.
    cells: Vec<Vec<Rc<SplitCell>>>,
}

impl LocalNode {
    /// Takes over the connections and counters that `before`, the node's view so far, has in common.
    pub(crate) fn new(
        program: Arc<Program>,
        watched: Vec<Watched>,
        generation: &Generation,
        counters: &Counters,
        before: Option<&Self>,
    ) -> Self {
        let clusters = program
            .clusters
            .iter()
            .zip(watched)
            .map(|(cluster, watched)| {
                let before = before.and_then(|before| before.cluster(&cluster.name));
                LocalCluster::new(watched, Arc::clone(generation), before)
            });
        let cells = program.services.iter().map(|service| {
            let routes = service.routes.iter();
            routes
                .map(|route| counters.cell(&program.node, &route.split))
                .collect()
        });
        Self {
            clusters: clusters.collect(),
            cells: cells.collect(),
            program,
        }
    }

    pub(crate) fn cell(&self, service: usize, route: usize) -> &Rc<SplitCell> {
        &self.cells[service][route]
    }

    fn cluster(&self, name: &str) -> Option<&LocalCluster> {
        let index = self
            .program
            .clusters
            .iter()
            .position(|cluster| cluster.name == name)?;
        self.clusters.get(index)
    }

    /// Closes the idle connections to endpoints that `after` does not have.
    pub(crate) fn retire(&self, after: Option<&Self>) {
        for (cluster, local) in self.program.clusters.iter().zip(&self.clusters) {
            local.retire_all_but(after.and_then(|after| after.cluster(&cluster.name)));
        }
    }
}
