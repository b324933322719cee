//! The control daemon casemated and the operator's command casemate.
//!
//! Two programs share this crate because they share the API's words; what the
//! daemon may do (the journal, the keys, the TPM) the CLI never touches: it has
//! nothing but the socket.

#![forbid(unsafe_code)]

pub mod api;
pub mod artifact;
pub mod audit;
pub mod cli;
pub mod code;
pub mod daemon;
pub mod evidence;
pub mod identity;
pub mod job;
pub mod journal;
pub mod keys;
pub mod store;
