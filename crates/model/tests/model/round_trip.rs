//! Whatever the model can say, its JSON says exactly.

use model::Spec;
use model::check::{Check, violations};
use proptest::prelude::*;

use crate::strategy;

proptest! {
    #[test]
    fn the_wire_form_reads_back(spec in strategy::spec()) {
        let text = serde_json::to_string(&spec.wire()).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Spec::parse(spec.kind(), &value), Ok(spec));
    }

    #[test]
    fn generated_specs_keep_every_constraint(spec in strategy::spec()) {
        prop_assert_eq!(violations("spec", |at| spec.check(at)), vec![]);
    }
}
