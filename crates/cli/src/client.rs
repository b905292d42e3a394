//! The release API's client: the only way this crate's commands reach a server.
//!
//! A connection a call; the server is on this machine or near, and commands are short.

mod address;
mod explain;
mod lines;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::api::export::Export;
use server::api::import::{ImportPlan, NewImport, Owner};
use server::api::types::{
    NewOrder, NewRelease, OrderTaken, Problem, ReleasePlan, ReleaseStatus, Replay, ServiceStatus,
    Status, Why,
};
use tokio::net::TcpStream;

use address::Address;
pub use address::AddressError;
pub use lines::Lines;

/// A server that does not even take a connection for so long is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// From a request to the head of its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    /// What led to the address: `--server`, and the state of a server that runs here.
    server: Option<String>,
    state: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no server answers at {url}")]
    Connect {
        url: String,
        /// By `--server` or its variable, not by the record of a server that runs here.
        is_told: bool,
        #[source]
        source: std::io::Error,
    },
    #[error("the server at {url} broke off")]
    Exchange {
        url: String,
        #[source]
        source: hyper::Error,
    },
    #[error("the server at {url} has not answered for {} s", ANSWER_LIMIT.as_secs())]
    Silent { url: String },
    #[error("{}", problem.message)]
    Refused {
        status: StatusCode,
        problem: Problem,
    },
    #[error("the server at {url} answered what this version does not understand")]
    Foreign {
        url: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("could not put the question into words")]
    Question(#[source] hyper::http::Error),
}

impl Client {
    /// The server named by `server`, else the one that runs on the state in `state`.
    pub fn find(server: Option<&str>, state: &Path) -> Result<Self, AddressError> {
        Ok(Self {
            address: Address::find(server, state)?,
            server: server.map(str::to_owned),
            state: state.to_owned(),
        })
    }

    /// A server that was started again listens elsewhere.
    pub fn find_again(&mut self) {
        if let Ok(address) = Address::find(self.server.as_deref(), &self.state) {
            self.address = address;
        }
    }

    pub fn url(&self) -> &str {
        &self.address.url
    }

    pub async fn status(&self) -> Result<Status, Error> {
        self.get("/v1/status").await
    }

    pub async fn service(&self, service: &str) -> Result<ServiceStatus, Error> {
        self.get(&format!("/v1/services/{}", segment(service)))
            .await
    }

    pub async fn request_release(
        &self,
        service: &str,
        new: &NewRelease,
    ) -> Result<ReleasePlan, Error> {
        self.post(&format!("/v1/services/{}/releases", segment(service)), new)
            .await
    }

    /// A release by its id, or a service's running, else last one.
    pub async fn release(&self, release: &str) -> Result<ReleaseStatus, Error> {
        self.get(&format!("/v1/releases/{}", segment(release)))
            .await
    }

    pub async fn order(&self, release: &str, order: &NewOrder) -> Result<OrderTaken, Error> {
        self.post(&format!("/v1/releases/{}/orders", segment(release)), order)
            .await
    }

    pub async fn why(&self, release: &str) -> Result<Why, Error> {
        self.get(&format!("/v1/releases/{}/why", segment(release)))
            .await
    }

    pub async fn replay(&self, release: &str) -> Result<Replay, Error> {
        self.get(&format!("/v1/releases/{}/replay", segment(release)))
            .await
    }

    /// Whose region and account the server's ARNs have.
    pub async fn owner(&self) -> Result<Owner, Error> {
        self.get("/v1/import").await
    }

    pub async fn import(&self, new: &NewImport) -> Result<ImportPlan, Error> {
        self.post("/v1/import", new).await
    }

    /// Every mesh, or one.
    pub async fn export(&self, mesh: Option<&str>) -> Result<Export, Error> {
        let query = mesh.map(|mesh| format!("?mesh={}", segment(mesh)));
        self.get(&format!("/v1/export{}", query.unwrap_or_default()))
            .await
    }

    /// What the build has written so far.
    pub async fn build_log(&self, release: &str) -> Result<String, Error> {
        let path = format!("/v1/releases/{}/build-log", segment(release));
        let body = self.body(Method::GET, &path, Bytes::new()).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The release's events after `after`, as JSON lines, until it has ended.
    pub async fn events(&self, release: &str, after: u64) -> Result<Lines, Error> {
        let release = segment(release);
        self.lines(&format!(
            "/v1/releases/{release}/events?after={after}&follow=true"
        ))
        .await
    }

    /// Lines of text from a path of the API.
    pub async fn lines(&self, path: &str) -> Result<Lines, Error> {
        let response = self.exchange(Method::GET, path, Bytes::new()).await?;
        Ok(Lines::new(response.into_body(), self.url()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let body = self.body(Method::GET, path, Bytes::new()).await?;
        self.read(&body)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
    ) -> Result<T, Error> {
        let question = serde_json::to_vec(value).map_err(|source| self.foreign(source))?;
        let body = self.body(Method::POST, path, question.into()).await?;
        self.read(&body)
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|source| self.foreign(source))
    }

    fn foreign(&self, source: serde_json::Error) -> Error {
        Error::Foreign {
            url: self.address.url.clone(),
            source,
        }
    }

    async fn body(&self, method: Method, path: &str, question: Bytes) -> Result<Bytes, Error> {
        let response = self.exchange(method, path, question).await?;
        self.collect(response.into_body()).await
    }

    async fn collect(&self, body: Incoming) -> Result<Bytes, Error> {
        let collected = body
            .collect()
            .await
            .map_err(|source| self.broke_off(source))?;
        Ok(collected.to_bytes())
    }

    /// Sends a request; an answer that is no success becomes an error.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        question: Bytes,
    ) -> Result<Response<Incoming>, Error> {
        let request = self
            .request(method, path, question)
            .map_err(Error::Question)?;
        let stream = self.connect().await?;
        let answer = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            // Ends with the connection, which ends with the response's body.
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let response = match tokio::time::timeout(ANSWER_LIMIT, answer).await {
            Ok(answer) => answer.map_err(|source| self.broke_off(source))?,
            Err(_) => {
                return Err(Error::Silent {
                    url: self.address.url.clone(),
                });
            }
        };
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(self.refusal(status, response.into_body()).await),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        question: Bytes,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.authority());
        if let Some(token) = &self.address.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !question.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(question))
    }

    async fn connect(&self) -> Result<TcpStream, Error> {
        let connect = TcpStream::connect(self.address.authority());
        let connected = tokio::time::timeout(CONNECT_LIMIT, connect).await;
        connected
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(|source| Error::Connect {
                url: self.address.url.clone(),
                is_told: self.server.is_some(),
                source,
            })
    }

    async fn refusal(&self, status: StatusCode, body: Incoming) -> Error {
        let body = match self.collect(body).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
            code: "internal".to_owned(),
            message: format!("the server at {} answered {status}", self.address.url),
            hint: None,
        });
        Error::Refused { status, problem }
    }

    fn broke_off(&self, source: hyper::Error) -> Error {
        Error::Exchange {
            url: self.address.url.clone(),
            source,
        }
    }
}

/// A name as one segment of a path, whatever people typed.
pub fn segment(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(segment("crystal-2"), "crystal-2");
        assert_eq!(segment("../status?x=ü"), "..%2Fstatus%3Fx%3D%C3%BC");
    }
}
