//! Which ports tasks get.
//!
//! They lie below the range that Linux takes ports for outgoing connections from by default, so that no
//! connection sits on the port of a task that is between two runs. A claim holds for all drivers of the
//! machine: it is a socket with an abstract name, of which there can be only one, and which goes when
//! the driver goes. From then on the task itself, which listens, keeps the port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram};

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

const RANGE: RangeInclusive<u16> = 20_000..=32_767;

/// How often to draw; with half of the range taken, all draws fail once in 2^64.
const DRAWS: usize = 64;

/// A port that no driver gives to another task as long as this lives.
#[derive(Debug)]
pub(super) struct Claim {
    port: u16,
    _hold: Option<UnixDatagram>,
}

impl Claim {
    /// A port that is free right now; or none, if there is none, until [`Claim::renew_if_taken`].
    pub(super) fn any() -> Self {
        Self::draw().unwrap_or(Self {
            port: 0,
            _hold: None,
        })
    }

    /// The port that a task already has.
    pub(super) fn keep(port: u16) -> Self {
        Self {
            port,
            _hold: hold(port).unwrap_or_default(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Changes to another port if somebody else listens on this one.
    pub(super) fn renew_if_taken(&mut self) -> io::Result<()> {
        if self.port == 0 || !is_free(self.port)? {
            *self = Self::draw()?;
        }
        Ok(())
    }

    fn draw() -> io::Result<Self> {
        for _ in 0..DRAWS {
            let port = fastrand::u16(RANGE);
            if let Some(hold) = hold(port)?
                && is_free(port)?
            {
                return Ok(Self {
                    port,
                    _hold: Some(hold),
                });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!(
                "found no free port between {} and {}",
                RANGE.start(),
                RANGE.end()
            ),
        ))
    }
}

/// `None`: another driver, or another task of this one, holds the port.
fn hold(port: u16) -> io::Result<Option<UnixDatagram>> {
    let name = UnixAddr::from_abstract_name(format!("serin/port/{port}"))?;
    match UnixDatagram::bind_addr(&name) {
        Ok(hold) => Ok(Some(hold)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a task could listen on the port of any address of this machine. Binds without listening, so
/// that nobody can connect meanwhile.
fn is_free(port: u16) -> io::Result<bool> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    // As servers do; without it the remains of closed connections would count as taken.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    let everywhere = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    match bind(&socket, &everywhere) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::ADDRINUSE | rustix::io::Errno::ACCESS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_claimed_port_is_not_given_twice_and_a_dropped_one_is_free_again() {
        let claims: Vec<Claim> = (0..100).map(|_| Claim::any()).collect();
        let distinct: BTreeSet<u16> = claims.iter().map(Claim::port).collect();
        assert_eq!(distinct.len(), 100);
        assert!(distinct.iter().all(|port| RANGE.contains(port)));
        assert!(hold(claims[0].port()).unwrap().is_none());
        let port = claims[0].port();
        drop(claims);
        assert!(hold(port).unwrap().is_some());
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_changed_and_any_other_is_kept() {
        let mut claim = Claim::any();
        let first = claim.port();
        claim.renew_if_taken().unwrap();
        assert_eq!(claim.port(), first);

        let _somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        claim.renew_if_taken().unwrap();
        assert_ne!(claim.port(), first);
        assert!(hold(first).unwrap().is_some(), "the old claim is given up");
    }
}
