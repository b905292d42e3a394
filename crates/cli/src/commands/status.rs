//! `serin status`: the mesh or one service, once or watched.

use std::time::Duration;

use serde::Serialize;

use crate::args::{Global, Status};
use crate::client::{self, Client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::terminal::Terminal;
use crate::{clock, render};

/// Between two looks: short where the picture is painted in place, longer where it scrolls.
const LIVE_PERIOD: Duration = Duration::from_millis(500);
const PLAIN_PERIOD: Duration = Duration::from_secs(2);

pub async fn run(args: &Status, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let client = super::client(global)?;
    if !args.watch {
        let seen = Seen::of(&client, args.service.as_deref()).await?;
        seen.show(terminal)?;
        return Ok(Exit::Done);
    }
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        watched = watch(&client, args.service.as_deref(), terminal) => watched,
        () = interrupt.received() => Ok(Exit::Interrupted),
    }
}

async fn watch(
    client: &Client,
    service: Option<&str>,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut period = tokio::time::interval(match terminal.is_live() {
        true => LIVE_PERIOD,
        false => PLAIN_PERIOD,
    });
    loop {
        period.tick().await;
        let seen = Seen::of(client, service).await?;
        match terminal.is_live() {
            true => terminal.paint(seen.lines())?,
            false => seen.show(terminal)?,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Seen {
    Mesh(server::api::types::Status),
    Service(Box<server::api::types::ServiceStatus>),
}

impl Seen {
    async fn of(client: &Client, service: Option<&str>) -> Result<Self, client::Error> {
        match service {
            Some(service) => client
                .service(service)
                .await
                .map(Box::new)
                .map(Self::Service),
            None => client.status().await.map(Self::Mesh),
        }
    }

    fn lines(&self) -> Vec<Line> {
        match self {
            Self::Mesh(status) => render::status::mesh(status, clock::today()),
            Self::Service(service) => render::status::service(service, clock::today()),
        }
    }

    fn show(&self, terminal: &mut Terminal) -> Result<(), Failure> {
        match terminal.is_json() {
            true => terminal.json(self)?,
            false => terminal.say_all(self.lines())?,
        }
        Ok(())
    }
}
