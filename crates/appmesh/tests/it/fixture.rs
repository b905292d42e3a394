//! An API over a store, and short ways to ask it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use appmesh::{AppMesh, Quotas, Settings};
use bytes::Bytes;
use http::{Request, Response};
use model::Timestamp;
use serde_json::{Value, json};
use store::{Embedded, Memory, Store};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const MESHES: &str = "/v20190125/meshes";

/// An API whose clock goes one second ahead with every request.
pub(crate) struct Api {
    pub(crate) mesh: AppMesh,
    pub(crate) store: Arc<dyn Store>,
    clock: AtomicI64,
}

/// What a request was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The error's type, if it is one.
    pub(crate) error: Option<String>,
    pub(crate) body: Value,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::with_quotas(Quotas::default())
    }

    pub(crate) fn with_quotas(quotas: Quotas) -> Self {
        Self::over(Arc::new(Memory::new()), quotas)
    }

    pub(crate) fn in_file(path: &Path) -> Self {
        Self::over(Arc::new(Embedded::open(path).unwrap()), Quotas::default())
    }

    pub(crate) fn over(store: Arc<dyn Store>, quotas: Quotas) -> Self {
        let settings = Settings {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            quotas,
            uid: next_uid,
        };
        Self {
            mesh: AppMesh::new(Arc::clone(&store), settings),
            store,
            clock: AtomicI64::new(1_700_000_000),
        }
    }

    /// An API with mesh `m`: nodes `blue` and `green`, router `r`, service `s.local` and gateway `g`, all of HTTP.
    pub(crate) fn with_mesh() -> Self {
        let api = Self::new();
        api.fill();
        api
    }

    pub(crate) fn fill(&self) {
        self.create("", json!({"meshName": "m"}));
        for node in ["blue", "green"] {
            self.create(
                "/m/virtualNodes",
                json!({"virtualNodeName": node, "spec": node_spec()}),
            );
        }
        self.create(
            "/m/virtualRouters",
            json!({"virtualRouterName": "r", "spec": listeners(8080)}),
        );
        let provider = json!({"provider": {"virtualRouter": {"virtualRouterName": "r"}}});
        self.create(
            "/m/virtualServices",
            json!({"virtualServiceName": "s.local", "spec": provider}),
        );
        self.create(
            "/m/virtualGateways",
            json!({"virtualGatewayName": "g", "spec": listeners(80)}),
        );
    }

    pub(crate) async fn ask(&self, method: &str, uri: &str, body: impl Into<Bytes>) -> Answer {
        let request = Request::builder().method(method).uri(uri);
        let request = request.body(body.into()).unwrap();
        let now = self.clock.fetch_add(1, Ordering::Relaxed) * 1000;
        let now = Timestamp::from_millis(now);
        Answer::of(&self.mesh.answer(&request, now).await)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        run(self.ask("GET", &format!("{MESHES}{path}"), ""))
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Answer {
        run(self.ask("PUT", &format!("{MESHES}{path}"), body.to_string()))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        run(self.ask("DELETE", &format!("{MESHES}{path}"), ""))
    }

    /// A `put` that must succeed.
    pub(crate) fn create(&self, path: &str, body: Value) -> Value {
        self.put(path, body).ok()
    }
}

impl Answer {
    pub(crate) fn of(response: &Response<Bytes>) -> Self {
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/json");
        let error = headers.get("x-amzn-errortype");
        Self {
            status: response.status().as_u16(),
            error: error.map(|name| name.to_str().unwrap().to_owned()),
            body: serde_json::from_slice(response.body()).unwrap(),
        }
    }

    pub(crate) fn ok(self) -> Value {
        assert_eq!((self.status, self.error), (200, None), "{}", self.body);
        self.body
    }

    /// The error's type and message.
    #[track_caller]
    pub(crate) fn refused(self) -> (String, String) {
        let error = self
            .error
            .unwrap_or_else(|| panic!("accepted: {}", self.body));
        (error, self.body["message"].as_str().unwrap().to_owned())
    }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

pub(crate) fn listeners(port: u16) -> Value {
    json!({"listeners": [{"portMapping": {"port": port, "protocol": "http"}}]})
}

pub(crate) fn node_spec() -> Value {
    let mut spec = listeners(8080);
    spec["serviceDiscovery"] = json!({"dns": {"hostname": "app.local"}});
    spec
}

pub(crate) fn route_spec(blue: i32, green: i32) -> Value {
    let target = |node, weight| json!({"virtualNode": node, "weight": weight});
    json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": [target("blue", blue), target("green", green)]},
    }})
}

pub(crate) fn gateway_route_spec() -> Value {
    let target = json!({"virtualService": {"virtualServiceName": "s.local"}});
    json!({"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}})
}

pub(crate) fn arn(path: &str) -> String {
    format!("arn:aws:appmesh:{REGION}:{ACCOUNT}:mesh/{path}")
}

fn next_uid() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("uid-{}", MADE.fetch_add(1, Ordering::Relaxed))
}
