//! `serin export`: writes meshes in a form that `serin import` and AWS's own tools read.

use std::path::PathBuf;

use interchange::write;
use model::{Metadata, Resource, Spec};
use server::api::export::Export as Exported;
use server::api::import::Described;

use crate::args::{Export, ExportForm, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::line::Line;
use crate::render::number;
use crate::terminal::Terminal;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("could not understand the server's {resource}")]
    Foreign {
        resource: String,
        #[source]
        source: model::Error,
    },
    #[error("could not write the export to {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

pub async fn run(args: &Export, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Exported { owner, resources } = super::client(global)?.export(args.mesh.as_deref()).await?;
    let resources = resources
        .into_iter()
        .map(resource)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let text = match args.format {
        ExportForm::CliJson => write::command_line(&resources, &owner.region, &owner.account),
        ExportForm::Cloudformation => {
            write::cloudformation(&resources, &owner.region, &owner.account)
        }
    };
    let Some(path) = &args.file else {
        terminal.raw(&text)?;
        return Ok(Exit::Done);
    };
    std::fs::write(path, text).map_err(|source| {
        let path = path.clone();
        Failure::new(Exit::Failed, Error::Write { path, source })
    })?;
    let count = number::of(resources.len() as u64, "resource");
    terminal.note(Line::new().plain(format!("wrote {count} to {}", path.display())));
    Ok(Exit::Done)
}

fn resource(described: Described) -> Result<Resource, Error> {
    let id = described.resource;
    let spec = Spec::parse(id.kind(), &described.spec).map_err(|source| Error::Foreign {
        resource: id.path(),
        source,
    })?;
    let known = described.metadata;
    let created_at = known.created_at.unwrap_or_default();
    let metadata = Metadata {
        uid: known.uid.unwrap_or_default(),
        version: known.version.unwrap_or(1),
        created_at,
        last_updated_at: known.last_updated_at.unwrap_or(created_at),
        mesh_owner: known.mesh_owner.unwrap_or_default(),
        resource_owner: known.resource_owner.unwrap_or_default(),
    };
    Ok(Resource {
        tags: described.tags.unwrap_or_default(),
        ..Resource::new(id, spec, metadata)
    })
}
