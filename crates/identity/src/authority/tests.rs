use std::sync::Arc;

use proptest::prelude::*;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn lifetimes() -> Lifetimes {
    Lifetimes::new(48 * HOUR, 12 * HOUR).unwrap()
}

fn authority() -> Authority {
    Authority::new("m", lifetimes(), State::default(), start()).unwrap()
}

fn subject() -> Subject {
    Subject::of("m", "crystal", vec!["crystal.local".into()])
}

fn roots(bundle: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    roots
}

fn verifies(chain: &str, bundle: &str, at: SystemTime) -> Result<(), rustls::Error> {
    let certificate = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    verify_server_cert_signed_by_trust_anchor(
        &ParsedCertificate::try_from(&certificate).unwrap(),
        &roots(bundle),
        &[],
        UnixTime::since_unix_epoch(since),
        aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .all,
    )
}

#[test]
fn an_identity_is_good_for_both_sides_and_for_its_time() {
    let authority = authority();
    let issued = authority.issue(&subject(), start()).unwrap();
    let bundle = authority.bundle(start());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap()];
    rustls::sign::CertifiedKey::from_der(chain.clone(), key, &provider).unwrap();
    verifies(&issued.chain, &bundle, start()).unwrap();
    verifies(&issued.chain, &bundle, start() + 11 * HOUR).unwrap();
    verifies(&issued.chain, &bundle, start() + 13 * HOUR).unwrap_err();
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&bundle)), provider)
        .build()
        .unwrap()
        .verify_client_cert(
            &chain[0],
            &[],
            UnixTime::since_unix_epoch(start().duration_since(SystemTime::UNIX_EPOCH).unwrap()),
        )
        .unwrap();
    let stranger = Authority::new("m", lifetimes(), State::default(), start()).unwrap();
    verifies(&issued.chain, &stranger.bundle(start()), start()).unwrap_err();
}

#[test]
fn of_a_request_only_the_key_is_taken() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let mut asks = CertificateParams::new(["somebody.else".to_owned()]).unwrap();
    asks.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let request = asks.serialize_request(&key).unwrap().pem().unwrap();
    let signed = authority.sign(&request, &subject(), start()).unwrap();
    let certificate = CertificateDer::from_pem_slice(signed.chain.as_bytes()).unwrap();
    let text = String::from_utf8_lossy(&certificate);
    assert!(text.contains("spiffe://m/crystal") && text.contains("crystal.local"));
    assert!(!text.contains("somebody.else"));
    verifies(&signed.chain, &authority.bundle(start()), start()).unwrap();
    for nonsense in [
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    ] {
        authority.sign(nonsense, &subject(), start()).unwrap_err();
    }
}

#[test]
fn keys_are_not_shown() {
    let authority = authority();
    let issued = authority.issue(&subject(), start()).unwrap();
    let shown = format!("{authority:?} {issued:?} {:?}", authority.state());
    assert!(!shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn lifetimes_leave_room_for_a_rotation() {
    assert!(Lifetimes::new(47 * HOUR, 12 * HOUR).is_err());
    assert!(Lifetimes::new(48 * HOUR, Duration::ZERO).is_err());
    assert!(Lifetimes::new(Duration::MAX, 12 * HOUR).is_err());
    assert!(Lifetimes::new(48 * HOUR, 12 * HOUR).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whoever renews an identity and a bundle at least every half lifetime can verify, and is
    /// verified, at any time, across any number of roots.
    #[test]
    fn bundles_of_the_last_half_lifetime_verify_every_identity(
        steps in proptest::collection::vec(1..120_u32, 1..40),
    ) {
        let mut authority = authority();
        let half = lifetimes().identity / 2;
        let mut now = start();
        let mut seen: Vec<(SystemTime, String, Issued)> = Vec::new();
        for minutes in steps {
            // Tended to at least every two hours.
            now += Duration::from_secs(60) * minutes;
            authority.tend(now).unwrap();
            let issued = authority.issue(&subject(), now).unwrap();
            seen.push((now, authority.bundle(now), issued));
            seen.retain(|(at, ..)| *at + half >= now);
            for (_, bundle, _) in &seen {
                for (_, _, issued) in &seen {
                    prop_assert!(verifies(&issued.chain, bundle, now).is_ok());
                }
            }
        }
    }
}
