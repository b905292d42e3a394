//! More clients than a worker may hold at once.

use std::num::NonZeroUsize;
use std::time::Duration;

use proxy::Options;
use testkit::{Backend, until, within};

use crate::mesh::{Proxy, gateway_to, get};

#[tokio::test]
async fn who_comes_late_waits_and_who_is_inside_is_served() {
    let backend = Backend::saying("ok").await.unwrap();
    let options = Options {
        workers: NonZeroUsize::MIN,
        connections: NonZeroUsize::new(2),
        ..Options::default()
    };
    let proxy = Proxy::with(&gateway_to(backend.address), options).await;
    let (mut first, mut second) = (proxy.client().await, proxy.client().await);
    for client in [&mut first, &mut second] {
        assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
    }
    let mut late = proxy.client().await;
    late.send(get("/late")).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_millis(200), late.response(false)).await;
    assert!(answer.is_err(), "there is no room");
    for client in [&mut first, &mut second] {
        assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
    }
    drop(first);
    let answer = within("the late one's turn", late.response(false)).await;
    assert_eq!(answer.unwrap().status, 200);
    drop((second, late));
    until("everybody else gets in", async || {
        proxy
            .client()
            .await
            .ask(get("/"))
            .await
            .is_ok_and(|answer| answer.status == 200)
    })
    .await;
}
