//! The last good view on disk: what a proxy starts from while its server is away.
//!
//! A file that cannot be read costs the start without a server, and nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use view::NodeView;

use crate::{clock, private_file};

#[derive(Debug)]
pub(crate) struct LastView {
    file: PathBuf,
}

#[derive(Serialize)]
struct Saved<'a> {
    /// Seconds since 1970.
    saved_at: u64,
    view: &'a NodeView,
}

/// What was saved, and how long ago.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) view: NodeView,
    pub(crate) age: Duration,
}

impl LastView {
    /// Below `state`, in a file of this node's own.
    pub(crate) fn of(node: &str, state: &Path) -> Self {
        let name = node.replace('/', "_");
        Self {
            file: state.join("views").join(name + ".json"),
        }
    }

    pub(crate) fn save(&self, view: &NodeView) -> io::Result<()> {
        let saved = Saved {
            saved_at: clock::since_epoch().as_secs(),
            view,
        };
        private_file::replace(&self.file, &serde_json::to_vec(&saved)?)
    }

    /// The view of `node` that was saved last, if there is one.
    pub(crate) fn load(&self, node: &str) -> io::Result<Option<Found>> {
        #[derive(Deserialize)]
        struct Loaded {
            saved_at: u64,
            view: NodeView,
        }
        let bytes = match fs::read(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let Loaded { saved_at, view } = serde_json::from_slice(&bytes)?;
        if view.node != node {
            return Ok(None);
        }
        let age = clock::since_epoch().saturating_sub(Duration::from_secs(saved_at));
        Ok(Some(Found { view, age }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "mesh/m/virtualNode/n";

    fn view(revision: u64) -> NodeView {
        NodeView {
            node: NODE.into(),
            revision,
            listeners: Vec::new(),
            services: Vec::new(),
            clusters: Vec::new(),
        }
    }

    #[test]
    fn the_last_view_that_was_saved_is_found_again() {
        let state = tempfile::tempdir().unwrap();
        let disk = LastView::of(NODE, state.path());
        assert_eq!(disk.load(NODE).unwrap(), None);
        for revision in [1, 2] {
            disk.save(&view(revision)).unwrap();
        }
        let found = disk.load(NODE).unwrap().unwrap();
        assert_eq!(found.view, view(2));
        assert!(found.age < Duration::from_secs(60));
        let files = fs::read_dir(state.path().join("views")).unwrap().count();
        assert_eq!(files, 1, "no draft stays");
    }

    #[test]
    fn a_file_that_is_no_view_is_an_error_and_another_nodes_is_none() {
        let state = tempfile::tempdir().unwrap();
        let disk = LastView::of(NODE, state.path());
        disk.save(&view(1)).unwrap();
        assert_eq!(disk.load("mesh/m/virtualNode/other").unwrap(), None);
        fs::write(&disk.file, "{").unwrap();
        assert!(disk.load(NODE).is_err());
    }
}
