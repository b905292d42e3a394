//! Virtual gateways.

use model::spec::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{listener, virtual_node};

pub(super) fn spec() -> BoxedStrategy<VirtualGatewaySpec> {
    (
        vec(listener::of_gateway(), 0..3),
        of(virtual_node::backend_defaults()),
        of(virtual_node::logging()),
    )
        .prop_map(
            |(listeners, backend_defaults, logging)| VirtualGatewaySpec {
                listeners,
                backend_defaults,
                logging,
            },
        )
        .boxed()
}
