//! Sessions that servers gave us, to go on without a whole handshake.
//!
//! A cluster's endpoints share a name and not their keys, so sessions are kept by address, where rustls
//! would keep them by name. They belong to one configuration: with other trust they begin anew.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// More endpoints than most clusters have; beyond it, sessions are a loss that costs only handshakes.
const MAX_ENDPOINTS: usize = 1024;
/// A TLS 1.3 session is used once; servers commonly give two at a time.
const MAX_TICKETS: usize = 8;

#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<SocketAddr, Known>>);

#[derive(Default)]
struct Known {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
}

/// The sessions of one endpoint.
#[derive(Debug)]
pub(super) struct OfEndpoint {
    pub(super) address: SocketAddr,
    pub(super) sessions: Arc<Sessions>,
}

impl OfEndpoint {
    fn known<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        let mut all = self.sessions.all();
        if all.len() >= MAX_ENDPOINTS && !all.contains_key(&self.address) {
            all.clear();
        }
        act(all.entry(self.address).or_default())
    }
}

impl Sessions {
    /// What the endpoint gave us stands for a certificate that is believed no more.
    pub(super) fn forget(&self, address: SocketAddr) {
        self.all().remove(&address);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SocketAddr, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for OfEndpoint {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.known(|known| known.group = Some(group));
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.known(|known| known.group)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.known(|known| known.tls12 = Some(value));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.known(|known| known.tls12.clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.known(|known| known.tls12 = None);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.known(|known| {
            if known.tls13.len() == MAX_TICKETS {
                known.tls13.pop_front();
            }
            known.tls13.push_back(value);
        });
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.known(|known| known.tls13.pop_back())
    }
}

/// Sessions hold keys.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}
