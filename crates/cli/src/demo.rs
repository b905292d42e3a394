//! `serin demo`: an example released as a canary, from source to 100 %, on this machine.
//!
//! The example comes out of this binary; server, proxy and tasks run in and below this process and are gone
//! when it ends, however it ends. The server is spoken to as any client would.

mod example;
mod load;
mod narrator;
mod proof;
mod scene;
mod stage;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use server::Configuration;

use crate::args::{Demo, Global};
use crate::commands::{find_program, version_of_program};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::server_process::{ServerProcess, Setup};
use crate::terminal::Terminal;
use example::{Example, GET_CRYSTAL};
use narrator::Narrator;
use scene::Scene;
use stage::Stage;
use story::Story;

pub async fn run(args: &Demo, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let example = example::choose(args, |program| version_of_program(program).is_ok())
        .map_err(|error| Failure::new(Exit::CheckFailed, error.to_string()).hint(error.hint()))?;
    let stage = Stage::set(example, &global.state.join("demo")).await?;
    let server = ServerProcess::start(Setup {
        manifest: Some(stage.manifest()?),
        configuration: Configuration {
            api: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ..Configuration::default()
        },
        state: &stage.state,
        // No demo goes on where another was killed.
        grace: Duration::ZERO,
    });
    let server = server.await?;
    let outcome = tokio::select! {
        outcome = play(args, &stage, &server, terminal) => outcome,
        () = interrupt.received() => Ok(Exit::Interrupted),
    };
    // Whatever becomes of the output, everything is stopped.
    drop(terminal.clear());
    if let Ok(Exit::Interrupted) = outcome {
        terminal.note(Line::new().plain("interrupted: everything is being stopped"));
    }
    server.shutdown().await;
    match &outcome {
        Ok(Exit::Interrupted) => {
            terminal.note(Line::new().plain("stopped; nothing is left running"))
        }
        Ok(_) => Narrator::new(terminal).tell(&Scene::Encore {
            commands: &encore(&stage),
            log: stage.state.join("server.log").display().to_string(),
        })?,
        Err(_) => {}
    }
    outcome
}

async fn play(
    args: &Demo,
    stage: &Stage,
    server: &ServerProcess,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let Some(gateway) = server.gateway() else {
        return Err(Failure::new(
            Exit::Failed,
            "the demo's server has no gateway",
        ));
    };
    let mut narrator = Narrator::new(terminal);
    narrator.tell(&Scene::Setting {
        example: stage.example.name,
        choice: &choice(args, stage.example),
        directory: stage.source.display().to_string(),
        state: stage.state.display().to_string(),
    })?;
    let story = Story {
        narrator,
        client: server.client()?,
        gateway,
        example: stage.example,
        change: if args.bad {
            &example::BAD
        } else {
            &example::GOOD
        },
        wanted: if args.bad { "rolledBack" } else { "promoted" },
    };
    story.play().await
}

fn choice(args: &Demo, example: &Example) -> String {
    match example.name {
        "crystal" if args.crystal => "in Crystal, as asked for".to_owned(),
        "crystal" => {
            "in Crystal, as its compiler is found; `--rust` takes its twin in Rust".to_owned()
        }
        _ if args.rust => "the twin in Rust, as asked for".to_owned(),
        _ => format!("the twin in Rust, as no Crystal compiler is found ({GET_CRYSTAL})"),
    }
}

/// How people go on by themselves.
fn encore(stage: &Stage) -> Vec<String> {
    let mut commands = Vec::new();
    if find_program("serin").is_none()
        && let Ok(program) = std::env::current_exe()
    {
        commands.push(format!("alias serin={}", program.display()));
    }
    let release = |change: &example::Change| {
        format!(
            "serin release crystal --tag {} --patch {}",
            change.tag, change.patch
        )
    };
    commands.extend([
        format!("cd {}", stage.source.display()),
        "serin up  # until Ctrl-C; the rest in another terminal".to_owned(),
        "curl http://127.0.0.1:8080/crystal".to_owned(),
        release(&example::GOOD),
        release(&example::BAD),
        "serin why crystal".to_owned(),
    ]);
    commands
}
