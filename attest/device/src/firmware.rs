//! The firmware's event log as sealing needs it: read strictly, replayed, Secure Boot judged.
//!
//! This decides whether the appliance may seal to this platform. It is not the
//! verifier's appraisal, which is in `casemate-attest` and does not trust this one.

use casemate_attest::digest::Digest;
use casemate_attest::eventlog::{Event, EventLog, LogError};

use crate::register::PcrValue;

const EV_SEPARATOR: u32 = 0x0000_0004;
const EV_EFI_VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
/// `EFI_GLOBAL_VARIABLE`, as in UEFI_VARIABLE_DATA.
const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];

/// Why a firmware log does not let us start or seal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirmwareError {
    /// Not a crypto-agile log as the verifier reads it.
    #[error("the firmware log: {0}")]
    Log(#[from] LogError),
    /// The log has no SHA-256 bank.
    #[error("the firmware log has no SHA-256 bank")]
    Bank,
    /// Secure Boot does not stand.
    #[error("Secure Boot: {reason}")]
    SecureBoot {
        /// In what way.
        reason: &'static str,
    },
    /// The log does not lead to what the TPM holds.
    #[error("PCR {register} holds {found}, the firmware log leads to {expected}")]
    Replay {
        /// The first register that differs.
        register: u8,
        /// From the log, hexadecimal.
        expected: String,
        /// From the TPM, hexadecimal.
        found: String,
    },
    /// A register to be sealed to was never measured into.
    #[error("PCR {register} is all {byte:#04x}: nothing was measured into it")]
    Unmeasured {
        /// The register.
        register: u8,
        /// 0x00 or 0xFF.
        byte: u8,
    },
}

/// A log that the verifier's strict parser reads, with a SHA-256 bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareLog<'a>(EventLog<'a>);

impl<'a> FirmwareLog<'a> {
    /// Reads a TCG PC Client PFP crypto-agile log.
    ///
    /// # Errors
    /// [`FirmwareError::Log`] with the event that is wrong, or [`FirmwareError::Bank`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FirmwareError> {
        let log = EventLog::parse(bytes)?;
        if log
            .banks()
            .iter()
            .any(|(bank, _)| *bank == crate::number::ALG_SHA256)
        {
            Ok(Self(log))
        } else {
            Err(FirmwareError::Bank)
        }
    }

    /// The events that extend a register, in order.
    pub(crate) fn extending(&self) -> impl Iterator<Item = &Event<'a>> {
        self.0.events().iter().filter(|event| event.extends())
    }

    /// The SHA-256 value of a register below 16 after the log's events.
    #[must_use]
    pub fn replay(&self, register: u8) -> PcrValue {
        let mut start = [0; 32];
        if let (0, Some(locality), [.., last]) = (register, self.0.startup_locality(), &mut start) {
            *last = locality;
        }
        self.extending()
            .filter(|event| event.pcr == register)
            .filter_map(Event::sha256)
            .fold(start, |value, digest| {
                *Digest::of_parts(&[&value, digest.as_bytes()]).as_bytes()
            })
    }

    /// The log leads to these values of the TPM.
    ///
    /// # Errors
    /// [`FirmwareError::Replay`] naming the first register that differs.
    pub fn check_replay(&self, values: &[(u8, PcrValue)]) -> Result<(), FirmwareError> {
        for (register, found) in values {
            let expected = self.replay(*register);
            if expected != *found {
                return Err(FirmwareError::Replay {
                    register: *register,
                    expected: hex::encode(expected),
                    found: hex::encode(found),
                });
            }
        }
        Ok(())
    }

    /// Secure Boot was on and the platform out of setup mode when PCR 7 was measured.
    /// Each variable's payload is re-hashed: an event whose data is not under its digest
    /// counts for nothing.
    ///
    /// # Errors
    /// [`FirmwareError::SecureBoot`] with what is wrong.
    pub fn check_secure_boot(&self) -> Result<(), FirmwareError> {
        let wrong = |reason| FirmwareError::SecureBoot { reason };
        let mut seen: Vec<(String, &[u8])> = Vec::new();
        let mut separated = false;
        for event in self.extending().filter(|event| event.pcr == 7) {
            if event.event_type == EV_SEPARATOR {
                if separated || !digest_covers(event) || event.data != [0; 4] {
                    return Err(wrong("PCR 7's separator is wrong or doubled"));
                }
                separated = true;
            } else if event.event_type == EV_EFI_VARIABLE_DRIVER_CONFIG {
                if separated || !digest_covers(event) {
                    return Err(wrong(
                        "a variable was measured wrongly or after the separator",
                    ));
                }
                let (global, name, data) =
                    variable(event.data).ok_or_else(|| wrong("a variable event is malformed"))?;
                if global {
                    if seen.iter().any(|(known, _)| *known == name) {
                        return Err(wrong("a variable was measured twice"));
                    }
                    seen.push((name, data));
                }
            }
        }
        let data = |name: &str| {
            seen.iter()
                .find(|(known, _)| known == name)
                .map(|(_, d)| *d)
        };
        if !separated {
            return Err(wrong("PCR 7 has no separator"));
        }
        match data("SecureBoot") {
            Some([1]) => {}
            Some([0]) => return Err(wrong("it is off")),
            Some(_) => return Err(wrong("the SecureBoot variable is neither 0 nor 1")),
            None => return Err(wrong("the log has no SecureBoot variable")),
        }
        if data("PK").is_none_or(<[u8]>::is_empty) {
            return Err(wrong("no platform key: the firmware is in setup mode"));
        }
        if data("KEK").is_none_or(<[u8]>::is_empty) {
            return Err(wrong("no key exchange key"));
        }
        Ok(())
    }
}

/// No register to seal to is all zero or all FF.
///
/// # Errors
/// [`FirmwareError::Unmeasured`] naming the register.
pub fn check_measured(values: &[(u8, PcrValue)]) -> Result<(), FirmwareError> {
    for (register, value) in values {
        for byte in [0x00, 0xFF] {
            if *value == [byte; 32] {
                return Err(FirmwareError::Unmeasured {
                    register: *register,
                    byte,
                });
            }
        }
    }
    Ok(())
}

/// The event's SHA-256 digest is that of its data.
fn digest_covers(event: &Event<'_>) -> bool {
    event.sha256() == Some(Digest::of(event.data))
}

/// `UEFI_VARIABLE_DATA`: whether it is a global variable, its name and data.
fn variable(data: &[u8]) -> Option<(bool, String, &[u8])> {
    let (guid, rest) = data.split_at_checked(16)?;
    let (name_length, rest) = rest.split_first_chunk::<8>()?;
    let (data_length, rest) = rest.split_first_chunk::<8>()?;
    let name_bytes = usize::try_from(u64::from_le_bytes(*name_length))
        .ok()?
        .checked_mul(2)?;
    let (name, value) = rest.split_at_checked(name_bytes)?;
    if usize::try_from(u64::from_le_bytes(*data_length)).ok()? != value.len() {
        return None;
    }
    let units = name
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit));
    let name = char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .ok()?;
    Some((guid == GLOBAL, name, value))
}
