//! The App Mesh API: 38 operations of the public service model, over a [`store`].
//!
//! [`AppMesh`] turns one HTTP request into one HTTP response and knows no socket: whoever listens has
//! checked the signature, and says who calls and what time it is.
