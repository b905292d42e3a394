//! The demo's acts, played against a server through its public API.

use std::net::SocketAddr;
use std::time::Duration;

use server::api::types::{NewRelease, PatchText, ReleasePlan, ReleaseStatus, ServiceStatus};

use super::example::{Change, Example, FIRST_COMMIT, FIRST_TAG};
use super::load::{self, Load, Question};
use super::narrator::Narrator;
use super::proof::{Counted, Proof, agree};
use super::scene::Scene;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Follow, News};

const SERVICE: &str = "crystal";
const PATH: &str = "/crystal";

/// How often to look whether something has become true.
const PERIOD: Duration = Duration::from_millis(50);
/// Traffic before the release, so that there is something to compare with.
const WARM_UP: u64 = load::REQUESTS_PER_SECOND as u64;
/// The proxy reports several times a second; this long after the last answer it has said all.
const REPORTING: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Story<'a> {
    pub narrator: Narrator<'a>,
    pub client: Client,
    pub gateway: SocketAddr,
    pub example: &'static Example,
    pub change: &'static Change,
    /// The outcome that this demo is about.
    pub wanted: &'static str,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the server knows no release of {SERVICE}")]
    NoRelease,
    #[error("{release} could not be made: {reason}")]
    NotStarted { release: String, reason: String },
    #[error("the load could not be started")]
    Load(#[source] std::io::Error),
    #[error("the example has no {0}")]
    NoPatch(&'static str),
    #[error("the demo has not gone as it should")]
    NotProved,
    #[error("{0} ended without saying how")]
    NoEnding(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl Story<'_> {
    pub async fn play(mut self) -> Result<Exit, Failure> {
        self.act(1, format!("Build {FIRST_TAG} and start its tasks"))?;
        let host = self.start_first_version().await?;
        self.act(2, "Send traffic through the gateway".to_owned())?;
        let load = self.send_traffic(host).await?;
        self.act(
            3,
            "Look at the change before anything is touched".to_owned(),
        )?;
        self.look_at_change().await?;
        self.act(4, format!("Release {} beside {FIRST_TAG}", self.change.tag))?;
        let (release, counted) = self.release(&load).await?;
        self.act(6, "What this proved".to_owned())?;
        let proof = self.prove(release, counted, load).await?;
        match proof.holds() {
            true => Ok(Exit::Done),
            false => Err(Error::NotProved.into()),
        }
    }

    fn act(&mut self, number: u8, title: String) -> Result<(), Failure> {
        Ok(self.narrator.tell(&Scene::Act { number, title })?)
    }

    /// Follows the first version until its tasks are healthy. Returns the service's host.
    async fn start_first_version(&mut self) -> Result<String, Failure> {
        let service = self.client.service(SERVICE).await?;
        let first = service.release.ok_or(Error::NoRelease)?;
        let mut follow = Follow::new(self.client.clone(), &first);
        let mut shown = 0;
        while let Some(news) = follow.next().await? {
            shown = self.show_build_log(&first.id, shown).await?;
            self.tell(&news, None)?;
        }
        let first = self.client.release(&first.id).await?;
        if let Some(ended) = first.ended.filter(|ended| ended.outcome != "promoted") {
            let reason = ended.reason;
            return Err(Error::NotStarted {
                release: first.id,
                reason,
            }
            .into());
        }
        let service = self.until(|service| service.ready).await?;
        Ok(service.host)
    }

    /// Shows what the build has written after the first `shown` lines.
    async fn show_build_log(&mut self, release: &str, shown: usize) -> Result<usize, Failure> {
        // Until the build has begun there is no log.
        let Ok(log) = self.client.build_log(release).await else {
            return Ok(shown);
        };
        let lines: Vec<&str> = log.lines().collect();
        for line in lines.iter().skip(shown) {
            self.narrator.tell(&Scene::BuildLog { line })?;
        }
        Ok(lines.len())
    }

    async fn send_traffic(&mut self, host: String) -> Result<Load, Failure> {
        let load = Load::start(Question {
            gateway: self.gateway,
            host,
            path: PATH,
            commits: [FIRST_COMMIT, self.change.commit],
        });
        let load = load.map_err(Error::Load)?;
        let mut period = tokio::time::interval(PERIOD);
        while load.seen().requests() < WARM_UP {
            period.tick().await;
        }
        let [text, _] = load.seen().texts;
        self.narrator.tell(&Scene::Serving {
            url: format!("http://{}{PATH}", self.gateway),
            text: &text,
            requests_per_second: load::REQUESTS_PER_SECOND,
        })?;
        Ok(load)
    }

    async fn look_at_change(&mut self) -> Result<(), Failure> {
        let plan = self.ask(true).await?;
        Ok(self.narrator.tell(&Scene::Change {
            patch: self.change.patch,
            plan: &plan,
        })?)
    }

    async fn ask(&self, dry_run: bool) -> Result<ReleasePlan, Failure> {
        let text = self
            .example
            .text(self.change.patch)
            .ok_or(Error::NoPatch(self.change.patch))?;
        let patch = PatchText {
            name: self.change.patch.to_owned(),
            text: text.to_owned(),
        };
        let new = NewRelease {
            tag: Some(self.change.tag.to_owned()),
            patches: vec![patch],
            policy: None,
            dry_run,
        };
        Ok(self.client.request_release(SERVICE, &new).await?)
    }

    /// Follows the release to its end, and keeps what the proxy counted on the way.
    async fn release(&mut self, load: &Load) -> Result<(ReleaseStatus, Counted), Failure> {
        let id = self.ask(false).await?.id.ok_or(Error::NoRelease)?;
        let release = self.client.release(&id).await?;
        let mut counted = Counted::default();
        let mut follow = Follow::new(self.client.clone(), &release);
        while let Some(news) = follow.next().await? {
            match &news {
                News::Standing(standing) => counted.update(&standing.service),
                News::Event(event) if event.event == "decided" => {
                    self.act(5, self.turn(&event.data))?
                }
                // The version that leaves has served all it ever will; soon nobody knows its counts any more.
                News::Event(event) if matches!(event.event.as_str(), "left" | "retired") => {
                    counted.update(&self.client.service(SERVICE).await?);
                }
                News::Event(_) => {}
            }
            self.tell(&news, Some(load))?;
        }
        Ok((self.client.release(&id).await?, counted))
    }

    /// The title of the act after the decision.
    fn turn(&self, decided: &serde_json::Value) -> String {
        let (stays, goes) = match decided.get("ending").and_then(|ending| ending.as_str()) {
            Some("promote") => (self.change.tag, FIRST_TAG),
            _ => (FIRST_TAG, self.change.tag),
        };
        format!("Everything goes to {stays}; {goes} drains and stops")
    }

    fn tell(&mut self, news: &News, load: Option<&Load>) -> Result<(), Failure> {
        let scene = match news {
            News::Event(event) => Scene::Event { event },
            News::Standing(standing) => Scene::Standing {
                release: &standing.release,
                service: &standing.service,
                load: load.map(Load::seen),
            },
        };
        Ok(self.narrator.tell(&scene)?)
    }

    /// Ends the load and compares what it saw with what the proxy counted.
    async fn prove(
        &mut self,
        release: ReleaseStatus,
        mut counted: Counted,
        load: Load,
    ) -> Result<Proof, Failure> {
        let seen = load.finish().await;
        let tags = [FIRST_TAG, self.change.tag].map(str::to_owned);
        let reported = self.until(|service| {
            counted.update(service);
            agree(&tags, &seen, &counted)
        });
        // If they never agree, the proof says so.
        if let Ok(reported) = tokio::time::timeout(REPORTING, reported).await {
            reported?;
        }
        let why = self.client.why(&release.id).await?;
        let proof = Proof {
            ended: release
                .ended
                .ok_or_else(|| Error::NoEnding(release.id.clone()))?,
            release: release.id,
            tags,
            seen,
            counted,
            wanted: self.wanted,
        };
        self.narrator.tell(&Scene::Proof {
            holds: proof.holds(),
            proof: &proof,
            story: &why.story,
            requested_at: &release.requested_at,
        })?;
        Ok(proof)
    }

    /// Looks at the service until it is as wished.
    async fn until(
        &self,
        mut is_so: impl FnMut(&ServiceStatus) -> bool,
    ) -> Result<ServiceStatus, Failure> {
        let mut period = tokio::time::interval(PERIOD);
        loop {
            period.tick().await;
            let service = self.client.service(SERVICE).await?;
            if is_so(&service) {
                return Ok(service);
            }
        }
    }
}
