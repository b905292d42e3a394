//! Clients that want to be expensive: each is bounded, and the others are served meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use testkit::Backend;
use testkit::raw::{RawServer, Reaction};
use tokio::sync::Semaphore;

use crate::http2_peers::{Http2Backend, Http2Client, read, request};
use crate::http2_raw::*;
use crate::mesh::{Proxy, gateway_to, get as http1_get};

/// How a head with this status begins, once the table's size is settled.
const STATUS_200: u8 = 0x88;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// How much of this process, proxy included, is in memory.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// How long this process, proxy and clients, has kept a processor busy.
fn processor_time() -> Duration {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold anything, user and system time are the 12th and 13th.
    let fields = status.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Sends `frame` until the proxy takes no more or closes, at most `limit` times; returns how often.
async fn flood(client: &mut RawHttp2, frames: impl Fn(u32) -> Vec<u8>, limit: u32) -> u32 {
    for number in 0..limit / 100 {
        let batch: Vec<u8> = (0..100)
            .flat_map(|step| frames(number * 100 + step))
            .collect();
        match tokio::time::timeout(Duration::from_millis(500), client.send(batch)).await {
            Ok(true) => {}
            Ok(false) | Err(_) => return number * 100,
        }
    }
    limit
}

async fn others_are_served(proxy: &Proxy) {
    assert_eq!(proxy.ask(http1_get("/")).await.status, 200);
    assert_eq!(
        Http2Client::connect(proxy.address)
            .await
            .get("/")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn streams_reset_as_soon_as_they_are_opened_end_the_connection() {
    let backend = Backend::saying("ok").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let mut client = RawHttp2::connect(proxy.address).await;
    let rapid = |number: u32| {
        let stream = number * 2 + 1;
        [get(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    };
    flood(&mut client, rapid, 20_000).await;
    assert_eq!(client.end(u32::MAX).await, End::Refused(ENHANCE_YOUR_CALM));
    assert!(backend.requests() < 2000, "{}", backend.requests());
    others_are_served(&proxy).await;
}

#[tokio::test]
async fn streams_that_are_given_up_one_by_one_end_the_connection_too() {
    let silent = RawServer::start(|_| Reaction::Wait).await.unwrap();
    let proxy = Proxy::running(&gateway_to(silent.address)).await;
    let mut client = RawHttp2::connect(proxy.address).await;
    for number in 0..2000 {
        let stream = number * 2 + 1;
        // The answer to a ping says that the stream has been looked at.
        client
            .send([get(stream), frame(PING, 0, 0, &[0; 8])].concat())
            .await;
        loop {
            match client.frame().await {
                Some(frame) if frame.kind == PING => break,
                Some(frame) if frame.kind == GOAWAY => {
                    assert_eq!(frame.payload[4..8], ENHANCE_YOUR_CALM.to_be_bytes());
                    assert!(number >= 500, "{number}");
                    return;
                }
                Some(_) => {}
                None => panic!("closed without a word"),
            }
        }
        client
            .send(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]))
            .await;
    }
    panic!("the connection goes on");
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let backend = Backend::saying("ok").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let before = resident_bytes();
    let mut client = RawHttp2::connect(proxy.address).await;
    client
        .send(frame(HEADERS, END_STREAM, 1, &fields(&GET)))
        .await;
    let filler = "x".repeat(1000);
    let piece = fields(&[("x-fill", filler.as_str())]);
    flood(&mut client, |_| frame(CONTINUATION, 0, 1, &piece), 100_000).await;
    assert!(matches!(client.end(1).await, End::Refused(_) | End::Closed));
    assert!(resident_bytes().saturating_sub(before) < 32 << 20);
    others_are_served(&proxy).await;
    assert!(backend.requests() <= 2);
}

#[tokio::test]
async fn floods_of_small_frames_fill_no_memory_and_cost_no_more_each() {
    let backend = Backend::saying("ok").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let settings = frame(SETTINGS, 0, 0, &setting(3, 100));
    let ping = frame(PING, 0, 0, &[7; 8]);
    let window = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
    let data = frame(DATA, 0, 1, &[]);
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    for flooded in [settings, ping, window, data, reset] {
        let (before, busy_before) = (resident_bytes(), processor_time());
        let mut client = RawHttp2::connect(proxy.address).await;
        let post = frame(HEADERS, END_HEADERS, 1, &fields(&POST));
        client.send(post).await;
        // Nothing of what is answered is read.
        let sent = flood(&mut client, |_| flooded.clone(), 200_000).await;
        // Sending and reading one takes a microsecond or two, in a build for tests ten; work that grows with
        // their number would be far above.
        let busy = processor_time().saturating_sub(busy_before);
        let most = Duration::from_secs(1) + Duration::from_micros(60) * sent;
        assert!(
            busy < most,
            "{busy:?} for {sent} frames of type {}",
            flooded[3]
        );
        let grown = resident_bytes().saturating_sub(before);
        assert!(
            grown < 32 << 20,
            "{grown} bytes for frames of type {}",
            flooded[3]
        );
        others_are_served(&proxy).await;
    }
}

/// A service that reads no body before it is told to, and answers with the body's length.
async fn slow_reader() -> (Http2Backend, Arc<Semaphore>) {
    let may_read = Arc::new(Semaphore::new(0));
    let told = Arc::clone(&may_read);
    let mut settings = h2::server::Builder::new();
    // The proxy's budget is what is tried here.
    settings.data_frame_budget(1 << 30);
    let service = Http2Backend::with(settings, move |request, mut respond| {
        let told = Arc::clone(&told);
        async move {
            if request.method() == "POST" {
                drop(told.acquire().await);
            }
            let (body, _) = read(request.into_body()).await?;
            let response = Response::builder().header("x-length", body.len());
            respond.send_response(response.body(()).unwrap(), true)?;
            Ok(())
        }
    })
    .await;
    (service, may_read)
}

fn to_http2(service: &Http2Backend) -> view::NodeView {
    let mut view = gateway_to(service.address);
    view.clusters[0].protocol = view::Protocol::Http2;
    view
}

#[tokio::test]
async fn messages_that_wait_for_a_slow_service_end_no_connection() {
    let (service, may_read) = slow_reader().await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let mut client = RawHttp2::connect(proxy.address).await;
    // The window that the proxy's settings offer is there once they are acknowledged.
    while client.frame().await.unwrap().kind != SETTINGS {}
    client.send(frame(SETTINGS, ACK, 0, &[])).await;
    client
        .send(frame(HEADERS, END_HEADERS, 1, &fields(&POST)))
        .await;
    // As many as the window holds.
    let (size, most) = (60, (256 << 10) / 60);
    let messages = frame(DATA, 0, 1, &vec![b'm'; size]).repeat(most);
    assert!(client.send(messages).await);
    client.send(frame(PING, 0, 0, &[7; 8])).await;
    loop {
        let frame = client.frame().await.unwrap();
        assert_ne!(frame.kind, GOAWAY, "{frame:?}");
        if frame.kind == PING && frame.flags & ACK != 0 {
            break;
        }
    }
    may_read.add_permits(1);
    client.send(frame(DATA, END_STREAM, 1, &[])).await;
    let head = loop {
        let frame = client.frame().await.unwrap();
        if frame.kind == HEADERS && frame.stream == 1 {
            break frame.payload;
        }
    };
    assert!(head.contains(&STATUS_200), "{head:?}");
    others_are_served(&proxy).await;
}

#[tokio::test]
async fn a_flood_of_tiny_pieces_that_nobody_reads_ends_its_connection() {
    let (service, _may_read) = slow_reader().await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let before = resident_bytes();
    let mut client = RawHttp2::connect(proxy.address).await;
    let post = frame(HEADERS, END_HEADERS, 1, &fields(&POST));
    client.send(post).await;
    let tiny = frame(DATA, 0, 1, b"x");
    let sent = flood(&mut client, |_| tiny.clone(), 200_000).await;
    let end = client.end(u32::MAX).await;
    assert!(
        matches!(end, End::Refused(ENHANCE_YOUR_CALM) | End::Closed),
        "{end:?} after {sent}"
    );
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for {sent} pieces");
    others_are_served(&proxy).await;
}

#[tokio::test]
async fn a_small_head_that_unpacks_to_a_large_one_is_refused() {
    let backend = Backend::saying("ok").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let before = resident_bytes();
    let mut client = RawHttp2::connect(proxy.address).await;
    let mut block = fields(&GET);
    // Enters the table once, and is then a byte each time.
    block.push(0x40);
    text("x-bomb", &mut block);
    text(&"x".repeat(4000), &mut block);
    block.extend(std::iter::repeat_n(0x80 | 62, 10_000));
    client
        .send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block))
        .await;
    assert!(matches!(
        client.end(1).await,
        End::Answer(431) | End::Refused(_)
    ));
    assert!(resident_bytes().saturating_sub(before) < 32 << 20);
    others_are_served(&proxy).await;
    assert_eq!(backend.requests(), 2);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up() {
    let backend = Backend::answering(|_| Response::new(Bytes::from(vec![b'x'; 8 << 20])))
        .await
        .unwrap();
    let mut view = gateway_to(backend.address);
    view.services[0].routes[0].timeouts.idle = Some(Duration::from_millis(500));
    let proxy = Proxy::running(&view).await;
    let before = resident_bytes();
    let mut client = RawHttp2::with_settings(proxy.address, &setting(4, 0)).await;
    for stream in 0..50 {
        client.send(get(stream * 2 + 1)).await;
    }
    let mut given_up = 0;
    while given_up < 50 {
        match client.frame().await {
            Some(frame) if frame.kind == RST_STREAM => given_up += 1,
            // On a busy machine the time may be up before the service has answered.
            Some(frame) if frame.kind == HEADERS && frame.payload[0] != STATUS_200 => given_up += 1,
            Some(_) => {}
            None => panic!("the connection ended"),
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(
        grown < 600 << 20,
        "the services' bodies are theirs: {grown}"
    );
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    let silent = RawServer::start(|_| Reaction::Wait).await.unwrap();
    let proxy = Proxy::running(&gateway_to(silent.address)).await;
    let mut client = RawHttp2::connect(proxy.address).await;
    for number in 0..300 {
        client.send(get(number * 2 + 1)).await;
    }
    assert_eq!(client.end(299 * 2 + 1).await, End::Refused(REFUSED_STREAM));
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_with_it() {
    let (gone, mut is_gone) = tokio::sync::mpsc::unbounded_channel();
    let backend = Http2Backend::serving(move |request, mut respond| {
        let gone = gone.clone();
        async move {
            drop(request);
            let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await?;
            gone.send(reason).unwrap();
            Ok(())
        }
    })
    .await;
    let mut view = gateway_to(backend.address);
    view.clusters[0].protocol = view::Protocol::Http2;
    let proxy = Proxy::running(&view).await;
    let client = Http2Client::connect(proxy.address).await;
    let (response, stream) = client
        .sender
        .clone()
        .send_request(request("POST", "/"), false)
        .unwrap();
    testkit::until("the service has the request", async || {
        backend.connections() == 1
    })
    .await;
    drop((response, stream));
    let reason = testkit::within("a reset", is_gone.recv()).await.unwrap();
    assert_eq!(reason, h2::Reason::CANCEL);
}
