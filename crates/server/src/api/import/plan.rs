//! What taking resources over comes to, as a pure function of the mesh and what arrives.
//!
//! Resources are planned in the order in which they can be made: each against the mesh as those before it
//! leave it, so that one that is refused takes what needs it along.

use std::sync::Arc;

use model::tags::{self, Tag};
use model::{Metadata, Resource, ResourceId, Snapshot, Spec, Timestamp, rules};

use super::{Action, Described, Owner, PartialMetadata, PlannedResource};

pub(super) struct Arrival {
    pub(super) resources: Vec<Described>,
    pub(super) owner: Owner,
    pub(super) now: Timestamp,
    pub(super) uid: fn() -> String,
    pub(super) new_arns: bool,
}

pub(super) struct Plan {
    pub(super) resources: Vec<PlannedResource>,
    pub(super) writes: Vec<Arc<Resource>>,
}

/// Why a resource cannot be taken over.
struct Refused {
    reason: String,
    hint: Option<String>,
}

impl Plan {
    pub(super) fn refuses(&self) -> bool {
        let mut resources = self.resources.iter();
        resources.any(|planned| planned.action == Action::Refused)
    }
}

impl From<model::Error> for Refused {
    fn from(error: model::Error) -> Self {
        Self {
            reason: error.message,
            hint: None,
        }
    }
}

pub(super) fn plan(snapshot: &Snapshot, arrival: &Arrival) -> Plan {
    let mut ordered: Vec<&Described> = arrival.resources.iter().collect();
    // The kinds stand in the order of what refers to what; the sort keeps the rest.
    ordered.sort_by_key(|described| described.resource.kind());
    let mut after = snapshot.clone();
    let mut plan = Plan {
        resources: Vec::with_capacity(ordered.len()),
        writes: Vec::new(),
    };
    for described in ordered {
        let id = described.resource.clone();
        let (action, refused) = match take_over(&after, described, arrival) {
            Ok((action, None)) => (action, None),
            Ok((action, Some(resource))) => {
                let resource = Arc::new(resource);
                after = after.insert(Arc::clone(&resource));
                plan.writes.push(resource);
                (action, None)
            }
            Err(refused) => (Action::Refused, Some(refused)),
        };
        let (reason, hint) =
            refused.map_or((None, None), |refused| (Some(refused.reason), refused.hint));
        plan.resources.push(PlannedResource {
            resource: id,
            action,
            reason,
            hint,
        });
    }
    plan
}

/// What becomes of one resource, and how it is then.
fn take_over(
    snapshot: &Snapshot,
    described: &Described,
    arrival: &Arrival,
) -> Result<(Action, Option<Resource>), Refused> {
    let id = &described.resource;
    let spec = Spec::parse(id.kind(), &described.spec)?;
    keeps_arn(id, &described.metadata, arrival)?;
    let tags = match &described.tags {
        Some(tags) => {
            let listed: Vec<Tag> = tags
                .iter()
                .map(|(key, value)| Tag {
                    key: key.clone(),
                    value: value.clone(),
                })
                .collect();
            Some(tags::add(&Default::default(), &listed)?)
        }
        None => None,
    };
    let Some(current) = snapshot.get(id) else {
        rules::create(snapshot, id, &spec)?;
        let metadata = metadata(&described.metadata, arrival)?;
        let resource = Resource {
            tags: tags.unwrap_or_default(),
            ..Resource::new(id.clone(), spec, metadata)
        };
        return Ok((Action::Create, Some(resource)));
    };
    let tags = tags.unwrap_or_else(|| current.tags.clone());
    if current.spec == spec {
        // Tags are no part of what versions count.
        let retagged = (current.tags != tags).then(|| Resource {
            tags,
            ..Resource::clone(current)
        });
        let action = retagged.as_ref().map_or(Action::Same, |_| Action::Update);
        return Ok((action, retagged));
    }
    rules::update(snapshot, id, &spec)?;
    let resource = Resource {
        spec,
        tags,
        metadata: current.metadata.changed(arrival.now),
        // Exact shares belong to the spec that a release wrote.
        shares: None,
        ..Resource::clone(current)
    };
    Ok((Action::Update, Some(resource)))
}

/// ARNs are derived from the server's region and account; policies and task definitions hold them.
fn keeps_arn(
    id: &ResourceId,
    metadata: &PartialMetadata,
    arrival: &Arrival,
) -> Result<(), Refused> {
    if arrival.new_arns {
        return Ok(());
    }
    let Owner { region, account } = &arrival.owner;
    let new = id.arn(region, account).to_string();
    let refuse = |reason: String, region: &str, account: &str| {
        let hint = format!(
            "start the server with the region {region} and the account {account} \
             in its configuration, or take new ARNs with --new-arns"
        );
        Err(Refused {
            reason,
            hint: Some(hint),
        })
    };
    if let Some(arn) = &metadata.arn
        && *arn != new
    {
        let parts: Vec<&str> = arn.split(':').collect();
        let (old_region, old_account) = match parts.as_slice() {
            [_, _, _, region, account, ..] => (*region, *account),
            _ => (region.as_str(), account.as_str()),
        };
        let reason = format!("its ARN is {arn}, and would be {new}");
        return refuse(reason, old_region, old_account);
    }
    match &metadata.mesh_owner {
        Some(owner) if owner != account => {
            let reason = format!("its mesh belongs to {owner}, and would belong to {account}");
            refuse(reason, region, owner)
        }
        _ => Ok(()),
    }
}

/// What is known of a resource that is new here, completed.
fn metadata(known: &PartialMetadata, arrival: &Arrival) -> Result<Metadata, Refused> {
    let now = arrival.now;
    let uid = known.uid.clone().unwrap_or_else(arrival.uid);
    let made = Metadata::new(uid, &arrival.owner.account, now);
    let version = known.version.unwrap_or(made.version);
    if version < 1 {
        return Err(Refused {
            reason: format!("version {version} is none: the first is 1"),
            hint: None,
        });
    }
    let created_at = known.created_at.or(known.last_updated_at).unwrap_or(now);
    let owner = known.resource_owner.clone();
    Ok(Metadata {
        version,
        created_at,
        last_updated_at: known.last_updated_at.unwrap_or(created_at),
        resource_owner: owner.unwrap_or_else(|| made.resource_owner.clone()),
        ..made
    })
}

#[cfg(test)]
mod tests;
