//! Specs of every shape, anywhere inside the service model's constraints.
//!
//! Members are drawn independently, so a spec may break a rule that the service model does not state
//! (two kinds of route in one); it never breaks a constraint that it does.

use model::Spec;
use model::spec::MeshSpec;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

mod gateway_route;
mod listener;
mod request_match;
mod route;
mod tls;
mod virtual_gateway;
mod virtual_node;

/// A spec of any kind.
pub(crate) fn spec() -> BoxedStrategy<Spec> {
    prop_oneof![
        mesh().prop_map(Spec::Mesh),
        virtual_node::spec().prop_map(Spec::VirtualNode),
        virtual_node::router().prop_map(Spec::VirtualRouter),
        virtual_node::service().prop_map(Spec::VirtualService),
        virtual_gateway::spec().prop_map(Spec::VirtualGateway),
        route::spec().prop_map(Spec::Route),
        gateway_route::spec().prop_map(Spec::GatewayRoute),
    ]
    .boxed()
}

fn mesh() -> impl Strategy<Value = MeshSpec> {
    use model::spec::{EgressFilter, EgressFilterType, MeshServiceDiscovery};
    let filters = select(vec![EgressFilterType::AllowAll, EgressFilterType::DropAll]);
    let egress_filter = of(filters.prop_map(|filter| EgressFilter { filter }));
    let preference = of(virtual_node::ip_preference());
    let discovery = of(preference.prop_map(|ip_preference| MeshServiceDiscovery { ip_preference }));
    (egress_filter, discovery).prop_map(|(egress_filter, service_discovery)| MeshSpec {
        egress_filter,
        service_discovery,
    })
}

/// Any characters; the greatest length comes up as often as the ones between.
fn text(greatest: usize) -> BoxedStrategy<String> {
    let length = prop_oneof![
        Just(1..=1),
        Just(1..=12.min(greatest)),
        Just(greatest..=greatest)
    ];
    length
        .prop_flat_map(|length| vec(any::<char>(), length))
        .prop_map(|characters| characters.into_iter().collect())
        .boxed()
}

/// Text without a constraint, the empty one included.
fn free_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), text(40)]
}

fn port() -> impl Strategy<Value = i32> {
    prop_oneof![Just(1), Just(65_535), 1..=65_535]
}

fn at_least_one() -> impl Strategy<Value = i32> {
    prop_oneof![Just(1), Just(i32::MAX), 1..=i32::MAX]
}
