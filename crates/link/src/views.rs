//! The server's side of the views: what a proxy was sent, and how far it has come.
//!
//! A view that equals the last one is not sent; the proxy then carries its revision without knowing. A
//! proxy is sent the next view only when it has answered the one before, so a mesh that changes fast costs a
//! slow proxy no more than the newest state.

use std::sync::Arc;

use view::NodeView;

use crate::Change;

/// One stream's views, from its beginning.
#[derive(Debug, Default)]
pub struct Views {
    /// The newest one, as compiled.
    newest: Option<Arc<NodeView>>,
    /// The last one that was sent: what the next change starts from.
    sent: Option<Arc<NodeView>>,
    answer: Answer,
    /// The newest revision that the proxy carries.
    carried: Option<u64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Answer {
    /// The last view sent is not answered yet.
    Awaited,
    #[default]
    Applied,
    Refused,
}

impl Views {
    pub fn offer(&mut self, view: Arc<NodeView>) {
        self.newest = Some(view);
        self.note_carried();
    }

    /// What to send now, if anything.
    pub fn due(&mut self) -> Option<Change> {
        let newest = self.newest.as_ref()?;
        let is_known = self.sent.as_ref().is_some_and(|sent| is_same(sent, newest));
        if is_known || self.answer == Answer::Awaited {
            return None;
        }
        let change = Change::between(self.sent.as_deref(), newest);
        self.sent = Some(Arc::clone(newest));
        self.answer = Answer::Awaited;
        Some(change)
    }

    pub fn applied(&mut self, revision: u64) {
        if self.is_about_the_last(revision) {
            self.answer = Answer::Applied;
            self.carried = self.carried.max(Some(revision));
            self.note_carried();
        }
    }

    pub fn refused(&mut self, revision: u64) {
        if self.is_about_the_last(revision) {
            self.answer = Answer::Refused;
        }
    }

    /// The newest revision of the mesh that the proxy acts on, if any.
    pub fn carried(&self) -> Option<u64> {
        self.carried
    }

    fn is_about_the_last(&self, revision: u64) -> bool {
        self.sent
            .as_ref()
            .is_some_and(|sent| sent.revision == revision)
    }

    fn note_carried(&mut self) {
        if let (Some(newest), Some(sent), Answer::Applied) =
            (&self.newest, &self.sent, &self.answer)
            && is_same(sent, newest)
        {
            self.carried = self.carried.max(Some(newest.revision));
        }
    }
}

fn is_same(one: &NodeView, other: &NodeView) -> bool {
    one.listeners == other.listeners
        && one.services == other.services
        && one.clusters == other.clusters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Follower;
    use proptest::prelude::*;
    use view::Service;

    fn view(revision: u64, service: &str) -> Arc<NodeView> {
        Arc::new(NodeView {
            node: "mesh/m/virtualNode/n".into(),
            revision,
            listeners: Vec::new(),
            services: vec![Service {
                name: service.into(),
                routes: Vec::new(),
            }],
            clusters: Vec::new(),
        })
    }

    #[test]
    fn a_view_that_equals_the_last_is_carried_without_being_sent() {
        let mut views = Views::default();
        views.offer(view(1, "a"));
        assert_eq!(views.due().unwrap().revision, 1);
        assert_eq!(views.carried(), None);
        views.applied(1);
        assert_eq!(views.carried(), Some(1));
        views.offer(view(5, "a"));
        assert_eq!((views.due(), views.carried()), (None, Some(5)));
    }

    #[test]
    fn a_proxy_that_has_not_answered_is_sent_only_the_newest() {
        let mut views = Views::default();
        views.offer(view(1, "a"));
        views.due().unwrap();
        views.offer(view(2, "b"));
        views.offer(view(3, "c"));
        assert_eq!(views.due(), None);
        views.applied(1);
        assert_eq!(views.due().unwrap().revision, 3);
        assert_eq!(views.carried(), Some(1));
    }

    #[test]
    fn a_refused_view_is_not_carried_until_it_is_applied_after_all() {
        let mut views = Views::default();
        views.offer(view(1, "a"));
        views.due().unwrap();
        views.refused(1);
        assert_eq!((views.due(), views.carried()), (None, None));
        views.offer(view(2, "a"));
        assert_eq!(views.carried(), None);
        views.applied(1);
        assert_eq!(views.carried(), Some(2));
    }

    proptest! {
        /// Whatever the order of changes and answers, both sides end with the same view.
        #[test]
        fn a_proxy_that_answers_catches_up(steps in proptest::collection::vec((0u8..3, any::<bool>()), 1..40)) {
            let (mut views, mut follower) = (Views::default(), Follower::default());
            let mut revision = 0;
            let mut newest = None;
            for (name, answers) in steps {
                revision += 1;
                let offered = view(revision, &name.to_string());
                newest = Some(Arc::clone(&offered));
                views.offer(offered);
                if let Some(change) = views.due() {
                    follower.hear(change).unwrap();
                }
                if answers && let Some(heard) = follower.latest() {
                    views.applied(heard.revision);
                }
            }
            // Twice: the last answer may have been about the view before.
            for _ in 0..2 {
                views.applied(follower.latest().unwrap().revision);
                if let Some(change) = views.due() {
                    follower.hear(change).unwrap();
                }
            }
            views.applied(follower.latest().unwrap().revision);
            prop_assert_eq!(&follower.latest().unwrap().services, &newest.unwrap().services);
            prop_assert_eq!(views.carried(), Some(revision));
        }
    }
}
