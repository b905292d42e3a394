//! Who an identity is for: one URI, as SPIFFE has it, and the DNS names that its callers may know.

use rcgen::SanType;

use crate::Error;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub uri: String,
    pub dns: Vec<String>,
}

impl Subject {
    /// `spiffe://<mesh>/<name>`.
    pub fn of(mesh: &str, name: &str, dns: Vec<String>) -> Self {
        Self {
            uri: format!("spiffe://{mesh}/{name}"),
            dns,
        }
    }

    pub(crate) fn names(&self) -> Result<Vec<SanType>, Error> {
        let uri = SanType::URI(ascii(&self.uri)?);
        let dns = self
            .dns
            .iter()
            .map(|name| Ok(SanType::DnsName(ascii(name)?)));
        std::iter::once(Ok(uri)).chain(dns).collect()
    }
}

fn ascii(name: &str) -> Result<rcgen::string::Ia5String, Error> {
    name.try_into().map_err(|_| Error::Name {
        name: name.to_owned(),
    })
}
