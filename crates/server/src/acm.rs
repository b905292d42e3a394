//! Certificates of AWS Certificate Manager: a spec names them by ARN, and here an ARN means files.
//!
//! What is not mapped stays as it is, and the proxy says of it that it cannot be had.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use view::{Certificate, NodeView, Trust};

/// By ARN: of a certificate, or of a private authority.
pub type AcmFiles = BTreeMap<String, AcmFile>;

/// Files in PEM, read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcmFile {
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// Whom callers believe: the authority itself, or the one that signed the certificate.
    pub authority: Option<PathBuf>,
}

impl AcmFile {
    /// What is wrong with this entry, if anything is.
    pub(crate) fn refusal(&self, arn: &str) -> Option<String> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let names_one = match parts[..] {
            ["arn", _, "acm", _, _, what] => what.starts_with("certificate/"),
            ["arn", _, "acm-pca", _, _, what] => what.starts_with("certificate-authority/"),
            _ => false,
        };
        let wrong = if !names_one {
            "is no ARN of a certificate or authority: write arn:aws:acm:REGION:ACCOUNT:certificate/ID \
             or arn:aws:acm-pca:REGION:ACCOUNT:certificate-authority/ID"
        } else if self.certificate.is_some() != self.key.is_some() {
            "has only one of certificate and key, which go together"
        } else if self.certificate.is_none() && self.authority.is_none() {
            "names no file"
        } else {
            return None;
        };
        Some(format!("`{}` {wrong}", arn.escape_debug()))
    }

    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self {
            certificate,
            key,
            authority,
        } = self;
        [certificate, key, authority].into_iter().flatten()
    }
}

/// Replaces the ARNs of a view by files, where they are mapped.
pub(crate) fn resolve(view: &mut NodeView, files: &AcmFiles) {
    for tls in view.listeners.iter_mut().filter_map(|l| l.tls.as_mut()) {
        certificate(&mut tls.certificate, files);
        if let Some(client_trust) = &mut tls.client_trust {
            trust(client_trust, files);
        }
    }
    for tls in view.clusters.iter_mut().filter_map(|c| c.tls.as_mut()) {
        if let Some(own) = &mut tls.certificate {
            certificate(own, files);
        }
        if let Some(server_trust) = &mut tls.trust {
            trust(server_trust, files);
        }
    }
}

fn certificate(named: &mut Certificate, files: &AcmFiles) {
    if let Certificate::Acm { arn } = named
        && let Some(file) = files.get(arn)
        && let (Some(chain), Some(key)) = (&file.certificate, &file.key)
    {
        *named = Certificate::File {
            chain: chain.display().to_string(),
            key: key.display().to_string(),
        };
    }
}

/// Several authorities are one bundle: those of one spec must be in the same file.
fn trust(named: &mut Trust, files: &AcmFiles) {
    let Trust::Acm { authorities } = named else {
        return;
    };
    let mut mapped = authorities
        .iter()
        .map(|arn| files.get(arn)?.authority.as_ref());
    if let Some(Some(first)) = mapped.next()
        && mapped.all(|other| other == Some(first))
    {
        *named = Trust::File {
            chain: first.display().to_string(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> AcmFiles {
        let file = |certificate: Option<&str>, authority: Option<&str>| AcmFile {
            certificate: certificate.map(PathBuf::from),
            key: certificate.map(|name| PathBuf::from(format!("{name}.key"))),
            authority: authority.map(PathBuf::from),
        };
        BTreeMap::from([
            ("arn:c".into(), file(Some("/c"), Some("/ca"))),
            ("arn:1".into(), file(None, Some("/ca"))),
            ("arn:2".into(), file(None, Some("/ca"))),
            ("arn:3".into(), file(None, Some("/other"))),
        ])
    }

    #[test]
    fn an_arn_means_files_where_it_is_mapped() {
        let acm = |arn: &str| Certificate::Acm { arn: arn.into() };
        let mut own = acm("arn:c");
        certificate(&mut own, &files());
        let (chain, key) = ("/c".into(), "/c.key".into());
        assert_eq!(own, Certificate::File { chain, key });
        for unknown in ["arn:1", "arn:x"] {
            let mut unmapped = acm(unknown);
            certificate(&mut unmapped, &files());
            assert_eq!(unmapped, acm(unknown));
        }
    }

    #[test]
    fn an_entry_that_no_spec_could_use_is_refused() {
        let certificate = "arn:aws:acm:eu-central-1:111122223333:certificate/1";
        let authority = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/2";
        let file = |names: [bool; 3]| {
            let [certificate, key, authority] = names.map(|is_there| is_there.then(PathBuf::new));
            AcmFile {
                certificate,
                key,
                authority,
            }
        };
        for (arn, names) in [
            (certificate, [true, true, false]),
            (authority, [false, false, true]),
        ] {
            assert_eq!(file(names).refusal(arn), None);
        }
        for (arn, names, words) in [
            ("certificate/1", [true; 3], "is no ARN"),
            ("arn:aws:iam::1:role/x", [true; 3], "is no ARN"),
            (certificate, [true, false, true], "only one of"),
            (authority, [false; 3], "no file"),
        ] {
            let refusal = file(names).refusal(arn).unwrap();
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    #[test]
    fn authorities_must_all_be_in_one_file() {
        for (arns, file) in [
            (&["arn:c"][..], Some("/ca")),
            (&["arn:1", "arn:2"], Some("/ca")),
            (&["arn:1", "arn:3"], None),
            (&["arn:1", "arn:x"], None),
            (&["arn:x"], None),
            (&[], None),
        ] {
            let acm = Trust::Acm {
                authorities: arns.iter().map(ToString::to_string).collect(),
            };
            let expected = file.map_or(acm.clone(), |file| Trust::File { chain: file.into() });
            let mut named = acm;
            trust(&mut named, &files());
            assert_eq!(named, expected, "{arns:?}");
        }
    }
}
