//! Tags of resources that an ARN names.
//!
//! Tags are no part of a spec: setting them does not count in the resource's version `[?]`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use model::tags::{self, Tag};
use model::{Arn, Error, ErrorKind, Resource, Snapshot, Violation};
use store::Effect;

use crate::AppMesh;
use crate::answer::{self, List};
use crate::call::Call;
use crate::page::Page;

/// The longest page of tags, and all that a resource can have.
const LONGEST_PAGE: usize = 50;

type Tags = BTreeMap<String, String>;

impl AppMesh {
    pub(crate) async fn tag(&self, call: &Call<'_>) -> Result<String, Error> {
        let added: Vec<Tag> = call.body(&["tags"])?.required("tags")?;
        // The request alone, before anything is looked for.
        tags::add(&Tags::new(), &added)?;
        self.retag(call, move |present| tags::add(present, &added))
            .await
    }

    pub(crate) async fn untag(&self, call: &Call<'_>) -> Result<String, Error> {
        let keys: Vec<String> = call.body(&["tagKeys"])?.required("tagKeys")?;
        tags::remove(&Tags::new(), &keys)?;
        self.retag(call, move |present| tags::remove(present, &keys))
            .await
    }

    pub(crate) fn list_tags(&self, call: &Call<'_>) -> Result<String, Error> {
        let arn = resource_arn(call)?;
        let page = Page::asked_for(call, arn.to_string(), LONGEST_PAGE)?;
        let world = self.store.snapshot();
        let tags = &named(&world, &arn, &self.settings.region)?.tags;
        let after = page.after().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = tags.range::<str, _>((after, Bound::Unbounded));
        let (entries, next_token) = page.take(rest, |(key, _)| (*key).clone());
        let entries = entries.into_iter().map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        });
        answer::write(&List {
            member: "tags",
            entries: entries.collect(),
            next_token,
        })
    }

    async fn retag(
        &self,
        call: &Call<'_>,
        change: impl Fn(&Tags) -> Result<Tags, Error> + Send + Sync + 'static,
    ) -> Result<String, Error> {
        let arn = resource_arn(call)?;
        let settings = Arc::clone(&self.settings);
        self.commit(call.operation(), None, move |world| {
            let current = named(world, &arn, &settings.region)?;
            let tags = change(&current.tags)?;
            let done = Effect::new().answer("{}");
            if tags == current.tags {
                return Ok(done);
            }
            Ok(done.put(Resource {
                tags,
                ..Resource::clone(current)
            }))
        })
        .await
    }
}

fn resource_arn(call: &Call<'_>) -> Result<Arn, Error> {
    let Some(text) = call.parameter("resourceArn")? else {
        return Err(Violation::new("resourceArn", "is required").into());
    };
    let refused = || Violation::new("resourceArn", "is no ARN of an App Mesh resource").of(&text);
    Ok(text.parse().map_err(|_| refused())?)
}

/// The resource whose ARN this is, region and owner included.
fn named<'w>(world: &'w Snapshot, arn: &Arn, region: &str) -> Result<&'w Arc<Resource>, Error> {
    let found = world
        .get(&arn.id)
        .filter(|resource| arn.region == region && arn.account == resource.metadata.resource_owner);
    found.ok_or_else(|| {
        let message = format!("Resource with ARN {arn} is not present");
        Error::new(ErrorKind::NotFound, message)
    })
}
