//! The proxy's side of the views: the one that each change starts from, applied or not.

use std::sync::Arc;

use view::NodeView;

use crate::{Change, Misfit};

/// What one stream has told so far.
#[derive(Debug, Default)]
pub struct Follower {
    latest: Option<Arc<NodeView>>,
}

impl Follower {
    /// The view that a change makes of the one heard before.
    pub fn hear(&mut self, change: Change) -> Result<Arc<NodeView>, Misfit> {
        let view = Arc::new(change.apply(self.latest.as_deref())?);
        self.latest = Some(Arc::clone(&view));
        Ok(view)
    }

    pub fn latest(&self) -> Option<&Arc<NodeView>> {
        self.latest.as_ref()
    }
}
