//! `serin import`: reads what describes a mesh, shows what taking it over does, and does it.
//!
//! Nothing is half done: the server makes the whole plan in one change, or none of it. If anything is
//! refused, here or there, nothing is changed unless `--skip-refused` asks for the rest.

mod report;
mod sources;

use interchange::{Document, Options, Reading};
use server::api::import::{Described, NewImport, Owner, PartialMetadata};

use crate::args::{Global, Import};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;
use report::Report;

#[derive(Debug, thiserror::Error)]
#[error("there is no resource of a mesh in what was read")]
struct Nothing;

pub async fn run(args: &Import, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let sources = sources::read(&args.sources)?;
    let client = super::client(global)?;
    let owner = client.owner().await?;
    let reading = interchange::read(&sources, &options(args, &owner));
    if reading.documents.is_empty() && reading.refused.is_empty() {
        let hint = "docs/import.md tells what is read, and from where";
        return Err(Failure::new(Exit::Invalid, Nothing).hint(hint));
    }
    let dry_run = args.dry_run || (!reading.refused.is_empty() && !args.skip_refused);
    let new = NewImport {
        resources: described(&reading, args, &owner)?,
        dry_run,
        skip_refused: args.skip_refused,
        new_arns: args.new_arns,
    };
    let plan = client.import(&new).await?;
    let report = Report::new(reading, plan);
    match terminal.is_json() {
        true => terminal.json(&report)?,
        false => terminal.say_all(report.lines(args.dry_run))?,
    }
    match report.refuses() && !args.skip_refused {
        true => Ok(Exit::Invalid),
        false => Ok(Exit::Done),
    }
}

fn options(args: &Import, owner: &Owner) -> Options {
    let region = args.region.as_ref().unwrap_or(&owner.region);
    let account = args.account.as_ref().unwrap_or(&owner.account);
    Options {
        parameters: args.parameters.iter().cloned().collect(),
        values: args.values.iter().cloned().collect(),
        stack_name: args.stack_name.clone(),
        region: Some(region.clone()),
        account: Some(account.clone()),
        mesh: args.mesh.clone(),
        namespace: Some(args.namespace.clone()),
    }
}

fn described(reading: &Reading, args: &Import, owner: &Owner) -> Result<Vec<Described>, Failure> {
    let documents = reading.documents.iter();
    documents
        .map(|document| {
            Ok(Described {
                resource: document.id.clone(),
                spec: serde_json::to_value(document.spec.wire())
                    .map_err(|error| Failure::new(Exit::Failed, error))?,
                tags: document.tags.clone(),
                metadata: metadata(document, args, owner),
            })
        })
        .collect()
}

fn metadata(document: &Document, args: &Import, owner: &Owner) -> PartialMetadata {
    let history = document.history.clone();
    // Whoever names a region or an account says what the ARNs were.
    let told = (args.region.is_some() || args.account.is_some()).then(|| {
        let region = args.region.as_ref().unwrap_or(&owner.region);
        let account = args.account.as_ref().unwrap_or(&owner.account);
        document.id.arn(region, account).to_string()
    });
    PartialMetadata {
        arn: history.arn.or(told),
        uid: history.uid,
        version: history.version,
        created_at: history.created_at,
        last_updated_at: history.last_updated_at,
        mesh_owner: history.mesh_owner,
        resource_owner: history.resource_owner,
    }
}
