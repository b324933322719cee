//! What no boot may do, whatever release or enrolment say.

use crate::code::{self, Code};
use crate::messages::subjects::Subject;

/// A rule of the boot that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The firmware never drew the line under a register.
    #[error("register {pcr}: no separator")]
    NoSeparator {
        /// The register.
        pcr: u8,
    },
    /// It drew it twice.
    #[error("register {pcr}: {place} is a second separator")]
    SecondSeparator {
        /// The register.
        pcr: u8,
        /// Where it stands.
        place: String,
    },
    /// The firmware says that it could not measure.
    #[error("register {pcr}: {place} reports an error, or is no separator at all")]
    SeparatorError {
        /// The register.
        pcr: u8,
        /// Where it stands.
        place: String,
    },
    /// Something came after the line that may only come before it.
    #[error("register {pcr}: {place} comes after the separator")]
    AfterSeparator {
        /// The register.
        pcr: u8,
        /// Where it stands.
        place: String,
    },
    /// A register of the image has an event of a kind that does not belong there.
    #[error("register {pcr}: {place} is of a kind that does not belong there: {says}")]
    UnknownEvent {
        /// The register.
        pcr: u8,
        /// Where it stands.
        place: String,
        /// What it says of itself.
        says: String,
    },
    /// Secure Boot is not on.
    #[error("the variable SecureBoot is {found}")]
    SecureBootOff {
        /// Its value, hexadecimal.
        found: String,
    },
    /// A variable of Secure Boot was never measured.
    #[error("the variable {name} was never measured")]
    VariableMissing {
        /// Its name.
        name: &'static str,
    },
    /// A variable was measured twice.
    #[error("{place} measures the variable {name} again")]
    VariableTwice {
        /// Its name.
        name: String,
        /// Where it stands.
        place: String,
    },
    /// A variable was measured after Secure Boot's policy was closed.
    #[error("{place} measures the variable {name} after the separator")]
    VariableLate {
        /// Its name.
        name: String,
        /// Where it stands.
        place: String,
    },
    /// A key database that must hold something holds nothing.
    #[error("{name} is empty: the firmware is in setup mode, or trusts nothing that it boots")]
    DatabaseEmpty {
        /// Its name.
        name: &'static str,
    },
    /// A variable's value is not of its form.
    #[error("{place}: {name} cannot be read: {reason}")]
    VariableMalformed {
        /// Its name.
        name: String,
        /// Where it stands.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The firmware was in a debug mode.
    #[error("{place} says: {says}")]
    DebugMode {
        /// Where it stands.
        place: String,
        /// The firmware's words.
        says: String,
    },
    /// Nothing says by what authority the image was started.
    #[error("no entry of db was measured as the one that allowed the image")]
    NoAuthority,
    /// Boot options were tried before ours.
    #[error("{place}: {what}; the release allows {allowed} boot options that come to nothing")]
    Attempt {
        /// Where it stands.
        place: String,
        /// What happened.
        what: String,
        /// How many failed attempts the release allows.
        allowed: u64,
    },
    /// `ExitBootServices` is missing.
    #[error("register 5 does not end with ExitBootServices called and returned with success")]
    NoExit,
    /// Something was measured after it.
    #[error("register 5: {place} comes after ExitBootServices")]
    AfterExit {
        /// Where it stands.
        place: String,
    },
    /// A platform register's event is given out as another kind than at enrolment.
    #[error("register {pcr}: {place} was {expected} at enrolment")]
    Retyped {
        /// The register.
        pcr: u8,
        /// Where it stands.
        place: String,
        /// Its kind then.
        expected: &'static str,
    },
}

impl Violation {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::NoSeparator { .. } => &code::SEPARATOR_MISSING,
            Self::SecondSeparator { .. } => &code::SEPARATOR_TWICE,
            Self::SeparatorError { .. } => &code::SEPARATOR_ERROR,
            Self::AfterSeparator { .. } => &code::SEPARATOR_AFTER,
            Self::UnknownEvent { .. } => &code::REGISTER_KIND,
            Self::SecureBootOff { .. } => &code::SECURE_BOOT_OFF,
            Self::VariableMissing { .. } => &code::SECURE_BOOT_MISSING,
            Self::VariableTwice { .. } => &code::SECURE_BOOT_TWICE,
            Self::VariableLate { .. } => &code::SECURE_BOOT_LATE,
            Self::DatabaseEmpty { .. } => &code::SECURE_BOOT_EMPTY,
            Self::VariableMalformed { .. } => &code::SECURE_BOOT_MALFORMED,
            Self::DebugMode { .. } => &code::SECURE_BOOT_DEBUG,
            Self::NoAuthority => &code::SECURE_BOOT_AUTHORITY,
            Self::Attempt { .. } => &code::LOADER_ATTEMPT,
            Self::NoExit => &code::EXIT_MISSING,
            Self::AfterExit { .. } => &code::EXIT_AFTER,
            Self::Retyped { .. } => &code::PLATFORM_TYPE,
        }
    }

    /// What of the verdict it belongs to.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        match self {
            Self::UnknownEvent { pcr: 7, .. }
            | Self::SecureBootOff { .. }
            | Self::VariableMissing { .. }
            | Self::VariableTwice { .. }
            | Self::VariableLate { .. }
            | Self::DatabaseEmpty { .. }
            | Self::VariableMalformed { .. }
            | Self::DebugMode { .. }
            | Self::NoAuthority => Subject::SecureBoot,
            _ => Subject::Registers,
        }
    }

    /// The register.
    #[must_use]
    pub const fn pcr(&self) -> u8 {
        match self {
            Self::NoSeparator { pcr }
            | Self::SecondSeparator { pcr, .. }
            | Self::SeparatorError { pcr, .. }
            | Self::AfterSeparator { pcr, .. }
            | Self::UnknownEvent { pcr, .. }
            | Self::Retyped { pcr, .. } => *pcr,
            Self::Attempt { .. } => 4,
            Self::NoExit | Self::AfterExit { .. } => 5,
            _ => 7,
        }
    }

    /// What was expected and what was found.
    #[must_use]
    pub fn sides(&self) -> (String, String) {
        let sides = |expected: &str, found: &str| (expected.to_owned(), found.to_owned());
        match self {
            Self::NoSeparator { .. } => sides("one separator", "none"),
            Self::SecondSeparator { .. } => sides("one separator", "two"),
            Self::SeparatorError { place, .. } => sides("a separator of 0 or ffffffff", place),
            Self::AfterSeparator { place, .. } => sides("nothing of this kind", place),
            Self::UnknownEvent { says, .. } => sides("an event of a known kind", says),
            Self::SecureBootOff { found } => sides("one byte, 01", found),
            Self::VariableMissing { name } | Self::DatabaseEmpty { name } => sides(name, "nothing"),
            Self::VariableTwice { name, .. } => sides(&format!("{name} once"), "twice"),
            Self::VariableLate { name, .. } => {
                sides(&format!("{name} before the separator"), "after it")
            }
            Self::VariableMalformed { name, reason, .. } => sides(name, reason),
            Self::DebugMode { says, .. } => sides("no debug mode", says),
            Self::NoAuthority => sides("an entry of db", "none"),
            Self::Attempt { what, allowed, .. } => {
                sides(&format!("at most {allowed} failed attempts"), what)
            }
            Self::NoExit => sides("Exit Boot Services Returned with Success", "not at the end"),
            Self::AfterExit { place } => sides("nothing more", place),
            Self::Retyped {
                expected, place, ..
            } => sides(expected, place),
        }
    }
}
