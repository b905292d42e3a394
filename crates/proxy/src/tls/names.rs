//! Subject alternative names: who a certificate says its owner is, and whether that is who was asked for.
//!
//! As with App Mesh's Envoy, one wanted name is enough, names are compared whole, DNS names without regard
//! to case, and a certificate's `*` stands for one label of a DNS name.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectName {
    Dns(String),
    Uri(String),
    Ip(IpAddr),
    Email(String),
}

impl SubjectName {
    pub(super) fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Dns(name) => dns_matches(name, wanted),
            Self::Uri(name) | Self::Email(name) => name == wanted,
            Self::Ip(address) => wanted.parse() == Ok(*address),
        }
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) | Self::Uri(name) | Self::Email(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// The names of a certificate; `None` where it is not valid X.509.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Vec<SubjectName>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    names(&certificate)
}

pub(super) fn names(certificate: &X509Certificate<'_>) -> Option<Vec<SubjectName>> {
    let Some(extension) = certificate.subject_alternative_name().ok()? else {
        return Some(Vec::new());
    };
    let names = extension.value.general_names.iter();
    Some(names.filter_map(subject_name).collect())
}

fn subject_name(name: &GeneralName<'_>) -> Option<SubjectName> {
    Some(match name {
        GeneralName::DNSName(name) => SubjectName::Dns((*name).to_owned()),
        GeneralName::URI(name) => SubjectName::Uri((*name).to_owned()),
        GeneralName::RFC822Name(name) => SubjectName::Email((*name).to_owned()),
        GeneralName::IPAddress(octets) => SubjectName::Ip(match octets.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(*octets).ok()?),
            _ => IpAddr::from(<[u8; 16]>::try_from(*octets).ok()?),
        }),
        _ => return None,
    })
}

/// Whether one of `names` is one of `wanted`; where nothing is wanted, any will do.
pub(super) fn any_is_wanted(names: &[SubjectName], wanted: &[String]) -> bool {
    wanted.is_empty()
        || wanted
            .iter()
            .any(|wanted| names.iter().any(|name| name.is(wanted)))
}

fn dns_matches(pattern: &str, wanted: &str) -> bool {
    match pattern.strip_prefix("*.") {
        // A star for a whole domain such as `com` is nobody's to have.
        Some(domain) if domain.contains('.') => wanted
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
        _ => pattern.eq_ignore_ascii_case(wanted),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_match_whole() {
        for (pattern, wanted, expected) in [
            ("a.example", "a.example", true),
            ("A.Example", "a.eXample", true),
            ("a.example", "b.a.example", false),
            ("a.example", "a.example.org", false),
            ("*.svc.local", "a.svc.local", true),
            ("*.svc.local", "b.a.svc.local", false),
            ("*.svc.local", ".svc.local", false),
            ("*.svc.local", "svc.local", false),
            ("*.local", "a.local", false),
            ("a*.svc.local", "ab.svc.local", false),
            ("*", "a", false),
        ] {
            assert_eq!(
                SubjectName::Dns(pattern.into()).is(wanted),
                expected,
                "{pattern} {wanted}"
            );
        }
        let uri = SubjectName::Uri("spiffe://mesh/Node".into());
        assert!(uri.is("spiffe://mesh/Node"));
        assert!(!uri.is("spiffe://mesh/node"));
        assert!(!uri.is("spiffe://mesh/Node/"));
        let address = SubjectName::Ip("::1".parse().unwrap());
        assert!(address.is("0:0::1"));
        assert!(!address.is("::2"));
    }

    proptest! {
        /// A name is matched by itself and by the star of its domain, and by nothing longer or shorter.
        #[test]
        fn a_star_stands_for_exactly_one_label(
            label in "[a-z][a-z0-9-]{0,8}",
            domain in "[a-z]{1,6}\\.[a-z]{2,5}",
        ) {
            let name = format!("{label}.{domain}");
            let star = SubjectName::Dns(format!("*.{domain}"));
            prop_assert!(star.is(&name));
            prop_assert!(star.is(&name.to_ascii_uppercase()));
            prop_assert!(!star.is(&domain));
            let deeper = format!("x.{name}");
            prop_assert!(!star.is(&deeper));
            prop_assert!(!SubjectName::Dns(domain).is(&name));
        }

        /// One that is wanted is enough, wherever it stands; none is none.
        #[test]
        fn one_wanted_name_is_enough(
            own in proptest::collection::vec("[a-f]{1,3}", 0..5),
            wanted in proptest::collection::vec("[a-f]{1,3}", 0..5),
        ) {
            let names: Vec<_> = own.iter().cloned().map(SubjectName::Uri).collect();
            let expected = wanted.is_empty() || own.iter().any(|name| wanted.contains(name));
            prop_assert_eq!(any_is_wanted(&names, &wanted), expected);
        }
    }
}
