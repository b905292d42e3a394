//! The virtual services that a node's callers can name, by the authority of their requests.

use std::collections::HashMap;

use view::ServiceHost;

use super::index::{FEW, lower_case};
use crate::http1::request::Authority;

#[derive(Debug)]
pub(crate) struct Hosts {
    all: Vec<ServiceHost>,
    /// By names in lower case, in the order of `all`; empty where going through them all is faster.
    by_name: HashMap<String, Vec<ServiceHost>>,
}

impl Hosts {
    pub(super) fn new(all: &[ServiceHost]) -> Self {
        let mut by_name: HashMap<String, Vec<ServiceHost>> = HashMap::new();
        if all.len() > FEW {
            for host in all {
                let name = host.host.to_ascii_lowercase();
                by_name.entry(name).or_default().push(host.clone());
            }
        }
        Self {
            all: all.to_vec(),
            by_name,
        }
    }

    pub(super) fn services(&self) -> impl Iterator<Item = usize> {
        self.all.iter().map(|host| host.service)
    }

    /// The entry of that name and port. A bare name reaches the service on any port, as it did with
    /// Envoy, whose virtual hosts answered to the name with and without its port.
    pub(super) fn find(&self, authority: Authority<'_>) -> Option<&ServiceHost> {
        let hosts = match self.by_name.is_empty() {
            true => self.all.as_slice(),
            false => self.by_name.get(&*lower_case(authority.host))?,
        };
        let mut named = hosts
            .iter()
            .filter(|host| host.host.eq_ignore_ascii_case(authority.host));
        let is_on = |host: &&ServiceHost, asked| host.port.is_none_or(|port| port == asked);
        match authority.port {
            Some(port) => named.find(|host| is_on(host, port)),
            None => {
                let first = named.next()?;
                let mut candidates = std::iter::once(first).chain(named);
                Some(candidates.find(|host| is_on(host, 80)).unwrap_or(first))
            }
        }
    }
}
