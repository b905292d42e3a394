//! A view as what differs from the one before it.
//!
//! Parts are compared place by place, since services and clusters are known by their index: a new weight
//! costs one service, whatever else the view holds. `Change::between(a, b).apply(a) == b` for any two views.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use view::{Cluster, Listener, NodeView, Service};

/// What makes the next view of the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    node: String,
    /// Of the view that results.
    pub revision: u64,
    /// The revision of the view to start from; none for an empty one.
    from: Option<u64>,
    listeners: Part<Listener>,
    services: Part<Service>,
    clusters: Part<Cluster>,
}

/// A list's new length, and its entries that changed by their place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Part<T> {
    length: usize,
    changed: BTreeMap<usize, T>,
}

/// A change does not belong to the view it is applied to: the two sides disagree, and must begin again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the view of revision {revision} is told as a change of one that is not here")]
pub struct Misfit {
    pub revision: u64,
}

impl Change {
    pub fn between(before: Option<&NodeView>, after: &NodeView) -> Self {
        Self {
            node: after.node.clone(),
            revision: after.revision,
            from: before.map(|before| before.revision),
            listeners: Part::between(before.map(|view| &view.listeners[..]), &after.listeners),
            services: Part::between(before.map(|view| &view.services[..]), &after.services),
            clusters: Part::between(before.map(|view| &view.clusters[..]), &after.clusters),
        }
    }

    pub fn apply(self, before: Option<&NodeView>) -> Result<NodeView, Misfit> {
        let misfit = Misfit {
            revision: self.revision,
        };
        if self.from != before.map(|before| before.revision) {
            return Err(misfit);
        }
        let parts = || {
            Some(NodeView {
                node: self.node,
                revision: self.revision,
                listeners: self
                    .listeners
                    .apply(before.map(|view| &view.listeners[..]))?,
                services: self.services.apply(before.map(|view| &view.services[..]))?,
                clusters: self.clusters.apply(before.map(|view| &view.clusters[..]))?,
            })
        };
        parts().ok_or(misfit)
    }
}

impl<T: Clone + PartialEq> Part<T> {
    fn between(before: Option<&[T]>, after: &[T]) -> Self {
        let before = before.unwrap_or_default();
        let differs = |(place, entry): &(usize, &T)| before.get(*place) != Some(*entry);
        Self {
            length: after.len(),
            changed: after
                .iter()
                .enumerate()
                .filter(differs)
                .map(|(place, entry)| (place, entry.clone()))
                .collect(),
        }
    }

    /// `None` where an entry is neither told nor there already.
    fn apply(mut self, before: Option<&[T]>) -> Option<Vec<T>> {
        let before = before.unwrap_or_default();
        // No more than there is: the length comes from outside.
        if self.length > before.len() + self.changed.len() {
            return None;
        }
        (0..self.length)
            .map(|place| {
                self.changed
                    .remove(&place)
                    .or_else(|| before.get(place).cloned())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use view::{PathMatch, RequestMatch, Route, Split, Target, Timeouts};

    fn service(name: u8, weights: &[u32]) -> Service {
        let target = |(cluster, &weight)| Target {
            arm: format!("arm-{cluster}"),
            cluster,
            weight,
        };
        Service {
            name: format!("service-{name}"),
            routes: vec![Route {
                name: "route".into(),
                matches: RequestMatch {
                    path: PathMatch::Prefix("/".into()),
                    method: None,
                    scheme: None,
                    headers: Vec::new(),
                    query: Vec::new(),
                },
                split: Split {
                    id: format!("split-{name}"),
                    targets: weights.iter().enumerate().map(target).collect(),
                },
                retry: None,
                timeouts: Timeouts::default(),
                traffic: Default::default(),
            }],
        }
    }

    fn view(revision: u64, services: Vec<Service>) -> NodeView {
        NodeView {
            node: "mesh/m/virtualNode/n".into(),
            revision,
            listeners: Vec::new(),
            services,
            clusters: Vec::new(),
        }
    }

    prop_compose! {
        fn any_view()(
            revision in 0u64..1000,
            services in proptest::collection::vec((0u8..4, proptest::collection::vec(0u32..3, 0..3)), 0..6),
        ) -> NodeView {
            let services = services.iter().map(|(name, weights)| service(*name, weights));
            view(revision, services.collect())
        }
    }

    proptest! {
        #[test]
        fn a_change_makes_the_view_it_was_made_for(before in proptest::option::of(any_view()), after in any_view()) {
            let change = Change::between(before.as_ref(), &after);
            let text = serde_json::to_string(&change).unwrap();
            let heard: Change = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(heard.apply(before.as_ref()), Ok(after));
        }
    }

    #[test]
    fn a_new_weight_costs_one_service() {
        let before = view(1, (0..100).map(|name| service(name, &[95, 5])).collect());
        let mut after = before.clone();
        after.revision = 2;
        after.services[40] = service(40, &[90, 10]);
        let change = Change::between(Some(&before), &after);
        assert_eq!(
            change.services.changed.keys().collect::<Vec<_>>(),
            [&40usize]
        );
        assert!(change.clusters.changed.is_empty());
    }

    #[test]
    fn a_change_of_another_view_is_refused() {
        let (one, two) = (view(1, vec![service(0, &[1])]), view(2, Vec::new()));
        let change = Change::between(Some(&one), &two);
        assert_eq!(change.apply(None), Err(Misfit { revision: 2 }));
    }

    #[test]
    fn a_length_from_outside_reserves_nothing() {
        let text = r#"{"node":"n","revision":1,"from":null,"listeners":{"length":18446744073709551615,"changed":{}},
            "services":{"length":0,"changed":{}},"clusters":{"length":0,"changed":{}}}"#;
        let change: Change = serde_json::from_str(text).unwrap();
        assert!(change.apply(None).is_err());
    }
}
