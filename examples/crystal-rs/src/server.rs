//! Accepts connections and serves each on a thread of its own, a bounded number
//! at a time; the others wait their turn in the system's backlog.

use std::io::{self, BufReader, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::{Answer, Backend};
use crate::http::{Failure, Request};
use crate::log;
use crate::running::Running;

const MOST_CONNECTIONS: usize = 512;

/// How long a client may be silent, between requests or within one.
const SILENCE: Duration = Duration::from_secs(60);

pub struct Server {
    backend: Backend,
    address: SocketAddr,
    connections: Running,
    requests: Running,
    stopping: AtomicBool,
}

impl Server {
    /// Serves until the process ends, hence the lifetime.
    pub fn start(host: &str, port: u16, backend: Backend) -> io::Result<&'static Self> {
        let listener = TcpListener::bind((host, port))?;
        let server: &'static Self = Box::leak(Box::new(Self {
            backend,
            address: listener.local_addr()?,
            connections: Running::default(),
            requests: Running::default(),
            stopping: AtomicBool::new(false),
        }));
        thread::Builder::new().spawn(|| server.accept(listener))?;
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, and returns when the requests under way are answered.
    pub fn stop(&self, grace: Duration) {
        self.stopping.store(true, Ordering::SeqCst);
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        // One last connection wakes `accept`, so that it sees `stopping`.
        drop(TcpStream::connect_timeout(&address, Duration::from_secs(1)));
        self.requests.wait_for_none(grace);
    }

    fn accept(&'static self, listener: TcpListener) {
        loop {
            let connection = self.connections.enter_below(MOST_CONNECTIONS);
            let accepted = listener.accept();
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let served = accepted.and_then(|(stream, _)| {
                thread::Builder::new().spawn(move || {
                    let _connection = connection;
                    self.serve(&stream);
                })
            });
            if let Err(error) = served {
                log::line(&format!("cannot serve a connection: {error}"));
                // Most likely too many files or threads: wait for some to end.
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let Err(Failure::Refused(status)) = self.converse(&mut reader, stream) else {
            return;
        };
        let refusal = Answer::plain(status, format!("{status}\n"));
        let refused = refusal
            .write(&Request::default(), false, stream)
            .and_then(|()| stream.shutdown(Shutdown::Write));
        if refused.is_ok() {
            // To close before the client has sent all could cut the answer short.
            let _broken = io::copy(&mut reader.take(1 << 20), &mut io::sink());
        }
    }

    fn converse(
        &self,
        reader: &mut BufReader<&TcpStream>,
        stream: &TcpStream,
    ) -> Result<(), Failure> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        while let Some(request) = Request::read(reader)? {
            let _under_way = self.requests.enter();
            let start = Instant::now();
            request.skip_body(reader, stream)?;
            let answer = self.backend.answer(request.path());
            log::request(
                &request.method,
                &request.target,
                answer.status,
                start.elapsed(),
            );
            let keep_alive = request.keep_alive && !self.stopping.load(Ordering::SeqCst);
            answer.write(&request, keep_alive, stream)?;
            if !keep_alive {
                break;
            }
        }
        Ok(())
    }
}
