//! Requests that leave the mesh: names resolved on the spot, remembered for a moment, pooled like others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::discovery::unnamed;
use crate::endpoint::{Endpoint, Shared};
use crate::health::{Health, HealthStatus};

/// How long an answer is used; as often as discovered clusters are resolved.
const REMEMBERED: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Outside {
    names: RefCell<HashMap<String, (SocketAddr, Instant)>>,
    endpoints: RefCell<HashMap<SocketAddr, Rc<Endpoint>>>,
}

impl Outside {
    /// The endpoint that `host:port` means.
    pub(crate) async fn endpoint(&self, host: &str, port: u16) -> io::Result<Rc<Endpoint>> {
        let address = self.resolve(host.trim_matches(['[', ']']), port).await?;
        let mut endpoints = self.endpoints.borrow_mut();
        let endpoint = endpoints.entry(address).or_insert_with(|| {
            let health = Health::new(HealthStatus::Unchecked);
            Rc::new(Endpoint::new(Arc::new(Shared::new(
                unnamed(address),
                health,
            ))))
        });
        Ok(Rc::clone(endpoint))
    }

    async fn resolve(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        if let Ok(ip) = host.parse() {
            return Ok(SocketAddr::new(ip, port));
        }
        let name = format!("{host}:{port}");
        let now = clock::now();
        let remembered = self.names.borrow().get(&name).copied();
        if let Some((address, until)) = remembered
            && now < until
        {
            return Ok(address);
        }
        let address = tokio::net::lookup_host((host, port))
            .await?
            .min_by_key(SocketAddr::is_ipv6)
            .ok_or(io::ErrorKind::NotFound)?;
        self.names
            .borrow_mut()
            .insert(name, (address, now + REMEMBERED));
        Ok(address)
    }

    pub(crate) fn sweep(&self, oldest: Instant) {
        self.names
            .borrow_mut()
            .retain(|_, &mut (_, until)| until > oldest);
        self.endpoints.borrow_mut().retain(|_, endpoint| {
            endpoint.sweep(oldest);
            !endpoint.is_unused()
        });
    }
}
