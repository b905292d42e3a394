//! Listening sockets, one for each worker on one address.
//!
//! `SO_REUSEPORT` lets any process of the same user join a port and take a share of its connections
//! without a word. So the address is first bound without it: that fails if anybody listens there.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

const BACKLOG: i32 = 4096;

/// `count` listeners on `address`; a port of 0 becomes one that is free.
pub(crate) fn listen(
    address: SocketAddr,
    count: usize,
) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    let address = probe
        .local_addr()?
        .as_socket()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    drop(probe);
    let listeners = (0..count).map(|_| shared(address));
    Ok((address, listeners.collect::<io::Result<_>>()?))
}

/// `count` sets of listeners on `address`, which another process listens on too and handed over: all of
/// them are accepted from, since the kernel spreads connections over them. Where it fails, nothing is taken.
pub(crate) fn adopt(
    address: SocketAddr,
    inherited: &mut Vec<TcpListener>,
    count: usize,
) -> io::Result<Vec<Vec<TcpListener>>> {
    for socket in &*inherited {
        socket.set_nonblocking(true)?;
    }
    let fewer = count.saturating_sub(inherited.len());
    let own = (0..fewer).map(|_| shared(address));
    let own: Vec<TcpListener> = own.collect::<io::Result<_>>()?;
    let mut sets: Vec<Vec<TcpListener>> = std::iter::repeat_with(Vec::new).take(count).collect();
    for (place, socket) in inherited.drain(..).chain(own).enumerate() {
        sets[place % count].push(socket);
    }
    Ok(sets)
}

fn shared(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    // Connections take over what is set here.
    keep_alive(SockRef::from(&socket))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Probes a silent peer after a minute, and gives it up after another.
pub(crate) fn keep_alive(socket: SockRef<'_>) -> io::Result<()> {
    let minute = Duration::from_secs(60);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(minute)
            .with_interval(minute / 4)
            .with_retries(4),
    )
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // Connections that are only waiting out their time do not hold the port.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn all_listeners_share_the_port() {
        let (address, listeners) = listen(ANY, 3).unwrap();
        assert_ne!(address.port(), 0);
        assert!(
            listeners
                .iter()
                .all(|listener| listener.local_addr().unwrap() == address)
        );
    }

    #[test]
    fn a_taken_port_is_not_shared_whoever_took_it() {
        let (ours, _kept) = listen(ANY, 1).unwrap();
        let plain = TcpListener::bind(ANY).unwrap();
        for taken in [ours, plain.local_addr().unwrap()] {
            assert_eq!(
                listen(taken, 1).unwrap_err().kind(),
                io::ErrorKind::AddrInUse
            );
        }
    }

    #[test]
    fn sockets_of_another_process_are_all_accepted_from_by_any_number_of_workers() {
        for (handed, workers) in [(1, 3), (2, 2), (3, 1), (5, 2)] {
            let (address, mut inherited) = listen(ANY, handed).unwrap();
            let sets = adopt(address, &mut inherited, workers).unwrap();
            assert_eq!(sets.len(), workers);
            assert!(sets.iter().all(|set| !set.is_empty()));
            let all: Vec<_> = sets.into_iter().flatten().collect();
            assert_eq!(all.len(), handed.max(workers));
            assert!(
                all.iter()
                    .all(|socket| socket.local_addr().unwrap() == address)
            );
        }
    }

    #[test]
    fn a_port_can_be_taken_again_once_its_connections_ended() {
        let (address, listeners) = listen(ANY, 1).unwrap();
        listeners[0].set_nonblocking(false).unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        let (server, _) = listeners[0].accept().unwrap();
        drop((server, client, listeners));
        listen(address, 1).unwrap();
    }
}
