//! Signature Version 4, the verifying side: who signed this request, and is it as it was signed?
//!
//! Pure: secrets, time and the request are arguments. [`Verifier::verify`] reads what a request claims
//! about its signature ([`claim`]: from its `Authorization` header, or from the query of a presigned
//! URL), rebuilds the text that was signed ([`canonical`]), signs that itself ([`signature`]) and
//! compares. No input makes it panic, and no [`Refusal`] holds a secret or the expected signature.

mod canonical;
mod claim;
mod moment;
mod query;
mod refusal;
mod secret;
mod signature;
mod verifier;

pub use refusal::Refusal;
pub use secret::{Credential, Secret};
pub use verifier::{Signer, Verifier};
