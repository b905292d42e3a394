//! What a manifest says about its services' requests beyond weights, put on the routes of a view.
//!
//! App Mesh has no words for it, so no resource of the mesh carries it. People write versions where the
//! mesh has virtual nodes; here one becomes the other.

use release::Manifest;
use release::manifest::{FaultSettings, Percent, PinSettings, StickySettings, TrafficSettings};
use view::{Abort, Delay, Fault, Mirror, NodeView, Pin, PinKey, Portion, Split, Sticky, Traffic};

pub(crate) fn steer(view: &mut NodeView, manifest: &Manifest) {
    for (name, service) in &manifest.services {
        let name = name.as_str();
        let id = manifest.route(name).path();
        let version_of = |node: &str| {
            let prefix = manifest.virtual_node(name, "");
            node.strip_prefix(prefix.name()).map(str::to_owned)
        };
        let routes = view.services.iter_mut().flat_map(|known| &mut known.routes);
        for route in routes.filter(|route| route.split.id == id) {
            route.traffic = traffic(&service.traffic, &route.split, version_of);
        }
    }
}

fn traffic(
    settings: &TrafficSettings,
    split: &Split,
    version_of: impl Fn(&str) -> Option<String>,
) -> Traffic {
    let versions = || {
        let arms = split.targets.iter().map(|target| version_of(&target.arm));
        arms.enumerate()
            .filter_map(|(index, version)| Some((version?, index)))
    };
    Traffic {
        sticky: settings.sticky.as_ref().map(|sticky| match sticky {
            StickySettings::Cookie(name) => Sticky::Cookie(name.to_string()),
            StickySettings::Header(name) => Sticky::Header(name.to_string()),
        }),
        pin: settings.pin.as_ref().map(|pin| Pin {
            by: match pin {
                PinSettings::Header(name) => PinKey::Header(name.to_string()),
                PinSettings::Baggage(name) => PinKey::Baggage(name.to_string()),
            },
            targets: versions().collect(),
        }),
        mirror: settings.mirror.as_ref().map(|mirror| Mirror {
            share: portion(mirror.share),
            methods: mirror.methods.iter().map(ToString::to_string).collect(),
        }),
        fault: settings.fault.as_ref().map(fault),
    }
}

fn fault(settings: &FaultSettings) -> Fault {
    Fault {
        only_with: settings.header.as_ref().map(ToString::to_string),
        delay: settings.delay.as_ref().map(|delay| Delay {
            share: portion(delay.share),
            time: delay.time.0,
        }),
        abort: settings.abort.as_ref().map(|abort| Abort {
            share: portion(abort.share),
            status: abort.status,
        }),
    }
}

fn portion(percent: Percent) -> Portion {
    Portion(percent.0.basis_points())
}

/// What is switched on, for people who wonder why their requests go where they go.
pub(crate) fn in_words(settings: &TrafficSettings) -> Vec<String> {
    let sticky = settings.sticky.as_ref().map(|sticky| match sticky {
        StickySettings::Cookie(name) => {
            format!("users stay on their version by the cookie {name}")
        }
        StickySettings::Header(name) => {
            format!("users stay on their version by the header {name}")
        }
    });
    let pin = settings.pin.as_ref().map(|pin| match pin {
        PinSettings::Header(name) => format!("requests may name their version in {name}"),
        PinSettings::Baggage(name) => {
            format!("requests may name their version in baggage, as {name}")
        }
    });
    let mirror = settings.mirror.as_ref().map(|mirror| {
        let methods: Vec<_> = mirror.methods.iter().map(ToString::to_string).collect();
        let methods = methods.join(", ");
        format!("{} of {methods} go to both versions", mirror.share.0)
    });
    let fault = settings.fault.iter().flat_map(faults_in_words);
    let steered = sticky.into_iter().chain(pin).chain(mirror);
    steered.chain(fault).collect()
}

fn faults_in_words(fault: &FaultSettings) -> Vec<String> {
    let whose = match &fault.header {
        Some(name) => format!("requests with {name}"),
        None => "requests".to_owned(),
    };
    let delay = fault.delay.as_ref().map(|delay| {
        let (share, time) = (delay.share.0, delay.time);
        format!("FAULT: {share} of {whose} are delayed by {time}")
    });
    let abort = fault.abort.as_ref().map(|abort| {
        let (share, status) = (abort.share.0, abort.status);
        format!("FAULT: {share} of {whose} are answered {status}")
    });
    delay.into_iter().chain(abort).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_as_people_know_them() {
        let manifest = Manifest::parse(
            "mesh: shop\nservices:\n  crystal:\n    run: x\n    traffic: { pin: { header: v }, sticky: { cookie: c }, fault: { header: x, abort: { share: 2.5, status: 503 } } }\n",
        )
        .unwrap();
        let settings = &manifest.services["crystal"].traffic;
        let target = |arm: &str| view::Target {
            arm: arm.to_owned(),
            cluster: 0,
            weight: 1,
        };
        let split = Split {
            id: "s".to_owned(),
            targets: vec![target("crystal-sd-vanilla"), target("crystal-sd-epoch")],
        };
        let version_of = |node: &str| node.strip_prefix("crystal-sd-").map(str::to_owned);
        let traffic = traffic(settings, &split, version_of);
        assert_eq!(traffic.sticky, Some(Sticky::Cookie("c".to_owned())));
        let pin = traffic.pin.unwrap();
        assert_eq!(pin.by, PinKey::Header("v".to_owned()));
        let targets = [("epoch".to_owned(), 1), ("vanilla".to_owned(), 0)];
        assert_eq!(pin.targets, targets.into());
        let abort = traffic.fault.unwrap().abort.unwrap();
        assert_eq!((abort.share, abort.status), (Portion(250), 503));
        assert_eq!(
            in_words(settings).last().unwrap(),
            "FAULT: 2.5 % of requests with x are answered 503"
        );
    }
}
