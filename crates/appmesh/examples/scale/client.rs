//! The calls that a client of the API makes, as requests; an answer that is not the expected one is an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use appmesh::AppMesh;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{NODES, Outcome, ROUTERS};

const MESH: &str = "/v20190125/meshes/scale";

pub(crate) struct Client {
    api: AppMesh,
    /// Every write carries a token of its own, as the AWS CLI's do.
    tokens: AtomicU64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    pub(crate) next_token: Option<String>,
}

impl Client {
    pub(crate) fn new(api: AppMesh) -> Self {
        Self {
            api,
            tokens: AtomicU64::new(0),
        }
    }

    pub(crate) async fn create_mesh(&self) -> Outcome<()> {
        let body = json!({ "meshName": "scale" });
        self.write("/v20190125/meshes", body).await
    }

    pub(crate) async fn create_router(self: Arc<Self>, n: usize) -> Outcome<()> {
        let spec =
            json!({ "listeners": [{ "portMapping": { "port": 3000, "protocol": "http" } }] });
        let body = json!({ "virtualRouterName": router(n), "spec": spec });
        self.write(&format!("{MESH}/virtualRouters"), body).await
    }

    pub(crate) async fn create_node(self: Arc<Self>, n: usize) -> Outcome<()> {
        let body = json!({ "virtualNodeName": node(n), "spec": node_spec("/health") });
        self.write(&format!("{MESH}/virtualNodes"), body).await
    }

    pub(crate) async fn update_node(self: Arc<Self>, n: usize) -> Outcome<()> {
        self.write(&node_path(n), json!({ "spec": node_spec("/healthy") }))
            .await
    }

    pub(crate) async fn create_route(self: Arc<Self>, n: usize) -> Outcome<()> {
        let body = json!({ "routeName": route(n), "spec": route_spec(n, 100) });
        self.write(&routes_path(n), body).await
    }

    /// Gives a canary its share.
    pub(crate) async fn update_route(self: Arc<Self>, n: usize) -> Outcome<()> {
        self.write(&route_path(n), json!({ "spec": route_spec(n, 95) }))
            .await
    }

    pub(crate) async fn delete_node(self: Arc<Self>, n: usize) -> Outcome<()> {
        self.ask(Method::DELETE, &node_path(n)).await.map(drop)
    }

    pub(crate) async fn delete_route(self: Arc<Self>, n: usize) -> Outcome<()> {
        self.ask(Method::DELETE, &route_path(n)).await.map(drop)
    }

    pub(crate) async fn fail_to_delete_node(self: Arc<Self>, n: usize) -> Outcome<()> {
        let response = self
            .send(Method::DELETE, &node_path(n % NODES), Bytes::new())
            .await?;
        expect(StatusCode::CONFLICT, &response)
    }

    pub(crate) async fn describe_node(self: Arc<Self>, n: usize) -> Outcome<()> {
        self.ask(Method::GET, &node_path(n)).await.map(drop)
    }

    pub(crate) async fn describe_route(self: Arc<Self>, n: usize) -> Outcome<()> {
        self.ask(Method::GET, &route_path(n)).await.map(drop)
    }

    pub(crate) async fn list_first_nodes(self: Arc<Self>, _: usize) -> Outcome<()> {
        self.list_nodes(None).await.map(drop)
    }

    pub(crate) async fn list_nodes(&self, token: Option<String>) -> Outcome<Page> {
        let query = token
            .map(|token| format!("&nextToken={token}"))
            .unwrap_or_default();
        let path = format!("{MESH}/virtualNodes?limit=100{query}");
        let response = self.ask(Method::GET, &path).await?;
        Ok(serde_json::from_slice(response.body())?)
    }

    pub(crate) async fn list_routes(self: Arc<Self>, n: usize) -> Outcome<()> {
        self.ask(Method::GET, &routes_path(n)).await.map(drop)
    }

    async fn write(&self, path: &str, mut body: Value) -> Outcome<()> {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        body["clientToken"] = json!(format!("{token:036}"));
        let response = self
            .send(Method::PUT, path, body.to_string().into())
            .await?;
        expect(StatusCode::OK, &response)
    }

    async fn ask(&self, method: Method, path: &str) -> Outcome<Response<Bytes>> {
        let response = self.send(method, path, Bytes::new()).await?;
        expect(StatusCode::OK, &response)?;
        Ok(response)
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Outcome<Response<Bytes>> {
        let request = Request::builder().method(method).uri(path).body(body)?;
        let now = Timestamp::from_millis(1_800_000_000_000);
        Ok(self.api.answer(&request, now).await)
    }
}

fn expect(status: StatusCode, response: &Response<Bytes>) -> Outcome<()> {
    if response.status() == status {
        return Ok(());
    }
    let body = String::from_utf8_lossy(response.body());
    Err(format!("{}: {body}", response.status()).into())
}

fn node(n: usize) -> String {
    format!("node-{n}")
}

fn router(n: usize) -> String {
    format!("router-{}", n % ROUTERS)
}

fn route(n: usize) -> String {
    format!("route-{n}")
}

fn node_path(n: usize) -> String {
    format!("{MESH}/virtualNodes/{}", node(n))
}

fn routes_path(n: usize) -> String {
    format!("{MESH}/virtualRouter/{}/routes", router(n))
}

fn route_path(n: usize) -> String {
    format!("{}/{}", routes_path(n), route(n))
}

fn node_spec(health_path: &str) -> Value {
    json!({
        "listeners": [{
            "portMapping": { "port": 3000, "protocol": "http" },
            "healthCheck": {
                "protocol": "http", "path": health_path, "intervalMillis": 10000,
                "timeoutMillis": 5000, "healthyThreshold": 3, "unhealthyThreshold": 3,
            },
        }],
        "serviceDiscovery": { "dns": { "hostname": "node.local" } },
        "backends": [{ "virtualService": { "virtualServiceName": "colours.local" } }],
    })
}

fn route_spec(n: usize, weight: u8) -> Value {
    let target = |n: usize, weight: u8| json!({ "virtualNode": node(n % NODES), "weight": weight });
    json!({
        "priority": 10,
        "httpRoute": {
            "action": { "weightedTargets": [target(n, weight), target(n + 1, 100 - weight)] },
            "match": { "prefix": format!("/part-{n}/") },
        },
    })
}
