//! Following a release: its events as they happen, and now and then how it stands, until it has ended.
//!
//! A server that is started again meanwhile is found again, and no event is shown twice or missed.

use std::time::Duration;

use server::api::types::{EventLine, ReleaseStatus, ServiceStatus};
use tokio::time::{Interval, MissedTickBehavior};

use crate::client::{self, Client, Lines};
use crate::clock;
use crate::render::progress::Progress;

/// How often the standing is asked for.
const PERIOD: Duration = Duration::from_millis(200);
/// A server that is away this long will not come back.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is new.
#[derive(Debug)]
pub enum News {
    Event(EventLine),
    Standing(Box<Standing>),
}

/// How a release and its service stand.
#[derive(Clone, Debug)]
pub struct Standing {
    pub release: ReleaseStatus,
    pub service: ServiceStatus,
}

impl Standing {
    pub fn progress(&self) -> Progress<'_> {
        Progress::at(clock::today(), &self.release, &self.service)
    }
}

#[derive(Debug)]
pub struct Follow {
    client: Client,
    release: String,
    service: String,
    events: Option<Lines>,
    /// The last event that was handed out.
    after: u64,
    ended: bool,
    period: Interval,
    failures: u32,
}

impl Follow {
    pub fn new(client: Client, release: &ReleaseStatus) -> Self {
        let mut period = tokio::time::interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client,
            release: release.id.clone(),
            service: release.service.clone(),
            events: None,
            after: 0,
            ended: false,
            period,
            failures: 0,
        }
    }

    /// Waits for news; none after the release's end. May be dropped and asked again.
    pub async fn next(&mut self) -> Result<Option<News>, client::Error> {
        loop {
            match self.try_next().await {
                Ok(news) => {
                    self.failures = 0;
                    return Ok(news);
                }
                Err(error) if is_final(&error) || self.has_no_patience() => return Err(error),
                Err(_) => {
                    self.failures += 1;
                    self.events = None;
                    self.period.tick().await;
                    self.client.find_again();
                }
            }
        }
    }

    async fn try_next(&mut self) -> Result<Option<News>, client::Error> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let events = match &mut self.events {
                Some(events) => events,
                events => events.insert(self.client.events(&self.release, self.after).await?),
            };
            tokio::select! {
                biased;
                line = events.next() => match line? {
                    Some(line) => return self.event(&line).map(Some),
                    None => self.events = None,
                },
                _ = self.period.tick() => return self.standing().await.map(Some),
            }
        }
    }

    fn event(&mut self, line: &str) -> Result<News, client::Error> {
        let event: EventLine =
            serde_json::from_str(line).map_err(|source| client::Error::Foreign {
                url: self.client.url().to_owned(),
                source,
            })?;
        self.after = event.sequence;
        self.ended = event.event == "ended";
        Ok(News::Event(event))
    }

    /// How it stands right now.
    pub async fn standing(&self) -> Result<News, client::Error> {
        let mut service = self.client.service(&self.service).await?;
        let release = match service
            .release
            .take_if(|release| release.id == self.release)
        {
            Some(release) => release,
            None => self.client.release(&self.release).await?,
        };
        Ok(News::Standing(Box::new(Standing { release, service })))
    }

    fn has_no_patience(&self) -> bool {
        PERIOD * self.failures > PATIENCE
    }
}

/// Asking again would be answered the same.
fn is_final(error: &client::Error) -> bool {
    !matches!(
        error,
        client::Error::Connect { .. } | client::Error::Exchange { .. }
    )
}
