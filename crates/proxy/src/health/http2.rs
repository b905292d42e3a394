//! Health checks over HTTP/2: a status of 200, or gRPC's `grpc.health.v1.Health/Check`
//! (<https://github.com/grpc/grpc/blob/master/doc/health-checking.md>).

use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, Method, Request, Response};

use crate::stream::Stream;

/// `HealthCheckRequest` for the whole server: an empty message in gRPC's frame.
const WHOLE_SERVER: Bytes = Bytes::from_static(&[0, 0, 0, 0, 0]);
/// `HealthCheckResponse` whose status, field 1, is SERVING.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 0x08, 0x01];
/// A longer answer is none to this question.
const MAX_ANSWER: usize = 1024;

pub(super) async fn check_status(
    stream: Stream,
    address: SocketAddr,
    path: &str,
) -> Result<(), String> {
    let request = request(Method::GET, address, path)?;
    let (head, _) = ask(stream, request, None).await?.into_parts();
    match head.status.as_u16() {
        200 => Ok(()),
        status => Err(format!("answered {status}")),
    }
}

pub(super) async fn check_grpc(stream: Stream, address: SocketAddr) -> Result<(), String> {
    let mut request = request(Method::POST, address, "/grpc.health.v1.Health/Check")?;
    let fields = request.headers_mut();
    fields.insert(
        "content-type",
        http::HeaderValue::from_static("application/grpc"),
    );
    fields.insert("te", http::HeaderValue::from_static("trailers"));
    let (head, answer) = ask(stream, request, Some(WHOLE_SERVER)).await?.into_parts();
    if head.status != 200 {
        return Err(format!("answered {}", head.status.as_u16()));
    }
    // Without a message, the head is the trailers.
    let status = grpc_status(&answer.trailers).or_else(|| grpc_status(&head.headers));
    match status.as_deref() {
        Some("0") if answer.body == SERVING => Ok(()),
        Some("0") => Err("is not serving".to_owned()),
        Some(status) => Err(format!("answered with gRPC status {status}")),
        None => Err("answered without a gRPC status".to_owned()),
    }
}

#[derive(Default)]
struct Answer {
    body: Vec<u8>,
    trailers: HeaderMap,
}

fn request(method: Method, address: SocketAddr, path: &str) -> Result<Request<()>, String> {
    Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"))
        .header("user-agent", super::USER_AGENT)
        .body(())
        .map_err(|error| error.to_string())
}

/// One request on a connection of its own. The answer is read only where something was said in the request.
async fn ask(
    stream: Stream,
    request: Request<()>,
    body: Option<Bytes>,
) -> Result<Response<Answer>, String> {
    let (requests, connection) = h2::client::handshake(stream)
        .await
        .map_err(|error| error.to_string())?;
    let asking = async {
        let mut requests = requests.ready().await?;
        let (response, mut sending) = requests.send_request(request, body.is_none())?;
        let is_call = body.is_some();
        if let Some(body) = body {
            sending.send_data(body, true)?;
        }
        let (head, mut body) = response.await?.into_parts();
        let answer = match is_call {
            true => read(&mut body).await?,
            false => Answer::default(),
        };
        Ok::<_, h2::Error>(Response::from_parts(head, answer))
    };
    tokio::select! {
        answered = asking => answered.map_err(|error| error.to_string()),
        ended = connection => Err(match ended {
            Ok(()) => "the connection closed before the answer".to_owned(),
            Err(error) => error.to_string(),
        }),
    }
}

async fn read(body: &mut RecvStream) -> Result<Answer, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Ok(Answer::default());
        }
        bytes.extend_from_slice(&chunk);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(Answer {
        body: bytes,
        trailers,
    })
}

fn grpc_status(fields: &HeaderMap) -> Option<String> {
    let status = fields.get("grpc-status")?.to_str().ok()?;
    Some(status.to_owned())
}
