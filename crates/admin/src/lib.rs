//! The admin port of a data plane: what it runs, what it counts, and the few things that may be told to it.
//!
//! Paths are Envoy's where the thing is the same, for the scripts that App Mesh's users have. Looking changes
//! nothing; whatever changes something is a POST. The port is for this machine: without a token, so a
//! request by another name than a loopback one, or from a web page, is refused.

mod clusters;
mod door;
mod statistics;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use proxy::DataPlane;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

/// Administrators at once.
const CONNECTIONS: usize = 16;

/// How long a request's head may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(30);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Answer = Response<Full<Bytes>>;

/// What is administered.
pub struct Subject {
    pub plane: Arc<DataPlane>,
    pub version: String,
    pub log_level: Box<dyn LogLevel>,
    /// How long requests under way may take when the listeners are drained.
    pub drain: Duration,
    /// Told when the process is to end.
    pub quit: Arc<Notify>,
}

/// How much the process logs.
pub trait LogLevel: Send + Sync {
    fn get(&self) -> String;
    /// The reason, where it is not understood.
    fn set(&self, level: &str) -> Result<(), String>;
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// A listening admin port; dropping it closes it.
#[derive(Debug)]
pub struct Admin {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Admin {
    /// Whoever follows another process has the `patience` to wait until that one lets go of the address.
    pub async fn start(
        address: SocketAddr,
        subject: Subject,
        patience: Duration,
    ) -> io::Result<Self> {
        let listener = bind(address, patience).await?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk {
            subject,
            is_local: address.ip().is_loopback(),
        });
        Ok(Self {
            address,
            serving: tokio::spawn(serve(listener, desk)),
        })
    }
}

async fn bind(address: SocketAddr, mut patience: Duration) -> io::Result<TcpListener> {
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && !patience.is_zero() => {}
            bound => return bound,
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
        patience = patience.saturating_sub(ACCEPT_PAUSE);
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let slot = Arc::clone(&slots).acquire_owned().await.ok();
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, std::convert::Infallible>(desk.answer(request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the admin port broke off");
            }
            drop(slot);
        });
    }
}

struct Desk {
    subject: Subject,
    is_local: bool,
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if self.is_local
            && let Err(reason) = door::check_is_no_page(&request)
        {
            return text(StatusCode::FORBIDDEN, reason);
        }
        let query = request.uri().query().unwrap_or_default();
        let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_change = request.method() == Method::POST;
        match request.uri().path() {
            "/" | "/help" if is_look => text(StatusCode::OK, HELP),
            "/ready" if is_look => self.ready().await,
            "/server_info" | "/version" if is_look => self.server_info().await,
            "/stats" | "/stats/prometheus" | "/metrics" if is_look => self.statistics().await,
            "/clusters" if is_look => self.clusters(query).await,
            "/config_dump" if is_look => self.config_dump().await,
            "/certs" if is_look => self.certificates().await,
            "/listeners" if is_look => self.listeners().await,
            "/logging" | "/log-level" if is_look => {
                text(StatusCode::OK, self.subject.log_level.get() + "\n")
            }
            "/logging" | "/log-level" if is_change => self.set_level(query),
            "/drain_listeners" | "/drain" if is_change => self.drain(),
            "/quitquitquit" if is_change => {
                self.subject.quit.notify_one();
                text(StatusCode::OK, "OK\n")
            }
            path if is_known(path) => {
                let mut answer = text(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "changes are made by POST, and looks by GET\n",
                );
                let allowed = HeaderValue::from_static(allowed(path));
                answer.headers_mut().insert(ALLOW, allowed);
                answer
            }
            _ => text(StatusCode::NOT_FOUND, HELP),
        }
    }

    /// Ready is who carries a view and lets requests in.
    async fn ready(&self) -> Answer {
        let plane = &self.subject.plane;
        if plane.is_closing().await {
            return text(StatusCode::SERVICE_UNAVAILABLE, "DRAINING\n");
        }
        match plane.views().await.is_empty() {
            true => text(StatusCode::SERVICE_UNAVAILABLE, "INITIALIZING\n"),
            false => text(StatusCode::OK, "LIVE\n"),
        }
    }

    async fn server_info(&self) -> Answer {
        let plane = &self.subject.plane;
        let views = plane.views().await;
        let nodes: Vec<_> = views
            .iter()
            .map(|view| serde_json::json!({ "node": view.node, "revision": view.revision }))
            .collect();
        let state = match (plane.is_closing().await, nodes.is_empty()) {
            (true, _) => "DRAINING",
            (false, true) => "INITIALIZING",
            (false, false) => "LIVE",
        };
        json(&serde_json::json!({
            "version": self.subject.version,
            "state": state,
            "nodes": nodes,
            "workers": plane.statistics().await.workers.len(),
        }))
    }

    async fn statistics(&self) -> Answer {
        let plane = &self.subject.plane;
        let text = statistics::text(
            &plane.statistics().await,
            &plane.endpoint_health().await,
            &plane.views().await,
        );
        typed(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            text,
        )
    }

    async fn clusters(&self, query: &str) -> Answer {
        let endpoints = self.subject.plane.endpoint_health().await;
        match parameter(query, "format") {
            Some("json") => json(&clusters::json(&endpoints)),
            _ => text(StatusCode::OK, clusters::text(&endpoints)),
        }
    }

    /// The views as they run; they name certificates' files, and hold no secret.
    async fn config_dump(&self) -> Answer {
        let plane = &self.subject.plane;
        let refusals: Vec<_> = plane
            .refusals()
            .await
            .into_iter()
            .map(|refusal| {
                serde_json::json!({
                    "node": refusal.node,
                    "resource": refusal.resource,
                    "reason": refusal.reason,
                })
            })
            .collect();
        let views = plane.views().await;
        json(&serde_json::json!({ "views": views, "refusals": refusals }))
    }

    async fn certificates(&self) -> Answer {
        let known = self.subject.plane.certificates().await;
        let certificates: Vec<_> = known
            .iter()
            .map(|certificate| {
                serde_json::json!({
                    "node": certificate.node,
                    "resource": certificate.resource,
                    "source": certificate.source,
                    "notAfter": certificate.first_end(),
                    "error": certificate.error,
                })
            })
            .collect();
        json(&serde_json::json!({ "certificates": certificates }))
    }

    async fn listeners(&self) -> Answer {
        let bound = self.subject.plane.listeners().await;
        let lines = bound
            .iter()
            .map(|bound| format!("{}::{}\n", bound.name, bound.address));
        text(StatusCode::OK, lines.collect::<String>())
    }

    fn set_level(&self, query: &str) -> Answer {
        let Some(level) = parameter(query, "level") else {
            return text(
                StatusCode::BAD_REQUEST,
                "say which: POST /logging?level=debug, or level=proxy=trace,info\n",
            );
        };
        match self.subject.log_level.set(level) {
            Ok(()) => text(StatusCode::OK, format!("{level}\n")),
            Err(reason) => text(StatusCode::BAD_REQUEST, format!("{reason}\n")),
        }
    }

    /// Answers at once: a script that waits asks `/ready`.
    fn drain(&self) -> Answer {
        let (plane, drain) = (Arc::clone(&self.subject.plane), self.subject.drain);
        tokio::spawn(async move { plane.drain(drain).await });
        text(StatusCode::OK, "OK\n")
    }
}

const HELP: &str = "\
GET  /ready              200 when requests are let in, else 503
GET  /server_info        version, state, nodes, workers
GET  /stats/prometheus   counters and gauges
GET  /clusters           endpoints with their health (?format=json)
GET  /certs              certificates in force, and when they end
GET  /listeners          what listens where
GET  /config_dump        the views as they run, and what of them is refused
GET  /logging            how much is logged
POST /logging?level=L    log this much from now on
POST /drain_listeners    let nobody in, and requests under way end
POST /quitquitquit       end the process, as SIGTERM does
";

fn is_known(path: &str) -> bool {
    matches!(
        path,
        "/metrics" | "/stats" | "/version" | "/drain" | "/log-level"
    ) || HELP
        .split_whitespace()
        .any(|word| word.split('?').next() == Some(path))
}

fn allowed(path: &str) -> &'static str {
    match path {
        "/logging" | "/log-level" => "GET, HEAD, POST",
        "/drain_listeners" | "/drain" | "/quitquitquit" => "POST",
        _ => "GET, HEAD",
    }
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    typed(status, "text/plain; charset=utf-8", body)
}

fn json(value: &serde_json::Value) -> Answer {
    typed(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn only_the_patient_wait_for_an_address_that_is_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let at_once = pin!(bind(address, Duration::ZERO)).poll(&mut context);
        assert!(
            matches!(&at_once, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::AddrInUse),
            "{at_once:?}"
        );
        let patient = pin!(bind(address, Duration::from_secs(5))).poll(&mut context);
        assert!(patient.is_pending(), "{patient:?}");
    }
}
