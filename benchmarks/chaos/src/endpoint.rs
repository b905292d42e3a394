//! An endpoint that can die and return: a small HTTP/1.1 server that answers every request with its name.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// How long an answer takes: long enough that an endpoint dies with requests under way.
const WORK: Duration = Duration::from_millis(2);

pub struct Endpoint {
    pub address: SocketAddr,
    response: Arc<[u8]>,
    /// The listener and all connections; none while it is dead.
    running: Option<JoinSet<()>>,
}

impl Endpoint {
    /// One that is alive, at a port of its own for good.
    pub async fn start(name: &str) -> io::Result<Self> {
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}",
            name.len()
        );
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into())?;
        let mut endpoint = Self {
            address: listener.local_addr()?,
            response: response.into_bytes().into(),
            running: None,
        };
        endpoint.serve(listener);
        Ok(endpoint)
    }

    pub fn is_alive(&self) -> bool {
        self.running.is_some()
    }

    /// Dies at once, as a killed process: requests under way get a reset.
    pub async fn die(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.shutdown().await;
        }
    }

    pub fn revive(&mut self) -> io::Result<()> {
        let listener = listen(self.address)?;
        self.serve(listener);
        Ok(())
    }

    fn serve(&mut self, listener: TcpListener) {
        let response = Arc::clone(&self.response);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        if let Ok((stream, _)) = accepted {
                            connections.spawn(answer(stream, Arc::clone(&response)));
                        }
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        self.running = Some(running);
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Until the connection ends. Requests have no bodies.
async fn answer(mut stream: TcpStream, response: Arc<[u8]>) {
    // A connection that is dropped by an endpoint's death ends with a reset.
    let linger = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    if linger.is_err() {
        return;
    }
    let mut buffer = Vec::with_capacity(4096);
    loop {
        while !buffer.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut buffer).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
        buffer.clear();
        tokio::time::sleep(WORK).await;
        if stream.write_all(&response).await.is_err() {
            return;
        }
    }
}
