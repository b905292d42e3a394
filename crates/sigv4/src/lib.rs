//! Signature Version 4, the verifying side: who signed this request, and is it as it was signed?
//!
//! Pure: secrets, time and the request are arguments.
