//! The rules that are compared, each in a file of its own with its source.
//!
//! They see the same requests through the same delay. The statistical rules among them are no products but
//! methods; like Flagger and Argo they follow Flagger's schedule, 5 % more every minute up to 50 %, unless
//! their method needs a fixed share, so that the rules differ and not the schedules.

mod argo;
mod fixed_horizon;
mod flagger;
mod group_sequential;
mod growthbook;
mod howard_ramdas;
mod kayenta;
mod peeked_mann_whitney;
mod peeked_z;
mod ramp;
pub(crate) mod serin;
mod two_proportions;
mod window;

use crate::scenario::Scenario;
use crate::trial::Rule;

/// Every rule, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SerinAuto,
    SerinSteps,
    Flagger,
    Argo0,
    Argo3,
    Kayenta,
    PeekedZ,
    FixedHorizon,
    PeekedMannWhitney,
    HowardRamdas,
    GrowthBook,
    GroupSequential,
}

impl Kind {
    pub(crate) const ALL: [Self; 12] = [
        Self::SerinAuto,
        Self::SerinSteps,
        Self::Flagger,
        Self::Argo0,
        Self::Argo3,
        Self::Kayenta,
        Self::PeekedZ,
        Self::FixedHorizon,
        Self::PeekedMannWhitney,
        Self::HowardRamdas,
        Self::GrowthBook,
        Self::GroupSequential,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SerinAuto => "Serin auto",
            Self::SerinSteps => "Serin steps",
            Self::Flagger => "Flagger README",
            Self::Argo0 => "Argo, limit 0",
            Self::Argo3 => "Argo, limit 3",
            Self::Kayenta => "Kayenta 30 min",
            Self::PeekedZ => "z-test each minute",
            Self::FixedHorizon => "z-test once",
            Self::PeekedMannWhitney => "Mann-Whitney each minute",
            Self::HowardRamdas => "Howard-Ramdas bands",
            Self::GrowthBook => "GrowthBook sequence",
            Self::GroupSequential => "group-sequential",
        }
    }

    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::SerinAuto | Self::SerinSteps)
    }

    pub(crate) fn start(self, scenario: &Scenario) -> Box<dyn Rule> {
        match self {
            Self::SerinAuto => Box::new(serin::Serin::auto(scenario)),
            Self::SerinSteps => Box::new(serin::Serin::steps(scenario)),
            Self::Flagger => Box::new(flagger::Flagger::default()),
            Self::Argo0 => Box::new(argo::Argo::with_failure_limit(0)),
            Self::Argo3 => Box::new(argo::Argo::with_failure_limit(3)),
            Self::Kayenta => Box::new(kayenta::Kayenta::default()),
            Self::PeekedZ => Box::new(peeked_z::PeekedZ::default()),
            Self::FixedHorizon => Box::new(fixed_horizon::FixedHorizon::default()),
            Self::PeekedMannWhitney => Box::new(peeked_mann_whitney::PeekedMannWhitney::default()),
            Self::HowardRamdas => Box::new(howard_ramdas::HowardRamdas::default()),
            Self::GrowthBook => Box::new(growthbook::GrowthBook::default()),
            Self::GroupSequential => Box::new(group_sequential::GroupSequential::default()),
        }
    }
}
