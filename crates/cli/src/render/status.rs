//! `serin status`: services with their versions, traffic and releases.

use jiff::Timestamp;
use server::api::types::{
    ProxyStatus, ReleaseStatus, Role, ServiceStatus, Status, TaskStatus, VersionStatus,
};

use super::progress::Progress;
use super::{moment, number, table, verdict};
use crate::line::Line;

/// The whole mesh.
pub fn mesh(status: &Status, now: Timestamp) -> Vec<Line> {
    let up = format!("up since {}", moment::ago(&status.since, now));
    let heading = match &status.mesh {
        Some(mesh) => Line::new().plain("mesh ").strong(mesh).plain(", "),
        None => Line::new().plain("the App Mesh API, without a manifest, "),
    };
    let heading = match &status.gateway {
        Some(gateway) => heading.plain(format!("gateway {gateway}, ")),
        None => heading,
    };
    let mut lines = vec![heading.faint(up)];
    let others = status
        .meshes
        .iter()
        .filter(|mesh| status.mesh.as_deref() != Some(&mesh.name));
    lines.extend(others.map(|mesh| {
        let resources = format!(", {}", number::of(mesh.resources as u64, "resource"));
        Line::new()
            .plain("mesh ")
            .strong(&mesh.name)
            .plain(resources)
    }));
    for service in &status.services {
        lines.push(Line::new());
        lines.extend(self::service(service, now));
    }
    lines.extend(proxies(&status.proxies, now));
    lines
}

/// Proxies elsewhere, and what is amiss with any.
fn proxies(proxies: &[ProxyStatus], now: Timestamp) -> Vec<Line> {
    let remote = proxies.iter().filter(|proxy| proxy.instance.is_some());
    let mut lines: Vec<Line> = remote.map(|proxy| self::proxy(proxy, now)).collect();
    if !lines.is_empty() {
        lines.insert(0, Line::new());
    }
    for proxy in proxies {
        let amiss = |what: String| {
            Line::new()
                .bad("! ")
                .strong(&proxy.node)
                .plain(format!(" {what}"))
        };
        lines.extend(proxy.refused.iter().map(|refused| {
            amiss(format!(
                "keeps its last view, revision {} is refused: {}",
                refused.revision, refused.reason
            ))
        }));
        lines.extend(proxy.refusals.iter().map(|refusal| {
            amiss(format!(
                "cannot carry {}: {}",
                refusal.resource, refusal.reason
            ))
        }));
        let endpoints = proxy.endpoints.iter().map(|endpoint| {
            let state = match endpoint.ejected {
                true => "ejected for its errors",
                false => "unhealthy",
            };
            let reason = endpoint.reason.iter().map(|reason| format!(": {reason}"));
            amiss(format!(
                "finds {} of {} {state}{}",
                endpoint.address,
                endpoint.virtual_node,
                reason.collect::<String>()
            ))
        });
        lines.extend(endpoints);
    }
    lines
}

fn proxy(proxy: &ProxyStatus, now: Timestamp) -> Line {
    let line = Line::new().plain("proxy ").strong(&proxy.node);
    let line = match (proxy.connected, proxy.revision) {
        (true, Some(revision)) => line
            .good("  connected")
            .plain(format!(", revision {revision}")),
        (true, None) => line.plain("  connected, without a view"),
        (false, _) => line.bad(format!(
            "  away since {}",
            moment::ago(&proxy.last_seen, now)
        )),
    };
    line.faint(format!(", version {}", proxy.version))
}

pub fn service(service: &ServiceStatus, now: Timestamp) -> Vec<Line> {
    let heading = Line::new().strong(&service.name).plain("  ");
    let heading = match service.ready {
        true => heading.good("ready"),
        false => heading.bad("not ready"),
    };
    let mut lines = vec![
        heading
            .plain(format!("  {}  ", service.url))
            .faint(&service.host),
    ];
    lines.extend(versions(&service.versions));
    let tasks = service.versions.iter().flat_map(|version| &version.tasks);
    lines.extend(tasks.filter_map(trouble));
    let pinned = service.versions.iter().filter(|version| version.pinned > 0);
    lines.extend(pinned.map(|version| {
        let count = number::count(version.pinned);
        Line::new().plain(format!("  {count} more named {} themselves", version.tag))
    }));
    let faulted = service.versions.iter().map(|version| version.faulted);
    match faulted.sum() {
        0 => {}
        count => {
            let count = number::count(count);
            lines.push(Line::new().bad(format!(
                "  {count} more were hit by a fault made on purpose"
            )));
        }
    }
    let traffic = service.traffic.iter();
    lines.extend(traffic.map(|words| match words.starts_with("FAULT") {
        true => Line::new().bad(format!("  {words}")),
        false => Line::new().plain(format!("  {words}")),
    }));
    if let Some(release) = &service.release {
        lines.extend(self::release(release, service, now));
    }
    lines
}

fn versions(versions: &[VersionStatus]) -> Vec<Line> {
    if versions.is_empty() {
        return vec![Line::new().faint("  no version has tasks yet")];
    }
    let heading = [
        "  version",
        "role",
        "tasks",
        "requests",
        "failed",
        "rate",
        "p50",
        "p99",
        "virtual node",
    ];
    let mut rows = vec![heading.map(|cell| Line::new().faint(cell)).to_vec()];
    rows.extend(versions.iter().map(version));
    table::columns(rows)
}

/// What is amiss with a task that does not serve, or had to be started again.
fn trouble(task: &TaskStatus) -> Option<Line> {
    let state = match task.state.as_str() {
        "healthy" | "starting" if task.restarts == 0 => return None,
        "stopping" => return None,
        "backingOff" => "waits to be started again",
        state => state,
    };
    let restarts = match task.restarts {
        0 => String::new(),
        restarts => format!(", {}", number::of(restarts.into(), "restart")),
    };
    let last = task.last_exit.iter().map(|exit| format!(", last {exit}"));
    let words = format!(" {state}{restarts}{}", last.collect::<String>());
    Some(Line::new().bad("  ! ").plain(&task.id).plain(words))
}

fn version(version: &VersionStatus) -> Vec<Line> {
    let (tag, role) = match version.role {
        Role::Stable => (Line::new().plain("  ").stable(&version.tag), "stable"),
        Role::Canary => (Line::new().plain("  ").canary(&version.tag), "canary"),
        Role::Former => (Line::new().plain("  ").faint(&version.tag), "former"),
    };
    let healthy = version
        .tasks
        .iter()
        .filter(|task| task.state == "healthy")
        .count();
    let tasks = format!("{healthy}/{}", version.tasks.len());
    let failed = number::count(version.failures);
    let latency =
        |micros: Option<u64>| Line::new().plain(micros.map_or("-".to_owned(), number::micros));
    vec![
        tag,
        Line::new().plain(role),
        match healthy == version.tasks.len() {
            true => Line::new().plain(tasks),
            false => Line::new().bad(tasks),
        },
        Line::new().plain(number::count(version.requests)),
        match version.failures {
            0 => Line::new().plain(failed),
            _ => Line::new().bad(failed),
        },
        Line::new().plain(number::rate(version.requests_per_second)),
        latency(version.p50),
        latency(version.p99),
        Line::new().faint(&version.virtual_node),
    ]
}

fn release(release: &ReleaseStatus, service: &ServiceStatus, now: Timestamp) -> Vec<Line> {
    let title = Line::new()
        .plain("  release ")
        .strong(&release.id)
        .plain(format!(", {} ", release.tag));
    match &release.ended {
        Some(ended) => vec![
            title
                .strong(verdict::outcome(&ended.outcome))
                .plain(format!(
                    " {}: {}",
                    moment::ago(&ended.at, now),
                    verdict::reason(&ended.reason)
                )),
        ],
        None => {
            let baseline = match &release.baseline {
                Some(baseline) => format!("beside {baseline}, "),
                None => String::new(),
            };
            let asked = moment::ago(&release.requested_at, now);
            let mut lines = vec![
                title
                    .plain(format!("{baseline}policy {}, ", release.policy))
                    .faint(format!("asked for {asked}")),
            ];
            lines.extend(Progress::at(now, release, service).picture());
            lines
        }
    }
}

#[cfg(test)]
mod tests {
    use server::api::types::Ended;

    use super::super::samples;
    use super::*;

    fn shown(status: &ServiceStatus) -> Vec<String> {
        let now = "2026-11-22T12:05:00Z".parse().unwrap();
        service(status, now)
            .iter()
            .map(|line| line.paint(false).trim_end().to_owned())
            .collect()
    }

    #[test]
    fn a_service_shows_its_versions_and_its_running_release() {
        let mut status = samples::service();
        status.release = Some(samples::release());
        let lines = shown(&status);
        assert_eq!(
            lines[..6],
            [
                "crystal  ready  http://127.0.0.1:8080/  crystal.appmeshworkshop.hosted.local",
                "  version  role    tasks  requests  failed  rate   p50     p99  virtual node",
                "  vanilla  stable  3/3    1,266     0       150/s  812 µs  -    crystal-sd-vanilla",
                "  epoch    canary  1/3    1,266     1       150/s  812 µs  -    crystal-sd-epoch",
                "  ! crystal/epoch/2 waits to be started again, 4 restarts, last exited with 1",
                "  release crystal-2, epoch beside vanilla, policy auto, asked for 5 min ago",
            ]
        );
        assert_eq!(lines.len(), 14);
    }

    #[test]
    fn what_bends_the_traffic_is_shown() {
        let mut status = samples::service();
        status.traffic = vec!["users stay on their version by the cookie crystal".to_owned()];
        status.versions[1].pinned = 12;
        assert_eq!(
            shown(&status)[5..7],
            [
                "  12 more named epoch themselves",
                "  users stay on their version by the cookie crystal",
            ]
        );
    }

    #[test]
    fn a_release_that_ended_is_one_line() {
        let mut status = samples::service();
        status.release = Some(ReleaseStatus {
            ended: Some(Ended {
                outcome: "rolledBack".to_owned(),
                reason: "it fails more often".to_owned(),
                at: "2026-11-22T12:04:20Z".to_owned(),
            }),
            ..samples::release()
        });
        assert_eq!(
            shown(&status).last().unwrap(),
            "  release crystal-2, epoch rolled back 40 s ago: it fails more often"
        );
    }

    #[test]
    fn a_service_without_tasks_says_so() {
        let status = ServiceStatus {
            ready: false,
            versions: Vec::new(),
            ..samples::service()
        };
        assert_eq!(
            shown(&status),
            [
                "crystal  not ready  http://127.0.0.1:8080/  crystal.appmeshworkshop.hosted.local",
                "  no version has tasks yet"
            ]
        );
    }
}
