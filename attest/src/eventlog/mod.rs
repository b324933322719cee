//! Event logs of measured boot: reading them strictly, replaying them against a quote.
//!
//! A log is a claim. Only the digests of its events are authenticated, by [`ReplayedLog::check`];
//! an event's type, its order against events of other registers, and all payload that its digest
//! does not cover are not.

mod cursor;
mod event;
mod guid;
pub mod kind;
mod parse;
pub mod payload;
mod replay;
mod text;

pub use event::Event;
pub use guid::Guid;
pub use kind::type_name;
pub use parse::{EventLog, LogError};
pub(crate) use replay::has_policy_bank;
pub use replay::{ReplayError, ReplayedEvent, ReplayedLog};
pub use text::{Text, Utf16, shown};
