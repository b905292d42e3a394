//! Keeps the data plane in step with the server, for as long as the process lives.
//!
//! While the server is away the proxy serves on with the view it has, counts on, and calls again. What was
//! counted is reported once the server is back: each report until the server has it for good.

use std::sync::Arc;
use std::time::Duration;

use link::{Downward, Follower, Hello, Outbox, Report, Upward};
use proxy::DataPlane;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use view::observe::Cell;
use view::{NodeView, Secrets};

use crate::backoff::Backoff;
use crate::call::{Broken, Call, Mouth};
use crate::clock;
use crate::condition;
use crate::identities::Identities;
use crate::last_view::LastView;
use crate::server::Server;

/// How often counts are reported.
const REPORT: Duration = Duration::from_millis(200);

/// How often the proxy's condition is looked at, and a refused view tried again.
const LOOK: Duration = Duration::from_secs(1);

/// How often the condition is told though it has not changed: a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// What the process tells the one who follows.
#[derive(Debug)]
pub(crate) enum Order {
    /// The data plane drains: its views are its last ones.
    Drain,
    /// Nothing will be counted any more but this: say so and end.
    Finish(Vec<Cell>),
}

/// What others may know.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub connected: bool,
    /// The view that is applied.
    pub view: Option<Arc<NodeView>>,
    /// Why the last stream ended, where there is none.
    pub trouble: Option<String>,
}

pub(crate) struct FollowServer {
    pub(crate) plane: Arc<DataPlane>,
    pub(crate) server: Server,
    pub(crate) hello: Hello,
    pub(crate) disk: LastView,
    pub(crate) identities: Identities,
    pub(crate) outbox: Outbox,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) standing: watch::Sender<Standing>,
    pub(crate) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Serving,
    Draining,
    /// Only the last reports are left to deliver.
    Finishing,
}

/// One stream's state.
struct Stream {
    mouth: Mouth,
    follower: Follower,
    /// The newest view, while the data plane refuses it.
    refused: Option<Arc<NodeView>>,
    /// The newest view, while identities that it names are on their way.
    waiting: Option<Arc<NodeView>>,
    /// The view that is acted upon, until the server is told.
    applied: Option<u64>,
    condition: Option<link::Condition>,
    told: Instant,
}

impl FollowServer {
    /// Returns when everything was delivered after [`Order::Finish`].
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let Err(broken) = self.converse(&mut backoff).await else {
                return;
            };
            let why = words(&broken);
            if self.standing.borrow().trouble.as_ref() != Some(&why) {
                let server = &self.server.url;
                match self.revision() {
                    Some(revision) => {
                        tracing::warn!(%server, why, revision, "no stream to the server: serving on with the view that is here");
                    }
                    None => {
                        tracing::warn!(%server, why, "no stream to the server, and no view yet: serving nothing until it answers");
                    }
                }
            }
            self.standing.send_modify(|standing| {
                standing.connected = false;
                standing.trouble = Some(why);
            });
            let until = Instant::now() + backoff.next(fastrand::f64());
            while let Ok(Some(order)) = tokio::time::timeout_at(until, self.orders.recv()).await {
                self.obey(order);
                if self.is_done() {
                    return;
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        self.stage == Stage::Finishing && self.outbox.is_empty()
    }

    fn obey(&mut self, order: Order) -> Option<Report> {
        match order {
            Order::Drain => {
                self.stage = Stage::Draining;
                None
            }
            Order::Finish(cells) => {
                self.stage = Stage::Finishing;
                self.outbox.put(cells).cloned()
            }
        }
    }

    /// One stream, from its hello to its end, which is an error unless everything is done.
    async fn converse(&mut self, backoff: &mut Backoff) -> Result<(), Broken> {
        self.hello.holds = self.revision();
        let hello = Upward::Hello(self.hello.clone());
        let Call { mouth, mut ear } = Call::begin(&self.server, &hello).await?;
        let mut stream = Stream {
            mouth,
            follower: Follower::default(),
            refused: None,
            waiting: None,
            applied: None,
            condition: None,
            told: Instant::now(),
        };
        tracing::info!(server = %self.server.url, node = self.hello.node, "connected to the server");
        self.standing.send_modify(|standing| {
            standing.connected = true;
            standing.trouble = None;
        });
        self.identities.begin_stream();
        for report in self.outbox.untaken() {
            stream.mouth.say(&Upward::Report(report.clone())).await?;
        }
        let (mut report, mut look) = (interval(REPORT), interval(LOOK));
        for period in [&mut report, &mut look] {
            period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        while !self.is_done() {
            tokio::select! {
                heard = ear.hear() => {
                    let message = heard?;
                    backoff.reset();
                    self.take(&mut stream, message).await?;
                }
                _ = report.tick() => self.report(&mut stream).await?,
                _ = look.tick() => self.look(&mut stream).await?,
                Some(order) = self.orders.recv() => {
                    if let Some(last) = self.obey(order) {
                        stream.mouth.say(&Upward::Report(last)).await?;
                    }
                }
            }
        }
        stream.mouth.say(&Upward::Goodbye).await?;
        // The server ends the stream when it has read that.
        let ended = async { while ear.hear().await.is_ok() {} };
        tokio::time::timeout(LOOK, ended).await.ok();
        Ok(())
    }

    async fn take(&mut self, stream: &mut Stream, message: Downward) -> Result<(), Broken> {
        match message {
            Downward::Taken { through } => self.outbox.taken(through),
            Downward::View(change) => {
                let view = stream.follower.hear(*change)?;
                self.identities.want(Secrets::of(&view));
                self.ask_for_identities(stream).await?;
                stream.waiting = Some(view);
            }
            Downward::Signed(signed) => self.identities.signed(signed, clock::since_epoch()),
            Downward::NotSigned { secret, reason } => {
                self.identities
                    .refused(secret, &reason, clock::since_epoch())
            }
            Downward::Trust { bundle } => self.identities.believe(bundle),
        }
        // Its listeners would have nothing to show until then.
        if self.identities.are_settled()
            && let Some(view) = stream.waiting.take()
        {
            self.apply(stream, view).await?;
        }
        Ok(())
    }

    async fn ask_for_identities(&mut self, stream: &mut Stream) -> Result<(), Broken> {
        for request in self.identities.due(clock::since_epoch()) {
            stream.mouth.say(&Upward::Sign(request)).await?;
        }
        Ok(())
    }

    /// Applies a view. All that was counted under the one before is reported before the server hears of the new one,
    /// which then has no draw of the old one to wait for.
    async fn apply(&mut self, stream: &mut Stream, view: Arc<NodeView>) -> Result<(), Broken> {
        let revision = view.revision;
        if self.stage != Stage::Serving {
            return self.pass(stream, revision).await;
        }
        match self.plane.apply(Arc::clone(&view)).await {
            Ok(bound) => {
                tracing::info!(revision, listeners = ?bound.iter().map(|bound| bound.address).collect::<Vec<_>>(), "a view is applied");
                stream.refused = None;
                stream.applied = Some(revision);
                self.report(stream).await?;
                if let Err(error) = self.disk.save(&view) {
                    tracing::error!(%error, "could not keep the view on disk: without the server, the next start has an older one or none");
                }
                self.standing
                    .send_modify(|standing| standing.view = Some(view));
            }
            // An operator drains it.
            Err(_) if self.plane.is_closing().await => self.pass(stream, revision).await?,
            Err(error) => {
                let reason = words(&error);
                let is_news = stream
                    .refused
                    .as_ref()
                    .is_none_or(|last| last.revision != revision);
                stream.refused = Some(view);
                stream.applied = None;
                if is_news {
                    tracing::error!(
                        revision,
                        reason,
                        "a view is refused: the one before stays, trying again"
                    );
                    stream
                        .mouth
                        .say(&Upward::Refused { revision, reason })
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// A data plane that lets nobody in acts on every view there will be: what it drew before counts under
    /// its own weights. No release need wait for its end.
    async fn pass(&mut self, stream: &mut Stream, revision: u64) -> Result<(), Broken> {
        stream.refused = None;
        stream.applied = Some(revision);
        self.report(stream).await
    }

    async fn report(&mut self, stream: &mut Stream) -> Result<(), Broken> {
        if !self.outbox.has_room() {
            return Ok(());
        }
        let observations = self.plane.observe().await;
        let cells = observations.into_iter().flat_map(|counted| counted.cells);
        if let Some(report) = self.outbox.put(cells.collect()) {
            stream.mouth.say(&Upward::Report(report.clone())).await?;
        }
        // Not before: where there was no room, this was counted under the views before it.
        match stream.applied.take() {
            Some(revision) => stream.mouth.say(&Upward::Applied { revision }).await,
            None => Ok(()),
        }
    }

    async fn look(&mut self, stream: &mut Stream) -> Result<(), Broken> {
        if let Some(view) = stream.refused.clone() {
            self.apply(stream, view).await?;
        }
        self.ask_for_identities(stream).await?;
        let condition = condition::of(&self.plane).await;
        let is_news = stream.condition.as_ref() != Some(&condition);
        if is_news || stream.told.elapsed() >= SIGN_OF_LIFE {
            stream.told = Instant::now();
            stream.condition = Some(condition.clone());
            stream.mouth.say(&Upward::Condition(condition)).await?;
        }
        Ok(())
    }

    fn revision(&self) -> Option<u64> {
        let standing = self.standing.borrow();
        standing.view.as_ref().map(|view| view.revision)
    }
}

/// An error with its causes, in one line.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}
