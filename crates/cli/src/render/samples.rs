//! A release in the middle, for the tests of the renderers.

use server::api::types::{
    ArmCounts, Coverage, Evidence, FamilyEvidence, ReleaseStatus, ResourceEvidence, ResourceUsage,
    Role, ServiceStatus, ShareStatus, TaskStatus, VersionStatus,
};

pub(super) fn release() -> ReleaseStatus {
    ReleaseStatus {
        id: "crystal-2".to_owned(),
        service: "crystal".to_owned(),
        tag: "epoch".to_owned(),
        baseline: Some("vanilla".to_owned()),
        policy: "auto".to_owned(),
        requested_at: "2026-11-22T12:00:00Z".to_owned(),
        now: "the evidence grows".to_owned(),
        held: false,
        share: ShareStatus {
            set: "12.5 %".to_owned(),
            since: "2026-11-22T12:00:08Z".to_owned(),
            measured: Some(12.44),
            low: Some(11.82),
            high: Some(13.09),
            requests: 10_204,
        },
        evidence: Evidence {
            decision: "continue".to_owned(),
            sentence: "no difference yet".to_owned(),
            canary: arm(1_266, 1),
            stable: arm(8_938, 0),
            log_evidence: 2.3,
            log_threshold: 4.6,
            families: vec![
                family("failures", 0.5, 3.0),
                family("clientErrors", 0.05, 0.0),
            ],
            latency: None,
            resources: Some(ResourceEvidence {
                windows: 20,
                canary: used(0.31, 212.0),
                stable: used(0.3, 101.0),
                more_processor: 0,
                more_memory: 7,
            }),
            excess_bound: Some(0.61),
            missing_requests: Some(1_200),
        },
        coverage: Some(Coverage {
            sentence: "covers 93 % of production's mix; not yet: POST /orders (7 %)".to_owned(),
            percent: 93.0,
            missing: Vec::new(),
        }),
        ended: None,
    }
}

fn used(processor: f64, memory: f64) -> ResourceUsage {
    ResourceUsage { processor, memory }
}

fn family(name: &str, weight: f64, log_evidence: f64) -> FamilyEvidence {
    FamilyEvidence {
        family: name.to_owned(),
        weight,
        log_evidence,
    }
}

pub(super) fn service() -> ServiceStatus {
    ServiceStatus {
        name: "crystal".to_owned(),
        host: "crystal.appmeshworkshop.hosted.local".to_owned(),
        url: "http://127.0.0.1:8080/".to_owned(),
        ready: true,
        versions: vec![
            version("vanilla", Role::Stable, &["healthy", "healthy", "healthy"]),
            version(
                "epoch",
                Role::Canary,
                &["healthy", "starting", "backingOff"],
            ),
        ],
        traffic: Vec::new(),
        release: None,
    }
}

fn arm(requests: u64, failures: u64) -> ArmCounts {
    ArmCounts {
        requests,
        failures,
        retried: 0,
    }
}

fn version(tag: &str, role: Role, states: &[&str]) -> VersionStatus {
    let tasks = states.iter().enumerate().map(|(index, state)| TaskStatus {
        id: format!("crystal/{tag}/{index}"),
        address: format!("127.0.0.1:{}", 4000 + index),
        state: (*state).to_owned(),
        pid: Some(4711),
        restarts: if *state == "backingOff" { 4 } else { 0 },
        last_exit: (*state == "backingOff").then(|| "exited with 1".to_owned()),
        log: String::new(),
    });
    VersionStatus {
        tag: tag.to_owned(),
        digest: "sha256:1f0c".to_owned(),
        virtual_node: format!("crystal-sd-{tag}"),
        role,
        tasks: tasks.collect(),
        requests: 1_266,
        failures: u64::from(role == Role::Canary),
        in_flight: 0,
        requests_per_second: 150.2,
        p50: Some(812),
        p99: None,
        pinned: 0,
        faulted: 0,
    }
}
