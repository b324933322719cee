//! Event logs of measured boot: reading them strictly, replaying them against a quote.
//!
//! A log is a claim. Only the digests of its events are authenticated, by [`ReplayedLog::check`];
//! an event's type, its order against events of other registers, and all payload that its digest
//! does not cover are not.

mod bank;
mod coverage;
mod cursor;
mod error;
mod event;
mod guid;
mod header;
pub mod kind;
mod log;
mod parse;
pub mod payload;
mod registers;
mod replay;
mod text;
pub mod userspace;

pub use crate::tpm::bank_name;
pub use bank::{BankDigest, bank_digest, bank_of_name, bank_size};
pub use coverage::Coverage;
pub use error::LogError;
pub use event::Event;
pub use guid::Guid;
pub use header::{Form, SpecId};
pub use kind::type_name;
pub use log::Log;
pub use parse::{EventLog, MAX_EVENTS, MAX_LOG, MAX_PCR, NO_REGISTER};
pub use registers::{Register, all_banks, not_replayed};
pub(crate) use replay::has_policy_bank;
pub use replay::{ReplayError, ReplayedEvent, ReplayedLog};
pub use text::{Text, Utf16, shown};
pub use userspace::{UserspaceEvent, UserspaceLog};
