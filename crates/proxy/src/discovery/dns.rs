//! Names to addresses and how long they hold, which `getaddrinfo` does not tell.
//!
//! Asks as this machine is configured to (`/etc/resolv.conf`, `/etc/hosts` first), or the name servers that
//! the data plane was given. Nothing is cached: who asks knows when to ask again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;
use view::IpPreference;

/// One resolver for each family of addresses.
#[derive(Clone)]
pub(crate) struct Dns {
    v4: TokioResolver,
    v6: TokioResolver,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Addresses {
        addresses: Vec<IpAddr>,
        ttl: Duration,
    },
    /// There is no such name, or it has no address.
    Nothing { ttl: Option<Duration> },
}

#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {hostname}: {source}")]
pub(crate) struct LookupError {
    pub(crate) hostname: String,
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

impl Dns {
    /// `servers`: instead of the machine's, where there are any.
    pub(crate) fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        let (config, options) = if servers.is_empty() {
            read_system_conf().unwrap_or_else(|error| {
                tracing::warn!(%error, "no name servers are configured: only /etc/hosts is used");
                <(ResolverConfig, ResolverOpts)>::default()
            })
        } else {
            let servers = servers.iter().copied().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            (config, ResolverOpts::default())
        };
        let resolver = |strategy| {
            let provider = TokioRuntimeProvider::default();
            let mut builder = TokioResolver::builder_with_config(config.clone(), provider);
            let mut options = options.clone();
            options.cache_size = 0;
            options.ip_strategy = strategy;
            *builder.options_mut() = options;
            builder.build()
        };
        Ok(Self {
            v4: resolver(LookupIpStrategy::Ipv4Only)?,
            v6: resolver(LookupIpStrategy::Ipv6Only)?,
        })
    }

    /// The addresses of the preferred family, or of the other one where it has none and either will do.
    pub(crate) async fn lookup(
        &self,
        hostname: &str,
        preference: IpPreference,
    ) -> Result<Answer, LookupError> {
        let (first, second) = match preference {
            IpPreference::Unset | IpPreference::V4Preferred => (&self.v4, Some(&self.v6)),
            IpPreference::V6Preferred => (&self.v6, Some(&self.v4)),
            IpPreference::V4Only => (&self.v4, None),
            IpPreference::V6Only => (&self.v6, None),
        };
        match (ask(first, hostname).await?, second) {
            (Answer::Nothing { .. }, Some(second)) => ask(second, hostname).await,
            (answer, _) => Ok(answer),
        }
    }
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dns").finish_non_exhaustive()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    let connections: [&mut ConnectionConfig; 2] = match server.connections.as_mut_slice() {
        [udp, tcp] => [udp, tcp],
        _ => return server,
    };
    for connection in connections {
        connection.port = address.port();
    }
    server
}

async fn ask(resolver: &TokioResolver, hostname: &str) -> Result<Answer, LookupError> {
    match resolver.lookup_ip(hostname).await {
        Ok(found) => {
            let records = found.as_lookup().answers().iter();
            let ttl = records.map(|record| record.ttl).min().unwrap_or_default();
            let addresses: Vec<IpAddr> = found.iter().collect();
            let ttl = Duration::from_secs(ttl.into());
            Ok(match addresses.is_empty() {
                true => Answer::Nothing { ttl: Some(ttl) },
                false => Answer::Addresses { addresses, ttl },
            })
        }
        Err(error) if error.is_no_records_found() => {
            let ttl = match &error {
                NetError::Dns(hickory_resolver::net::DnsError::NoRecordsFound(none)) => {
                    none.negative_ttl
                }
                _ => None,
            };
            let ttl = ttl.map(|seconds| Duration::from_secs(seconds.into()));
            Ok(Answer::Nothing { ttl })
        }
        Err(error) => Err(LookupError {
            hostname: hostname.to_owned(),
            source: error.into(),
        }),
    }
}
