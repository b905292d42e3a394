//! The steps from a request to its signer.

use std::time::{Duration, SystemTime};

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use crate::canonical::{self, must_be_signed};
use crate::claim::{Claim, Place};
use crate::query::Query;
use crate::signature::sha256;
use crate::{Credential, Refusal, Secret, moment};

/// What every signature must be made for, and how exactly clocks must agree.
#[derive(Debug, Clone)]
pub struct Verifier {
    pub region: String,
    pub service: String,
    /// How far a signature may lie in the past or in the future.
    pub skew: Duration,
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    pub access_key_id: String,
}

impl Verifier {
    /// As AWS's clients expect it.
    pub const SKEW: Duration = Duration::from_secs(5 * 60);

    pub fn new(region: impl Into<String>, service: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            service: service.into(),
            skew: Self::SKEW,
        }
    }

    /// Finds out who signed a request, and that nothing of it changed since.
    pub fn verify<'k>(
        &self,
        parts: &Parts,
        body: &[u8],
        credential_of: impl Fn(&str) -> Option<&'k Credential>,
        now: SystemTime,
    ) -> Result<Signer, Refusal> {
        let query = Query::read(parts.uri.query().unwrap_or_default());
        let claim = Claim::read(&parts.headers, &query)?;
        self.check_scope(&claim)?;
        self.check_time(&claim, now)?;
        check_signed_headers(&parts.headers, &claim)?;
        let payload = sha256(body);
        check_payload(&parts.headers, &payload)?;

        let request = canonical::request(parts, &query, &claim, &payload)?;
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            moment::written(claim.signed_at),
            claim.scope.written(),
            sha256(&request),
        );
        check_signature(&claim, &text, credential_of(&claim.access_key_id))?;
        Ok(Signer {
            access_key_id: claim.access_key_id,
        })
    }

    fn check_scope(&self, claim: &Claim) -> Result<(), Refusal> {
        let day = moment::day(claim.signed_at);
        let scope = &claim.scope;
        for (part, given, expected) in [
            ("the day of the request", &scope.day, &day),
            ("the region", &scope.region, &self.region),
            ("the service", &scope.service, &self.service),
        ] {
            if given != expected {
                return Err(Refusal::Scope {
                    part,
                    given: given.clone(),
                    expected: expected.clone(),
                });
            }
        }
        Ok(())
    }

    fn check_time(&self, claim: &Claim, now: SystemTime) -> Result<(), Refusal> {
        let now = Timestamp::try_from(now).unwrap_or(Timestamp::MAX);
        let signed = claim.signed_at;
        let age = now.duration_since(signed);
        let skew = SignedDuration::try_from(self.skew).unwrap_or(SignedDuration::MAX);
        if age < -skew {
            return Err(Refusal::NotYetCurrent { signed, now });
        }
        let good_for = match claim.place {
            Place::Header => self.skew,
            Place::Query { lifetime } => lifetime,
        };
        if Duration::try_from(age).is_ok_and(|age| age > good_for) {
            return Err(Refusal::Expired {
                signed,
                good_for,
                now,
            });
        }
        Ok(())
    }
}

fn check_signed_headers(headers: &HeaderMap, claim: &Claim) -> Result<(), Refusal> {
    // The host is part of every request, if not always of its headers.
    let sent = headers.keys().chain([&HOST]);
    let unsigned = |name: &&HeaderName| {
        must_be_signed(name, claim.place)
            && !claim
                .signed_headers
                .iter()
                .any(|signed| name.as_str() == signed)
    };
    match sent.into_iter().find(unsigned) {
        Some(name) => Err(Refusal::HeaderNotSigned(name.to_string())),
        None => Ok(()),
    }
}

fn check_payload(headers: &HeaderMap, payload: &str) -> Result<(), Refusal> {
    for stated in headers.get_all("x-amz-content-sha256") {
        match stated.to_str().unwrap_or_default().trim() {
            stated if stated == payload => {}
            "UNSIGNED-PAYLOAD" => return Err(Refusal::PayloadNotSigned),
            stated if stated.starts_with("STREAMING-") => {
                return Err(Refusal::PayloadInChunks(stated.to_owned()));
            }
            _ => return Err(Refusal::Payload),
        }
    }
    Ok(())
}

/// An unknown key costs the same work as a wrong signature, and who has the wrong secret hears nothing
/// about the session token.
fn check_signature(
    claim: &Claim,
    text: &str,
    credential: Option<&Credential>,
) -> Result<(), Refusal> {
    let nobody = Secret::from(String::new());
    let secret = credential.map_or(&nobody, |credential| &credential.secret_access_key);
    let expected = claim.scope.signature(secret, text);
    let is_equal = bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes()));
    let Some(credential) = credential else {
        return Err(Refusal::UnknownKey);
    };
    if !is_equal {
        return Err(Refusal::Signature);
    }
    match (&credential.session_token, &claim.session_token) {
        (None, None) => Ok(()),
        (Some(token), Some(brought)) if token.equals(brought) => Ok(()),
        (Some(_), _) => Err(Refusal::SessionToken),
        (None, Some(_)) => Err(Refusal::NoSessionToken),
    }
}
