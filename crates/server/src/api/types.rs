//! What the release API says and hears: the JSON of `/v1`, as `openapi.json` documents it.
//!
//! Times are RFC 3339; shares are percentages as text (`12.5 %` out, `12.5%` or `12.5` in); durations are
//! text with a unit (`90s`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The whole mesh at a glance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The manifest's mesh; none for a server without a manifest.
    pub mesh: Option<String>,
    /// Where traffic from outside enters it.
    pub gateway: Option<String>,
    pub since: String,
    /// Every mesh in the store, the manifest's and those made through the App Mesh API.
    pub meshes: Vec<MeshStatus>,
    pub services: Vec<ServiceStatus>,
    /// Every proxy that is connected or was not long ago, this server's own first.
    pub proxies: Vec<ProxyStatus>,
}

/// One node's proxy.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyStatus {
    /// `mesh/M/virtualNode/N` or `mesh/M/virtualGateway/G`.
    pub node: String,
    /// The process; none for the server's own.
    pub instance: Option<String>,
    /// Of the program.
    pub version: String,
    pub connected: bool,
    pub last_seen: String,
    /// The newest revision of the mesh that it acts on.
    pub revision: Option<u64>,
    /// A view that it could not apply: it keeps the one before.
    pub refused: Option<RefusedView>,
    /// Parts of its view that it cannot carry.
    pub refusals: Vec<ProxyRefusal>,
    /// Endpoints that are unhealthy or ejected.
    pub endpoints: Vec<ProxyEndpoint>,
    pub certificates: Vec<ProxyCertificate>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedView {
    pub revision: u64,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyRefusal {
    /// The listener or cluster, by its name in the view.
    pub resource: String,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyEndpoint {
    pub cluster: String,
    pub virtual_node: String,
    pub address: String,
    pub healthy: bool,
    /// Left out for its errors.
    pub ejected: bool,
    /// Why its last check failed.
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyCertificate {
    /// The listener or cluster that it is for, by its name in the view.
    pub resource: String,
    /// The file or secret it came from.
    pub source: String,
    /// When the first of them ends; none where there is no certificate.
    pub not_after: Option<String>,
    /// Why what the source holds now is not used.
    pub error: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshStatus {
    pub name: String,
    /// Its resources, itself among them.
    pub resources: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    pub name: String,
    /// The virtual service's name.
    pub host: String,
    /// Its address at the gateway.
    pub url: String,
    /// All wished-for tasks of the stable version are healthy.
    pub ready: bool,
    /// The stable version first.
    pub versions: Vec<VersionStatus>,
    /// What the manifest's `traffic` has switched on, in words.
    pub traffic: Vec<String>,
    /// The running release, else the last.
    pub release: Option<ReleaseStatus>,
}

/// A version, and what its traffic looks like since the server started.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionStatus {
    pub tag: String,
    pub digest: String,
    pub virtual_node: String,
    pub role: Role,
    pub tasks: Vec<TaskStatus>,
    /// Requests that ended.
    pub requests: u64,
    /// 5xx, resets, time-outs, no endpoint.
    pub failures: u64,
    pub in_flight: u64,
    pub requests_per_second: f64,
    /// Microseconds; none before the first request.
    pub p50: Option<u64>,
    pub p99: Option<u64>,
    /// Requests that named this version themselves: no part of the counts above, and no evidence.
    pub pinned: u64,
    /// Requests that a fault made on purpose has hit; they are no part of the counts above either.
    pub faulted: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    Stable,
    Canary,
    /// It left the mesh with the last release; its counts stay until the next.
    Former,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    pub id: String,
    pub address: String,
    /// `starting`, `healthy`, `unhealthy`, `backingOff` or `stopping`.
    pub state: String,
    pub pid: Option<u32>,
    pub restarts: u32,
    pub last_exit: Option<String>,
    pub log: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// `crystal-2`.
    pub id: String,
    pub service: String,
    pub tag: String,
    pub baseline: Option<String>,
    /// `auto`, `steps` or `manual`.
    pub policy: String,
    pub requested_at: String,
    /// What it is doing, and why.
    pub now: String,
    pub held: bool,
    pub share: ShareStatus,
    pub evidence: Evidence,
    /// How much of production's traffic the canary has been tried with; none before any was answered.
    #[serde(default)]
    pub coverage: Option<Coverage>,
    pub ended: Option<Ended>,
}

/// The part of production's mix of requests that the canary has served.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    pub sentence: String,
    pub percent: f64,
    /// What is missing, the most frequent first; 20 at most.
    pub missing: Vec<CoverageCase>,
}

impl Coverage {
    pub(super) const MOST_MISSING: usize = 20;
}

/// Requests of one path template that were answered alike.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CoverageCase {
    /// `{}` where it is an unusual one.
    pub method: String,
    /// As `/orders/{}`; none where paths were too many to tell apart.
    pub path: Option<String>,
    /// `2xx`, `3xx` or `4xx`.
    pub status: String,
    /// Of production's answers.
    pub percent: f64,
    /// How often the canary answered so.
    pub canary: u64,
}

/// The canary's share: what was set, and what the coin really did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareStatus {
    pub set: String,
    pub since: String,
    /// Percent of the requests drawn while this share was in force; none before the first.
    pub measured: Option<f64>,
    /// 95 % interval of `measured`.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Requests drawn while this share was in force.
    pub requests: u64,
}

/// The judge's word on everything seen so far.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// `continue`, `promote` or `rollBack`.
    pub decision: String,
    pub sentence: String,
    pub canary: ArmCounts,
    pub stable: ArmCounts,
    /// Natural logarithm of the evidence that the canary fails more often...
    pub log_evidence: f64,
    /// ...and of what it takes to roll back.
    pub log_threshold: f64,
    /// What each family of evidence adds to it.
    #[serde(default)]
    pub families: Vec<FamilyEvidence>,
    /// How long requests took; none where that is not known.
    #[serde(default)]
    pub latency: Option<LatencyEvidence>,
    /// What tasks used; none where that was not compared.
    #[serde(default)]
    pub resources: Option<ResourceEvidence>,
    /// Upper bound on the canary's extra share of failures, in percentage points.
    pub excess_bound: Option<f64>,
    /// Requests of both arms still needed to promote, if all stays as it is.
    pub missing_requests: Option<u64>,
}

/// One family of evidence against the canary.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FamilyEvidence {
    /// `failures`, `latency`, `clientErrors`, `unanswered`, `restarts` or `resources`.
    pub family: String,
    /// Its part of the mean; all add up to 1.
    pub weight: f64,
    /// Natural logarithm of its evidence.
    pub log_evidence: f64,
}

/// Latencies in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyEvidence {
    pub canary_p50: f64,
    pub canary_p99: f64,
    pub stable_p50: f64,
    pub stable_p99: f64,
    /// The canary's p99 is proved to be slower by less than so many percent.
    pub slowdown_bound: Option<f64>,
}

/// What the tasks of both versions used.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceEvidence {
    /// Of some seconds each, that were compared.
    pub windows: u64,
    pub canary: ResourceUsage,
    pub stable: ResourceUsage,
    /// Windows in which the canary used more processor time than is allowed...
    pub more_processor: u64,
    /// ...and more memory.
    pub more_memory: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceUsage {
    /// Processor time a request, in milliseconds, over all windows.
    pub processor: f64,
    /// Resident memory a task, in MiB, in the last window.
    pub memory: f64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmCounts {
    pub requests: u64,
    pub failures: u64,
    /// Requests that needed another try, because one had failed, and did not fail.
    #[serde(default)]
    pub retried: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// `promoted`, `rolledBack` or `abandoned`.
    pub outcome: String,
    pub reason: String,
    pub at: String,
}

/// Asks for a release.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRelease {
    /// Default: the first patch's name without its ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Applied to the source in this order; none releases the source as it is.
    #[serde(default)]
    pub patches: Vec<PatchText>,
    /// Default: the manifest's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyText>,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchText {
    pub name: String,
    pub text: String,
}

/// A policy that replaces the manifest's for one release.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyText {
    /// `auto`, `steps` or `manual`.
    pub policy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_requests: Option<u64>,
}

/// What a release would do, or has begun to do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleasePlan {
    /// The new release's id; none for a dry run.
    pub id: Option<String>,
    pub service: String,
    pub tag: String,
    pub baseline: Option<String>,
    pub virtual_node: String,
    pub policy: String,
    pub files: Vec<FileChange>,
    /// A build of exactly this source is there already.
    pub built: bool,
}

/// One line of the diffstat.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    pub path: String,
    pub added: u64,
    pub removed: u64,
}

/// Steers a running release.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrder {
    /// `set`, `hold`, `resume`, `promote` or `rollback`.
    pub order: String,
    /// For `set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// Who orders it, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default)]
    pub dry_run: bool,
}

/// What an order did, or would do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderTaken {
    pub release: String,
    pub order: String,
    /// The command that undoes it, where one does.
    pub undo: Option<String>,
}

/// One event of a release's journal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventLine {
    pub release: String,
    /// Ask for events after this one to go on.
    pub sequence: u64,
    pub at: String,
    /// `requested`, `resumed`, `began`, `built`, `joined`, `tasksStarted`, `tasksHealthy`, `shareSet`, `ordered`,
    /// `observed`, `covered`, `decided`, `left`, `retired` or `ended`.
    pub event: String,
    /// For people.
    pub text: String,
    /// The event's fields.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// One decision of a release, with what was known then.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    pub release: ReleaseStatus,
    /// Production's mix of requests, the most frequent first, and what of it the canary has served.
    #[serde(default)]
    pub cases: Vec<CoverageCase>,
    /// Every event but the raw observations.
    pub events: Vec<EventLine>,
    /// The judge's word whenever its decision or the share changed.
    pub story: Vec<StoryLine>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoryLine {
    pub at: String,
    pub share: String,
    pub evidence: Evidence,
}

/// A release's decisions, computed again from its journal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    pub release: String,
    /// All came out the same.
    pub same: bool,
    pub decisions: Vec<ReplayedDecision>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedDecision {
    pub at: String,
    /// What was done, and why.
    pub decision: String,
    pub same: bool,
    /// What comes out now, where that is something else.
    pub again: Option<String>,
    /// Natural logarithm of the evidence against the canary at that time, computed again...
    pub log_evidence: f64,
    /// ...and its bits in hexadecimal.
    pub bits: String,
}

/// Every error of the API.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Stable, for programs: `notFound`, `invalid`, `conflict`, `unauthorised`, `internal`.
    pub code: String,
    pub message: String,
    pub hint: Option<String>,
}
