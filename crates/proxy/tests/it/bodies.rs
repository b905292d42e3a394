//! Bodies of any size pass in constant memory, whoever is slow.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::raw::RawClient;
use testkit::within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::mesh::{Proxy, gateway_to};

const GIBIBYTE: usize = 1 << 30;
/// What the process may grow by while a gibibyte passes: buffers of sockets and tasks, no bodies.
const GROWTH: usize = 24 << 20;

/// A server that does this with its first connection.
async fn server<F>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = std::io::Result<()>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Its client may leave first. A panic here would print a backtrace, whose symbols are memory too.
        drop(serve(stream).await);
    });
    address
}

async fn read_head(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(())
}

/// Sends `total` bytes, as chunks if `chunked`.
async fn write_body(
    stream: &mut (impl AsyncWriteExt + Unpin),
    total: usize,
    chunked: bool,
) -> std::io::Result<()> {
    let block = vec![b'x'; 1 << 20];
    for _ in 0..total / block.len() {
        if chunked {
            stream
                .write_all(format!("{:x}\r\n", block.len()).as_bytes())
                .await?;
        }
        stream.write_all(&block).await?;
        if chunked {
            stream.write_all(b"\r\n").await?;
        }
    }
    if chunked {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

/// Reads until the other side closes or `total` has come; returns how much did.
async fn drain(stream: &mut (impl AsyncReadExt + Unpin), total: usize) -> std::io::Result<usize> {
    let mut buffer = vec![0; 1 << 20];
    let mut read = 0;
    while read < total {
        match stream.read(&mut buffer).await? {
            0 => break,
            length => read += length,
        }
    }
    Ok(read)
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// The most the process grows by while `transfer` runs.
async fn growth(transfer: impl Future<Output = ()>) -> usize {
    let before = resident();
    let mut most = before;
    let mut samples = tokio::time::interval(Duration::from_millis(5));
    let watching = async {
        loop {
            samples.tick().await;
            most = most.max(resident());
        }
    };
    tokio::select! {
        () = transfer => {}
        () = watching => {}
    }
    most - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_comes_down_in_constant_memory() {
    for chunked in [false, true] {
        let address = server(move |mut stream| async move {
            read_head(&mut stream).await?;
            let framing = match chunked {
                true => "Transfer-Encoding: chunked".to_owned(),
                false => format!("Content-Length: {GIBIBYTE}"),
            };
            stream
                .write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes())
                .await?;
            write_body(&mut stream, GIBIBYTE, chunked).await?;
            read_head(&mut stream).await
        })
        .await;
        let proxy = Proxy::running(&gateway_to(address)).await;
        let mut client = TcpStream::connect(proxy.address).await.unwrap();
        client
            .write_all(crate::mesh::get("/").as_bytes())
            .await
            .unwrap();
        read_head(&mut client).await.unwrap();
        let framing = if chunked {
            1024 * "100000\r\n\r\n".len() + "0\r\n\r\n".len()
        } else {
            0
        };
        let grown = growth(async {
            let read = drain(&mut client, GIBIBYTE + framing).await.unwrap();
            assert_eq!(read, GIBIBYTE + framing);
        })
        .await;
        assert!(grown < GROWTH, "grew by {grown} bytes, chunked: {chunked}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_goes_up_in_constant_memory() {
    let (received, total) = tokio::sync::oneshot::channel();
    let address = server(move |mut stream| async move {
        read_head(&mut stream).await?;
        let read = drain(&mut stream, GIBIBYTE).await?;
        received.send(read).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await
    })
    .await;
    let proxy = Proxy::running(&gateway_to(address)).await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    let grown = growth(async {
        let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {GIBIBYTE}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        write_body(&mut client, GIBIBYTE, false).await.unwrap();
        read_head(&mut client).await.unwrap();
    })
    .await;
    assert_eq!(total.await.unwrap(), GIBIBYTE);
    assert!(grown < GROWTH, "grew by {grown} bytes");
}

/// A client that does not read must stop its server, not fill the proxy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_that_does_not_read_stops_the_other() {
    let (stuck, mut sent) = tokio::sync::watch::channel(0usize);
    let address = server(move |mut stream| async move {
        read_head(&mut stream).await?;
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {GIBIBYTE}\r\n\r\n").as_bytes())
            .await?;
        let block = vec![b'x'; 64 * 1024];
        for written in 1.. {
            if stream.write_all(&block).await.is_err() {
                break;
            }
            stuck.send_replace(written * block.len());
        }
        Ok(())
    })
    .await;
    let proxy = Proxy::running(&gateway_to(address)).await;
    let mut client = RawClient::connect(proxy.address).await.unwrap();
    client.send(crate::mesh::get("/")).await.unwrap();
    // It stops growing somewhere: what sockets hold, and no more.
    let still = Duration::from_millis(200);
    while let Ok(moved) = tokio::time::timeout(still, sent.changed()).await {
        moved.unwrap();
    }
    let last = *sent.borrow();
    assert!(last < 64 << 20, "{last} bytes were taken from the server");
    within("reading goes on", client.read_exactly(last))
        .await
        .unwrap();
}
