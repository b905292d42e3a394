//! `serin release`: asks for a release, shows what it will do, and follows it.

use std::path::{Path, PathBuf};

use server::api::types::{NewRelease, PatchText, PolicyText, ReleasePlan};

use crate::args::{Global, PolicyName, Release};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::line::Line;
use crate::render;
use crate::terminal::Terminal;

pub async fn run(
    args: &Release,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let new = new_release(args)?;
    let client = super::client(global)?;
    let plan = client.request_release(&args.service, &new).await?;
    match terminal.is_json() {
        true => terminal.json(&plan)?,
        false => terminal.say_all(lines(&plan))?,
    }
    match &plan.id {
        Some(id) if args.detach => {
            terminal.note(Line::new().faint(super::follow::detached(id)));
            Ok(Exit::Done)
        }
        Some(id) => super::follow::to_the_end(id, client, terminal).await,
        None => Ok(Exit::Done),
    }
}

fn new_release(args: &Release) -> Result<NewRelease, Failure> {
    let patches: Result<_, _> = args.patches.iter().map(|path| read(path)).collect();
    Ok(NewRelease {
        tag: args.tag.clone(),
        patches: patches?,
        policy: policy(args)?,
        dry_run: args.dry_run,
    })
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("could not read the patch {}", path.display())]
    Patch {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("--steps, --step-time and --step-requests belong to --policy steps")]
    StepsWithoutPolicy,
}

fn read(path: &Path) -> Result<PatchText, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        let path = path.to_owned();
        Failure::new(Exit::Invalid, Error::Patch { path, source })
    })?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(PatchText {
        name: name.to_string_lossy().into_owned(),
        text,
    })
}

/// None keeps the manifest's policy; steps alone say which policy is meant.
fn policy(args: &Release) -> Result<Option<PolicyText>, Failure> {
    let stepped =
        !args.steps.is_empty() || args.step_time.is_some() || args.step_requests.is_some();
    let policy = match (args.policy, stepped) {
        (None, false) => return Ok(None),
        (None | Some(PolicyName::Steps), _) => PolicyName::Steps,
        (Some(policy), false) => policy,
        (Some(_), true) => return Err(Failure::new(Exit::Usage, Error::StepsWithoutPolicy)),
    };
    let steps = args.steps.iter().map(ToString::to_string).collect();
    Ok(Some(PolicyText {
        policy: policy.name().to_owned(),
        steps: (!args.steps.is_empty()).then_some(steps),
        step_time: args.step_time.map(|time| time.to_string()),
        step_requests: args.step_requests,
    }))
}

fn lines(plan: &ReleasePlan) -> Vec<Line> {
    let title = match &plan.id {
        Some(id) => Line::new().strong(id).plain(": "),
        None => Line::new().plain("would release "),
    };
    let title = title.canary(&plan.tag).plain(match plan.built {
        true => " (built already)",
        false => "",
    });
    let title = match &plan.baseline {
        Some(baseline) => title.plain(" beside ").stable(baseline),
        None => title,
    };
    let title = title.plain(format!(
        ", virtual node {}, policy {}",
        plan.virtual_node, plan.policy
    ));
    let files = match plan.files.is_empty() {
        true => vec![Line::new().faint("the source as it is")],
        false => render::diffstat::lines(&plan.files),
    };
    let files = files
        .into_iter()
        .map(|line| Line::new().plain("  ").then(line));
    std::iter::once(title)
        .chain(files)
        .chain([Line::new()])
        .collect()
}
