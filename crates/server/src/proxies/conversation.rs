//! One proxy's stream, from its hello to its end: sends views and receipts, hears answers and reports.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use http_body_util::channel::Sender;
use link::{Code, Decoder, Downward, FrameError, Hello, Intake, Upward, Views};
use model::{Kind, ResourceId};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{oneshot, watch};

use super::secrets::Secrets;
use super::{Proxies, Sight};
use crate::actuator::chain;
use crate::ambient;
use crate::configuration::Allowed;
use crate::traffic::{Origin, Receipt};

/// How long the first message may take.
const HELLO: Duration = Duration::from_secs(10);

/// A proxy shows that it lives more often than this, and reads what it is told.
const SILENCE: Duration = Duration::from_secs(45);

pub(crate) struct Conversation {
    pub(crate) proxies: Arc<Proxies>,
    /// Which nodes its token is for.
    pub(crate) allowed: Allowed,
    pub(crate) from: Body,
    pub(crate) to: Sender<Bytes>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Why a stream ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the proxy ends")]
    Goodbye,
    #[error("the proxy is gone")]
    Gone,
    #[error("the server stops")]
    Stopping,
    #[error("another stream of this proxy took this one's place")]
    Replaced,
    #[error("the proxy fell silent")]
    Silent,
    #[error("the proxy does not begin with a hello")]
    Mute,
    #[error("{0:?} is neither a virtual node nor a virtual gateway of a mesh")]
    NoNode(String),
    #[error("the token is not for {0}: each node's proxies have their own")]
    Forbidden(String),
    #[error(transparent)]
    NoView(#[from] view::compile::Error),
    #[error("the proxy says what this version does not understand")]
    Foreign(#[from] FrameError),
    #[error("a report holds counts that cannot be")]
    Implausible,
}

impl End {
    fn code(&self) -> Code {
        match self {
            Self::Goodbye | Self::Gone => Code::Ok,
            Self::Stopping | Self::Silent => Code::Unavailable,
            Self::Replaced => Code::Aborted,
            Self::Forbidden(_) => Code::PermissionDenied,
            Self::NoView(view::compile::Error::Missing(_)) => Code::NotFound,
            Self::Mute
            | Self::NoNode(_)
            | Self::NoView(_)
            | Self::Foreign(_)
            | Self::Implausible => Code::InvalidArgument,
        }
    }
}

impl Conversation {
    pub(crate) async fn run(mut self) {
        let end = self.hold().await;
        tracing::debug!(%end, "a proxy's stream ends");
        let trailers = trailers(end.code(), &chain(&end));
        // Whoever is gone already is told nothing.
        let told = self.to.send_trailers(trailers);
        tokio::time::timeout(SILENCE, told).await.ok();
    }

    async fn hold(&mut self) -> End {
        let mut ear = Ear::default();
        let first = tokio::time::timeout(HELLO, ear.hear(&mut self.from)).await;
        let hello = match first {
            Ok(Ok(Upward::Hello(hello))) => hello,
            Ok(Ok(_)) | Err(_) => return End::Mute,
            Ok(Err(end)) => return end,
        };
        let node = match node_of(&hello) {
            Ok(node) => node,
            Err(end) => return end,
        };
        if !self.allowed.includes(&hello.node) {
            tracing::warn!(node = hello.node, "a proxy holds another node's token");
            return End::Forbidden(hello.node);
        }
        let (intake, mut replaced) = self.proxies.enter(&hello, node.clone(), ambient::now());
        tracing::info!(
            node = hello.node,
            instance = hello.instance,
            version = hello.version,
            "a proxy is connected"
        );
        let mut stream = Stream {
            sight: self.proxies.sight.clone(),
            secrets: Secrets::new(Arc::clone(&self.proxies.authorities), node.clone()),
            node,
            views: Views::default(),
            splits: BTreeSet::new(),
            receipts: intake.subscribe(),
            taken: 0,
            intake,
            hello,
        };
        let end = self.converse(&mut stream, ear, &mut replaced).await;
        let instance = &stream.hello.instance;
        match end {
            // What is known of the proxy belongs to its new stream.
            _ if replaced.is_terminated() || replaced.try_recv() == Err(TryRecvError::Closed) => {}
            Ok(End::Goodbye) => self.proxies.forget(instance),
            _ => self
                .proxies
                .update(instance, |remote| remote.connected = false),
        }
        let end = end.unwrap_or_else(|end| end);
        tracing::info!(node = stream.hello.node, instance, %end, "a proxy is disconnected");
        end
    }

    async fn converse(
        &mut self,
        stream: &mut Stream,
        mut ear: Ear,
        replaced: &mut oneshot::Receiver<()>,
    ) -> Result<End, End> {
        let mut stopping = self.stopping.clone();
        stream.look()?;
        loop {
            while let Some(message) = stream.next() {
                self.say(&message).await?;
            }
            tokio::select! {
                heard = tokio::time::timeout(SILENCE, ear.hear(&mut self.from)) => {
                    let message = heard.map_err(|_| End::Silent)??;
                    if matches!(message, Upward::Goodbye) {
                        return Ok(End::Goodbye);
                    }
                    self.take(stream, message)?;
                }
                changed = stream.sight.changed() => match changed {
                    true => stream.look()?,
                    false => return Ok(End::Stopping),
                },
                // The sender lives in this very stream.
                _ = stream.receipts.changed() => {}
                _ = &mut *replaced => return Ok(End::Replaced),
                _ = stopping.wait_for(|stop| *stop) => return Ok(End::Stopping),
            }
            let carried = stream.views.carried();
            self.proxies.update(&stream.hello.instance, |remote| {
                remote.carried = remote.carried.max(carried);
            });
        }
    }

    fn take(&self, stream: &mut Stream, message: Upward) -> Result<(), End> {
        let instance = &stream.hello.instance;
        let now = ambient::now();
        self.proxies
            .update(instance, |remote| remote.last_seen = now);
        match message {
            Upward::Applied { revision } => {
                stream.views.applied(revision);
                self.proxies
                    .update(instance, |remote| remote.refused = None);
            }
            Upward::Refused { revision, reason } => {
                tracing::warn!(
                    node = stream.hello.node,
                    instance,
                    revision,
                    reason,
                    "a proxy keeps its last view"
                );
                stream.views.refused(revision);
                self.proxies
                    .update(instance, |remote| remote.refused = Some((revision, reason)));
            }
            Upward::Report(mut report) => {
                if !report.is_plausible() {
                    return Err(End::Implausible);
                }
                let number = report.number;
                if stream
                    .intake
                    .send_if_modified(|intake| intake.receive(number))
                {
                    let receipt = Receipt {
                        number,
                        intake: Arc::clone(&stream.intake),
                    };
                    let origin = Origin {
                        instance: instance.clone(),
                        receipt: Arc::new(receipt),
                    };
                    report
                        .cells
                        .retain(|cell| stream.splits.contains(&cell.split));
                    self.proxies.traffic.receive(report.cells, origin, now);
                }
            }
            Upward::Condition(condition) => {
                self.proxies
                    .update(instance, |remote| remote.condition = condition);
                stream.secrets.look_at_trust();
            }
            Upward::Sign(request) => stream.secrets.sign(request),
            Upward::Hello(_) | Upward::Goodbye => {}
        }
        Ok(())
    }

    async fn say(&mut self, message: &Downward) -> Result<(), End> {
        let frame = link::encode(message)?;
        let said = tokio::time::timeout(SILENCE, self.to.send_data(frame)).await;
        said.map_err(|_| End::Silent)?.map_err(|_| End::Gone)
    }
}

struct Stream {
    hello: Hello,
    node: ResourceId,
    sight: Sight,
    secrets: Secrets,
    views: Views,
    /// Of every view it had: what it can have counted.
    splits: BTreeSet<String>,
    intake: Arc<watch::Sender<Intake>>,
    receipts: watch::Receiver<Intake>,
    /// The last receipt that was sent.
    taken: u64,
}

impl Stream {
    /// Compiles what the node sees now.
    fn look(&mut self) -> Result<(), End> {
        let view = self.sight.view(&self.node, &self.hello.binding)?;
        let routes = view.services.iter().flat_map(|service| &service.routes);
        self.splits
            .extend(routes.map(|route| route.split.id.clone()));
        self.secrets.are_of(&view, self.sight.names(&self.node));
        self.views.offer(Arc::new(view));
        Ok(())
    }

    /// What to say now, if anything.
    fn next(&mut self) -> Option<Downward> {
        if let Some(answer) = self.secrets.next() {
            return Some(answer);
        }
        if let Some(change) = self.views.due() {
            return Some(Downward::View(Box::new(change)));
        }
        let through = self.receipts.borrow_and_update().taken();
        (through > self.taken).then(|| {
            self.taken = through;
            Downward::Taken { through }
        })
    }
}

/// Messages out of a request's body.
#[derive(Default)]
struct Ear {
    decoder: Decoder,
}

impl Ear {
    /// The next message. Nothing is lost where the wait for it is given up.
    async fn hear(&mut self, from: &mut Body) -> Result<Upward, End> {
        loop {
            if let Some(message) = self.decoder.take()? {
                return Ok(message);
            }
            let frame = match from.frame().await {
                Some(Ok(frame)) => frame,
                Some(Err(_)) | None => return Err(End::Gone),
            };
            if let Some(bytes) = frame.data_ref() {
                self.decoder.push(bytes);
            }
        }
    }
}

fn node_of(hello: &Hello) -> Result<ResourceId, End> {
    let node = hello.node.parse::<ResourceId>().ok();
    node.filter(|node| matches!(node.kind(), Kind::VirtualNode | Kind::VirtualGateway))
        .ok_or_else(|| End::NoNode(hello.node.clone()))
}

/// A stream's end as gRPC tells it.
pub(crate) fn trailers(code: Code, reason: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.number().into());
    // Names of a mesh are plain; whatever is not is left out.
    let plain: String = reason
        .chars()
        .filter(|c| matches!(c, ' '..='~') && *c != '%')
        .collect();
    if let Ok(reason) = plain.parse() {
        trailers.insert("grpc-message", reason);
    }
    trailers
}
