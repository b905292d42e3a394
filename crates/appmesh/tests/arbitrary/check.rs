//! What must hold of the API whatever it is asked: used with requests that proptest makes, and with the fuzzer's.
//!
//! A request gets an answer of one of the known forms and never an internal error; what was created can be described; and
//! after any sequence of requests no resource refers to one that is not there.

use std::sync::{Arc, LazyLock};

use appmesh::{AppMesh, Operation, Quotas, Settings};
use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use model::{Arn, Kind, ResourceId, Spec, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use store::{Memory, Store};
use tokio::runtime::{Builder, Runtime};

/// An API over a store with one resource of each kind in it.
pub(crate) struct Checked {
    store: Arc<Memory>,
    api: AppMesh,
}

impl Default for Checked {
    fn default() -> Self {
        static FURNISHED: LazyLock<Memory> = LazyLock::new(furnished);
        Self::over(FURNISHED.fork())
    }
}

impl Checked {
    fn over(store: Memory) -> Self {
        let store = Arc::new(store);
        let settings = Settings {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            quotas: Quotas::default(),
            uid: || "uid".to_owned(),
        };
        let shared: Arc<dyn Store> = store.clone();
        let api = AppMesh::new(shared, settings);
        Self { store, api }
    }

    /// Makes a request, checks its answer and returns its status. What is no request to HTTP never gets this far.
    pub(crate) fn ask(&self, method: &[u8], target: &[u8], body: &[u8]) -> Option<u16> {
        let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(target)) else {
            return None;
        };
        let revision = self.store.snapshot().revision();
        let operation = Operation::of(&method, uri.path());
        let is_create = operation.is_some_and(|it| it.name().starts_with("Create"));
        let request = Request::builder().method(&method).uri(&uri);
        let request = request.body(Bytes::copy_from_slice(body)).unwrap();
        let response = self.answer(&request);
        let status = response.status().as_u16();
        assert!(
            matches!(status, 200 | 400 | 403 | 404 | 409),
            "{method} {uri} is answered {status}"
        );
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        if status == 200 {
            if is_create {
                self.assert_can_be_described(&answer);
            }
            return Some(status);
        }
        assert!(response.headers().contains_key("x-amzn-ErrorType"));
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(
            !message.is_empty(),
            "{method} {uri} is refused without a word"
        );
        assert_eq!(self.store.snapshot().revision(), revision, "{message}");
        Some(status)
    }

    /// Checks the whole mesh as the requests so far have left it.
    pub(crate) fn assert_whole(&self) {
        let world = self.store.snapshot();
        for resource in world.iter() {
            let (id, spec) = (&resource.id, &resource.spec);
            let referred = spec.references(&id.mesh).into_iter().chain(id.parent());
            for other in referred {
                assert!(world.contains(&other), "{id} is there without {other}");
            }
            let wire = serde_json::to_value(spec.wire()).unwrap();
            assert_eq!(Spec::parse(id.kind(), &wire).unwrap(), *spec);
        }
        let archive = block_on(self.store.export()).unwrap();
        assert_eq!(Memory::restore(archive).snapshot(), world);
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let now = Timestamp::from_millis(1_800_000_000_000);
        block_on(self.api.answer(request, now))
    }

    fn assert_can_be_described(&self, created: &Value) {
        let arn: Arn = created["metadata"]["arn"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let request = Request::get(path_of(&arn.id)).body(Bytes::new()).unwrap();
        let described = self.answer(&request);
        let body: Value = serde_json::from_slice(described.body()).unwrap();
        // A create that is repeated with its token is answered what was true then.
        let is_repeated = described.status() == 404 || body["metadata"]["version"] != 1;
        assert!(is_repeated || body == *created, "{body} is not {created}");
    }
}

/// One of each kind, called `a`, for requests to refer to.
fn furnished() -> Memory {
    let listeners = json!([{ "portMapping": { "port": 80, "protocol": "http" } }]);
    let node =
        json!({ "listeners": listeners, "serviceDiscovery": { "dns": { "hostname": "a" } } });
    let provider = json!({ "provider": { "virtualRouter": { "virtualRouterName": "a" } } });
    let to_node = json!({ "weightedTargets": [{ "virtualNode": "a", "weight": 1 }] });
    let to_service = json!({ "target": { "virtualService": { "virtualServiceName": "a" } } });
    let route = |action| json!({ "httpRoute": { "action": action, "match": { "prefix": "/" } } });
    let checked = Checked::over(Memory::new());
    for (collection, member, spec) in [
        ("meshes", "meshName", json!({})),
        ("meshes/a/virtualNodes", "virtualNodeName", node),
        (
            "meshes/a/virtualRouters",
            "virtualRouterName",
            json!({ "listeners": listeners }),
        ),
        (
            "meshes/a/virtualRouter/a/routes",
            "routeName",
            route(to_node),
        ),
        ("meshes/a/virtualServices", "virtualServiceName", provider),
        (
            "meshes/a/virtualGateways",
            "virtualGatewayName",
            json!({ "listeners": listeners }),
        ),
        (
            "meshes/a/virtualGateway/a/gatewayRoutes",
            "gatewayRouteName",
            route(to_service),
        ),
    ] {
        let body = json!({ member: "a", "spec": spec }).to_string();
        let target = format!("/v20190125/{collection}");
        let status = checked.ask(b"PUT", target.as_bytes(), body.as_bytes());
        assert_eq!(status, Some(200), "{target}");
    }
    assert_eq!(checked.store.snapshot().len(), 7);
    checked.store.fork()
}

/// Where the resource is described.
fn path_of(id: &ResourceId) -> String {
    let segment = |name: &str| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    let mesh = format!("/v20190125/meshes/{}", segment(&id.mesh));
    let name = segment(id.name());
    let parent = id
        .parent()
        .map(|parent| segment(parent.name()))
        .unwrap_or_default();
    match id.kind() {
        Kind::Mesh => mesh,
        Kind::Route => format!("{mesh}/virtualRouter/{parent}/routes/{name}"),
        Kind::GatewayRoute => format!("{mesh}/virtualGateway/{parent}/gatewayRoutes/{name}"),
        kind => format!("{mesh}/{}s/{name}", kind.segment()),
    }
}

/// In memory nothing waits, so a runtime is made for form's sake alone.
fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().build().unwrap());
    RUNTIME.block_on(future)
}
