//! Performs one step of a release, and journals it.
//!
//! Makes no choice: what to do is the plan. A step inside the store (mesh resources, share) is one commit
//! together with its event; a step outside it (a build, tasks) is journalled before ([`Executor::announce`]) and
//! after, and may be repeated. So a release that was cut off anywhere goes on from its journal.

use std::sync::Arc;

use model::draft::{Author, Draft};
use model::{Share, Timestamp};
use store::{Change, Durability, Expect, Store};

use crate::journal::{Ending, Event, Outcome, Record, Request, Version};
use crate::mesh::{self, Sides};
use crate::planner::{Plan, Step};
use crate::{Actuator, Fault, Manifest, ReleaseId, State};

/// One release on its way: its journal and its state, always in step.
#[derive(Debug)]
pub struct Release {
    pub id: ReleaseId,
    pub state: State,
    /// The position of its last event.
    pub position: u64,
}

#[derive(Debug)]
pub struct Executor {
    pub manifest: Arc<Manifest>,
    pub store: Arc<dyn Store>,
    pub actuator: Arc<dyn Actuator>,
    pub ambient: Arc<dyn Ambient>,
}

/// What a write needs from the world: the time, an owner and unique ids.
pub trait Ambient: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;

    fn author(&self) -> Author;
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not {step}")]
    Mesh {
        step: String,
        #[source]
        source: Box<model::Error>,
    },
    #[error("could not write the journal of {id}")]
    Store {
        id: ReleaseId,
        #[source]
        source: Box<store::Error>,
    },
    #[error("could not write the mesh")]
    Prepare(#[source] Box<store::Error>),
    /// The same step may succeed later.
    #[error("could not {step}: {reason}")]
    Transient { step: String, reason: String },
    #[error("the journal of {id} makes no sense at position {position}")]
    Journal { id: ReleaseId, position: u64 },
}

impl Executor {
    /// Brings the mesh, its gateway and the services that have a stable version in line with the manifest.
    pub async fn prepare(&self, stable: &[(String, Version)]) -> Result<(), Error> {
        let change = self.draft("prepare the mesh", |draft| {
            mesh::ensure_mesh(draft, &self.manifest)?;
            for (service, version) in stable {
                mesh::join(draft, &self.manifest, service, &version.tag)?;
                mesh::ensure_service(draft, &self.manifest, service)?;
            }
            Ok(())
        })?;
        self.store
            .commit(change)
            .await
            .map_err(|source| Error::Prepare(Box::new(source)))?;
        Ok(())
    }

    /// Writes down a request: the release exists from here on.
    pub async fn request(&self, id: ReleaseId, request: Request) -> Result<Release, Error> {
        let at = self.ambient.now();
        let mut release = Release {
            state: State::requested(request.clone(), at),
            id,
            position: 0,
        };
        let request = Box::new(request);
        self.append(&mut release, Event::Requested { request })
            .await?;
        Ok(release)
    }

    /// Reads a release back from its journal.
    pub async fn resume(&self, id: ReleaseId) -> Result<Release, Error> {
        let entries = self
            .store
            .journal(&id.stream(), 0)
            .await
            .map_err(|source| Error::Store {
                id: id.clone(),
                source: Box::new(source),
            })?;
        let position = entries.last().map_or(0, |entry| entry.position);
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            let record: Record =
                serde_json::from_value(entry.body).map_err(|_| Error::Journal {
                    id: id.clone(),
                    position: entry.position,
                })?;
            records.push(record);
        }
        let state = State::replay(records).ok_or_else(|| Error::Journal {
            id: id.clone(),
            position: 0,
        })?;
        Ok(Release {
            id,
            state,
            position,
        })
    }

    /// Writes down what happened to a release.
    pub async fn append(&self, release: &mut Release, event: Event) -> Result<(), Error> {
        self.commit(release, Change::new(), event).await
    }

    /// Writes down that a step outside the store begins. Steps inside it are over as soon as they begin.
    pub async fn announce(&self, release: &mut Release, step: &Step) -> Result<(), Error> {
        let step = match step {
            Step::Build => "build",
            Step::StartTasks => "start tasks",
            Step::Retire => "stop tasks",
            _ => return Ok(()),
        };
        let step = step.to_owned();
        self.append(release, Event::Began { step }).await
    }

    /// Performs the plan's step. `Wait` does nothing.
    pub async fn perform(&self, release: &mut Release, plan: &Plan) -> Result<(), Error> {
        match &plan.step {
            Step::Wait => Ok(()),
            Step::Build => {
                let built = self.build(&release.id, &release.state.request).await?;
                self.append(release, built).await
            }
            Step::Join => self.join(release).await,
            Step::StartTasks => self.start_tasks(release).await,
            Step::Admit => self.append(release, Event::TasksHealthy).await,
            Step::SetShare(share) => self.set_share(release, *share, plan).await,
            Step::Decide(ending) => {
                let event = Event::Decided {
                    ending: *ending,
                    reason: plan.why.clone(),
                    seen: plan.seen.clone(),
                };
                self.append(release, event).await
            }
            Step::Leave => self.leave(release).await,
            Step::Retire => self.retire(release).await,
            Step::Finish(outcome) => self.finish(release, *outcome, &plan.why).await,
        }
    }

    /// Builds, and says what has to be written down then. Until it is, nothing is lost where this is cut off.
    pub async fn build(&self, id: &ReleaseId, request: &Request) -> Result<Event, Error> {
        let built = self.actuator.build(id, request).await;
        Ok(match outcome_of("build", built)? {
            Ok(version) => Event::Built { version },
            Err(reason) => gave_up(format!("the build failed: {reason}")),
        })
    }

    async fn start_tasks(&self, release: &mut Release) -> Result<(), Error> {
        let Some(version) = release.state.version.clone() else {
            return Ok(());
        };
        let request = &release.state.request;
        let started = self
            .actuator
            .start_tasks(&request.service, &version, request.tasks)
            .await;
        match outcome_of("start tasks", started)? {
            Ok(()) => self.append(release, Event::TasksStarted).await,
            Err(reason) => {
                let event = gave_up(format!("the tasks could not be started: {reason}"));
                self.append(release, event).await
            }
        }
    }

    async fn join(&self, release: &mut Release) -> Result<(), Error> {
        let request = &release.state.request;
        let Some(version) = &release.state.version else {
            return Ok(());
        };
        let node = self.manifest.virtual_node(&request.service, &version.tag);
        let change = self.draft("join the mesh", |draft| {
            mesh::ensure_mesh(draft, &self.manifest)?;
            mesh::join(draft, &self.manifest, &request.service, &version.tag)
        })?;
        let event = Event::Joined {
            virtual_node: node.name().to_owned(),
        };
        self.commit(release, change, event).await
    }

    async fn set_share(
        &self,
        release: &mut Release,
        share: Share,
        plan: &Plan,
    ) -> Result<(), Error> {
        let request = &release.state.request;
        let Some(canary) = &release.state.version else {
            return Ok(());
        };
        let canary = self.manifest.virtual_node(&request.service, &canary.tag);
        let change = self.draft("set the share", |draft| match &request.baseline {
            Some(stable) => {
                let stable = self.manifest.virtual_node(&request.service, &stable.tag);
                let sides = Sides {
                    stable: stable.name(),
                    canary: canary.name(),
                };
                mesh::set_share(draft, &self.manifest.route(&request.service), sides, share)
            }
            None => mesh::open(draft, &self.manifest, &request.service, canary.name()),
        })?;
        let event = Event::ShareSet {
            share,
            reason: plan.why.clone(),
            seen: plan.seen.clone(),
        };
        self.commit(release, change, event).await
    }

    async fn leave(&self, release: &mut Release) -> Result<(), Error> {
        let Some((stays, leaves)) = sides(&release.state) else {
            return Ok(());
        };
        let service = &release.state.request.service;
        let node = self.manifest.virtual_node(service, &leaves.tag);
        let change = self.draft("leave the mesh", |draft| {
            if let Some(stays) = &stays {
                let stays = self.manifest.virtual_node(service, &stays.tag);
                mesh::send_all_to(draft, &self.manifest.route(service), stays.name())?;
            }
            draft.remove(&node)
        })?;
        // From here on nobody goes back to what left, whatever happens before the end.
        let change = note_stable(change, &release.state);
        let event = Event::Left {
            virtual_node: node.name().to_owned(),
        };
        self.commit(release, change, event).await
    }

    async fn retire(&self, release: &mut Release) -> Result<(), Error> {
        let Some((_, leaves)) = sides(&release.state) else {
            return Ok(());
        };
        let retired = self
            .actuator
            .retire(&release.state.request.service, &leaves)
            .await;
        if let Err(fault) = retired {
            return Err(Error::Transient {
                step: "stop tasks".to_owned(),
                reason: fault.to_string(),
            });
        }
        self.append(
            release,
            Event::Retired {
                version: leaves.tag,
            },
        )
        .await
    }

    async fn finish(
        &self,
        release: &mut Release,
        outcome: Outcome,
        reason: &str,
    ) -> Result<(), Error> {
        // Where nothing had to leave.
        let change = match release.state.left {
            true => Change::new(),
            false => note_stable(Change::new(), &release.state),
        };
        let event = Event::Ended {
            outcome,
            reason: reason.to_owned(),
        };
        self.commit(release, change, event).await
    }

    /// Mesh changes as one store change, which fails if somebody else changes the same resources first.
    fn draft(
        &self,
        step: &str,
        edit: impl FnOnce(&mut Draft) -> Result<(), model::Error>,
    ) -> Result<Change, Error> {
        let mut draft = Draft::new(&self.store.snapshot(), self.ambient.author());
        edit(&mut draft).map_err(|source| Error::Mesh {
            step: step.to_owned(),
            source: Box::new(source),
        })?;
        Ok(draft
            .finish()
            .into_iter()
            .fold(Change::new(), |change, resource| {
                let change = change.expect(match &resource.before {
                    None => Expect::Absent(resource.id.clone()),
                    Some(before) => Expect::Version {
                        id: resource.id.clone(),
                        version: before.metadata.version,
                    },
                });
                match resource.after {
                    Some(after) => change.put(Arc::unwrap_or_clone(after)),
                    None => change.remove(resource.id),
                }
            }))
    }

    /// The change and its event in one commit, then the state.
    async fn commit(
        &self,
        release: &mut Release,
        change: Change,
        event: Event,
    ) -> Result<(), Error> {
        let at = self.ambient.now();
        // Evidence of this process that is lost in a crash was not acted upon, and not worth a disk flush. A
        // remote proxy forgets what is said to be kept.
        let durability = match &event {
            Event::Observed { reports, .. } if reports.is_empty() => Durability::Eventual,
            Event::Covered { .. } => Durability::Eventual,
            _ => Durability::Durable,
        };
        let record = Record { at, event };
        let stream = release.id.stream();
        let position = release.position;
        let change = change
            .expect(Expect::Position {
                stream: stream.clone(),
                position,
            })
            .durability(durability)
            .append(stream, serde_json::json!(record));
        self.store
            .commit(change)
            .await
            .map_err(|source| Error::Store {
                id: release.id.clone(),
                source: Box::new(source),
            })?;
        release.position += 1;
        release.state.apply(&record);
        Ok(())
    }
}

/// The version cannot be had: the release ends before any traffic saw it.
fn gave_up(reason: String) -> Event {
    Event::Decided {
        ending: Ending::RollBack,
        reason,
        seen: None,
    }
}

/// Where a service's stable versions are written down, the last one last.
pub fn stable_stream(service: &str) -> String {
    format!("stable/{service}")
}

/// Writes down the version that serves from now on, if that is the new one.
fn note_stable(change: Change, state: &State) -> Change {
    let promoted = state.decided.as_ref().map(|decided| decided.ending) == Some(Ending::Promote);
    match state.version.as_ref().filter(|_| promoted) {
        Some(version) => change.append(
            stable_stream(&state.request.service),
            serde_json::json!(version),
        ),
        None => change,
    }
}

/// The side that stays, if any, and the side that leaves.
fn sides(state: &State) -> Option<(Option<Version>, Version)> {
    let (stays, leaves) = state.sides(state.decided.as_ref()?.ending);
    Some((stays.cloned(), leaves?.clone()))
}

/// A permanent fault is an answer; a transient one is an error of this attempt.
fn outcome_of<T>(step: &str, result: Result<T, Fault>) -> Result<Result<T, String>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Permanent(reason)) => Ok(Err(reason)),
        Err(Fault::Transient(reason)) => Err(Error::Transient {
            step: step.to_owned(),
            reason,
        }),
    }
}
