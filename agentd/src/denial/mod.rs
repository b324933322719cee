//! Denials, explained: what was denied to a program, by which layer, and which rule
//! would allow it.
//!
//! ```text
//! kernel -- audit stream --> reader (own process) -- facts --> watch (agentd) --> sentence
//! ```
//!
//! [`auditing`] is root's part, before anything is confined. [`reader`] is the one
//! process that sees the stream; [`record`] and [`stream`] are its parser. [`watch`]
//! keeps what belongs to a job; [`sentence`] says it.
//!
//! Guaranteed: nothing here decides anything. A denial that is not explained was
//! denied all the same, and a report from which something is missing says so. Not
//! guaranteed: that every denial is seen. A path that is not there is not denied
//! (ENOENT), and records can be lost.

pub mod auditing;
pub mod fact;
pub mod reader;
pub mod record;
pub mod sentence;
pub mod start;
mod stream;
pub mod watch;

pub use sentence::Held;
pub use start::Started;
pub use watch::{Account, Watch};
