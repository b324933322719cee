//! The firmware's event log as sealing needs it: read strictly, replayed, Secure Boot judged.
//!
//! This decides whether the appliance may seal to this platform. It is not the
//! verifier's appraisal, which is in `casemate-attest` and does not trust this one.

use sha2::{Digest as _, Sha256};

use crate::register::PcrValue;

/// Most bytes of a log that are read.
const LOG_LIMIT: usize = 4 << 20;
const EV_NO_ACTION: u32 = 0x0000_0003;
const EV_SEPARATOR: u32 = 0x0000_0004;
const EV_EFI_VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
/// `EFI_GLOBAL_VARIABLE`, as in UEFI_VARIABLE_DATA.
const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];

/// Why a firmware log does not let us start or seal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirmwareError {
    /// Not a crypto-agile log with a SHA-256 bank.
    #[error("the firmware log is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Where reading stopped.
        offset: usize,
        /// What was wrong there.
        reason: &'static str,
    },
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

/// One event of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The register.
    pub register: u32,
    /// The event's type, which no digest covers.
    pub kind: u32,
    /// One digest for each bank: TPM algorithm id and digest.
    pub digests: Vec<(u16, &'a [u8])>,
    /// The data, covered by the digest for some types only.
    pub data: &'a [u8],
}

/// A log that parses to its last byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirmwareLog<'a> {
    /// The events in order, without the specification header.
    pub events: Vec<Event<'a>>,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn error(&self, reason: &'static str) -> FirmwareError {
        FirmwareError::Malformed { offset: self.offset, reason }
    }

    fn raw(&mut self, length: usize) -> Result<&'a [u8], FirmwareError> {
        let end = self.offset.checked_add(length).ok_or_else(|| self.error("size overflows"))?;
        let part =
            self.bytes.get(self.offset..end).ok_or_else(|| self.error("the log ends here"))?;
        self.offset = end;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FirmwareError> {
        let part = self.raw(N)?;
        part.try_into().map_err(|_| self.error("the log ends here"))
    }

    fn u16(&mut self) -> Result<u16, FirmwareError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, FirmwareError> {
        self.array().map(u32::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, FirmwareError> {
        usize::try_from(self.u32()?).map_err(|_| self.error("size overflows"))
    }
}

impl<'a> FirmwareLog<'a> {
    /// Reads a TCG PC Client PFP crypto-agile log (1.05, section 10).
    ///
    /// # Errors
    /// [`FirmwareError::Malformed`] with the offset.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FirmwareError> {
        let mut cursor = Cursor { bytes, offset: 0 };
        if bytes.len() > LOG_LIMIT {
            return Err(cursor.error("longer than 4 MiB"));
        }
        let banks = header(&mut cursor)?;
        let mut events = Vec::new();
        while cursor.offset < bytes.len() {
            events.push(event(&mut cursor, &banks)?);
        }
        Ok(Self { events })
    }

    /// The SHA-256 value of a register after the log's events (section 3.3: from zero).
    #[must_use]
    pub fn replay(&self, register: u8) -> PcrValue {
        let mut value = [0; 32];
        for event in &self.events {
            if event.register != u32::from(register) || event.kind == EV_NO_ACTION {
                continue;
            }
            for (algorithm, digest) in &event.digests {
                if *algorithm == crate::number::ALG_SHA256 {
                    let mut hash = Sha256::new();
                    hash.update(value);
                    hash.update(digest);
                    value = hash.finalize().into();
                }
            }
        }
        value
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
        for event in self.events.iter().filter(|event| event.register == 7) {
            if event.kind == EV_SEPARATOR {
                if separated || !digest_covers(event) || event.data != [0; 4] {
                    return Err(wrong("PCR 7's separator is wrong or doubled"));
                }
                separated = true;
            } else if event.kind == EV_EFI_VARIABLE_DRIVER_CONFIG {
                if separated || !digest_covers(event) {
                    return Err(wrong("a variable was measured wrongly or after the separator"));
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
        let data = |name: &str| seen.iter().find(|(known, _)| known == name).map(|(_, d)| *d);
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
                return Err(FirmwareError::Unmeasured { register: *register, byte });
            }
        }
    }
    Ok(())
}

/// The Spec ID event; returns the banks in the log's order.
fn header(cursor: &mut Cursor<'_>) -> Result<Vec<(u16, usize)>, FirmwareError> {
    if cursor.u32()? != 0 || cursor.u32()? != EV_NO_ACTION || cursor.raw(20)? != [0; 20] {
        return Err(cursor.error("does not begin with a Spec ID event"));
    }
    let size = cursor.length()?;
    let start = cursor.offset;
    if cursor.raw(16)? != b"Spec ID Event03\0" {
        return Err(cursor.error("not a crypto-agile log"));
    }
    cursor.raw(8)?; // platform class, versions, errata, uintn size
    let count = cursor.u32()?;
    if !(1..=8).contains(&count) {
        return Err(cursor.error("an impossible number of banks"));
    }
    let mut banks: Vec<(u16, usize)> = Vec::new();
    for _ in 0..count {
        let (algorithm, length) = (cursor.u16()?, usize::from(cursor.u16()?));
        let known = matches!(
            (algorithm, length),
            (0x04, 20) | (0x0B | 0x12 | 0x27, 32) | (0x0C | 0x28, 48) | (0x0D | 0x29, 64)
        );
        if !known || banks.iter().any(|(other, _)| *other == algorithm) {
            return Err(cursor.error("an unknown or repeated bank"));
        }
        banks.push((algorithm, length));
    }
    let [vendor] = cursor.array::<1>()?;
    cursor.raw(vendor.into())?;
    if cursor.offset.checked_sub(start) != Some(size) {
        return Err(cursor.error("the Spec ID event has another size than it says"));
    }
    if !banks.iter().any(|(algorithm, _)| *algorithm == crate::number::ALG_SHA256) {
        return Err(cursor.error("no SHA-256 bank"));
    }
    Ok(banks)
}

/// One `TCG_PCR_EVENT2`.
fn event<'a>(
    cursor: &mut Cursor<'a>,
    banks: &[(u16, usize)],
) -> Result<Event<'a>, FirmwareError> {
    let (register, kind) = (cursor.u32()?, cursor.u32()?);
    if register > 23 {
        return Err(cursor.error("a register above 23"));
    }
    if cursor.length()? != banks.len() {
        return Err(cursor.error("not one digest for each bank"));
    }
    let mut digests: Vec<(u16, &[u8])> = Vec::with_capacity(banks.len());
    for _ in banks {
        let algorithm = cursor.u16()?;
        let bank = banks.iter().find(|(known, _)| *known == algorithm);
        let (_, length) = bank.ok_or_else(|| cursor.error("a digest of an undeclared bank"))?;
        if digests.iter().any(|(other, _)| *other == algorithm) {
            return Err(cursor.error("two digests for one bank"));
        }
        digests.push((algorithm, cursor.raw(*length)?));
    }
    let size = cursor.length()?;
    let data = cursor.raw(size)?;
    Ok(Event { register, kind, digests, data })
}

/// The event's SHA-256 digest is that of its data.
fn digest_covers(event: &Event<'_>) -> bool {
    let digest = Sha256::digest(event.data);
    event
        .digests
        .iter()
        .any(|(bank, value)| *bank == crate::number::ALG_SHA256 && *value == digest.as_slice())
}

/// `UEFI_VARIABLE_DATA`: whether it is a global variable, its name and data.
fn variable(data: &[u8]) -> Option<(bool, String, &[u8])> {
    let (guid, rest) = data.split_at_checked(16)?;
    let (name_length, rest) = rest.split_first_chunk::<8>()?;
    let (data_length, rest) = rest.split_first_chunk::<8>()?;
    let name_bytes = usize::try_from(u64::from_le_bytes(*name_length)).ok()?.checked_mul(2)?;
    let (name, value) = rest.split_at_checked(name_bytes)?;
    if usize::try_from(u64::from_le_bytes(*data_length)).ok()? != value.len() {
        return None;
    }
    let units = name.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    let name = char::decode_utf16(units).collect::<Result<String, _>>().ok()?;
    Some((guid == GLOBAL, name, value))
}
