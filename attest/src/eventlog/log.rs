//! A log of either kind, told apart by its first byte.

use super::error::LogError;
use super::parse::EventLog;
use super::userspace::UserspaceLog;

/// A log: of firmware in one of the TCG's forms, or of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log<'b> {
    /// The TCG's.
    Firmware(EventLog<'b>),
    /// systemd's.
    Userspace(UserspaceLog<'b>),
}

impl<'b> Log<'b> {
    /// Reads a log to its last byte.
    ///
    /// # Errors
    /// [`LogError`], with the event that is wrong.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, LogError> {
        if UserspaceLog::is_it(bytes) {
            UserspaceLog::parse(bytes).map(Self::Userspace)
        } else {
            EventLog::parse(bytes).map(Self::Firmware)
        }
    }

    /// The banks, `TPM_ALG_ID` and digest size, that every event extends.
    #[must_use]
    pub fn banks(&self) -> &[(u16, usize)] {
        match self {
            Self::Firmware(log) => log.banks(),
            Self::Userspace(log) => log.banks(),
        }
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Firmware(log) => log.events().len(),
            Self::Userspace(log) => log.events().len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The locality that the log says the TPM was started from.
    #[must_use]
    pub const fn startup_locality(&self) -> Option<u8> {
        match self {
            Self::Firmware(log) => log.startup_locality(),
            Self::Userspace(_) => None,
        }
    }

    /// The register and the digest of this bank of every event that extends one, in order.
    pub fn extends(&self, bank: u16) -> Box<dyn Iterator<Item = (u8, &[u8])> + '_> {
        match self {
            Self::Firmware(log) => {
                let extending = log.events().iter().filter(|event| event.extends());
                Box::new(extending.filter_map(move |event| Some((event.pcr, event.digest(bank)?))))
            }
            Self::Userspace(log) => {
                let extending = log.events().iter().filter(|event| event.extends());
                Box::new(extending.filter_map(move |event| Some((event.pcr, event.digest(bank)?))))
            }
        }
    }
}
