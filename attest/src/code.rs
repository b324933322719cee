//! Every stable code of the verifier and its formats, with what it means and what to do next.
//!
//! docs/errors.md and `attest explain` are made from this list. The sentences, in every language,
//! stand in [`crate::messages::codes`]; a code is added there.

use std::sync::LazyLock;

pub use crate::messages::codes::audit::*;
pub use crate::messages::codes::boot::*;
pub use crate::messages::codes::certificate::*;
pub use crate::messages::codes::file::*;
pub use crate::messages::codes::history::*;
pub use crate::messages::codes::identity::*;
pub use crate::messages::codes::log::*;
pub use crate::messages::codes::member::*;
pub use crate::messages::codes::predict::*;
pub use crate::messages::codes::quote::*;
pub use crate::messages::codes::register::*;
pub use crate::messages::codes::release::*;
pub use crate::messages::codes::revocation::*;
pub use crate::messages::codes::single::*;
pub use crate::messages::codes::verdict::*;

/// A stable code.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `area.reason`; never reused for another meaning.
    pub id: &'static str,
    /// What it means, one plain sentence, in English.
    pub what: &'static str,
    /// What the operator does next, in English.
    pub next: &'static str,
}

/// Every code, area by area.
pub static CODES: LazyLock<Vec<&'static Code>> = LazyLock::new(|| {
    crate::messages::codes::all()
        .map(|(code, _)| *code)
        .collect()
});

/// The code with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Code> {
    CODES.iter().copied().find(|code| code.id == id)
}

/// The code of each altered member, in the order of [`crate::evidence::MEMBERS`].
pub const MEMBER_CODES: [&Code; 15] = [
    &MEMBER_FORMAT,
    &MEMBER_CHALLENGE,
    &MEMBER_ENROLMENT,
    &MEMBER_EK_PUBLIC,
    &MEMBER_EK_CERTIFICATE,
    &MEMBER_AK_PUBLIC,
    &MEMBER_ACTIVATION,
    &MEMBER_RELEASE,
    &MEMBER_FIRMWARE_LOG,
    &MEMBER_RUNTIME_LOG,
    &MEMBER_LOG_KEY,
    &MEMBER_AUDIT,
    &MEMBER_ARTIFACTS,
    &MEMBER_CLOCK,
    &MEMBER_STATEMENTS,
];
