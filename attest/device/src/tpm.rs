//! The TPM as this program sees it: opening, starting, clocks, what is loaded.

use casemate_attest::leaf::TpmClock;

use crate::connection::{Command, Connection, Entity, TpmError};
use crate::number::cc;
use crate::register::PcrValue;
use crate::transport::{Address, AddressError, Transport};
use crate::wire::Put as _;

/// Why a TPM could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenTpmError {
    /// The connection string is malformed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing answers there.
    #[error("no TPM at {address}: {source}")]
    Unreachable {
        /// The connection string.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It answers, but not usefully.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

/// The one connection to the TPM. Cheap to clone; commands are one at a time.
#[derive(Debug, Clone)]
pub struct Tpm {
    pub(crate) connection: Connection,
}

/// `TPMS_CLOCK_INFO` and the time since power on, not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// What the audit log and the evidence record.
    pub clock: TpmClock,
    /// The clock was not set back and not advanced past what NV last saved.
    pub safe: bool,
    /// Milliseconds since this TPM was last powered.
    pub since_start_ms: u64,
}

/// What is loaded into the TPM through this connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Transient objects.
    pub objects: Vec<u32>,
    /// Sessions, loaded or saved.
    pub sessions: Vec<u32>,
}

/// State that outlives a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permanent {
    /// Owner authorisation is not empty.
    pub owner_set: bool,
    /// Lockout authorisation is not empty.
    pub lockout_set: bool,
    /// Wrong authorisations have locked protected objects.
    pub in_lockout: bool,
    /// Wrong authorisations counted.
    pub lockout_counter: u32,
    /// How many lock.
    pub lockout_max: u32,
    /// Seconds until one of them is forgotten.
    pub lockout_interval: u32,
    /// Seconds for which a wrong lockout authorisation bars that hierarchy itself.
    pub lockout_recovery: u32,
}

impl Permanent {
    /// The dictionary-attack state in one sentence, for a refusal.
    #[must_use]
    pub fn lockout_words(&self) -> String {
        format!(
            "the TPM is locked out: {} wrong authorisations, {} lock it; it forgets one every {} s \
             while it is powered",
            self.lockout_counter, self.lockout_max, self.lockout_interval
        )
    }
}

const CAP_HANDLES: u32 = 1;
const CAP_TPM_PROPERTIES: u32 = 6;
const PT_PERMANENT: u32 = 0x200;
const PT_LOCKOUT_COUNTER: u32 = 0x20E;
const PT_MAX_AUTH_FAIL: u32 = 0x20F;
const PT_LOCKOUT_INTERVAL: u32 = 0x210;
const PT_LOCKOUT_RECOVERY: u32 = 0x211;

impl Tpm {
    /// Connects to a TPM: `device:/dev/tpmrm0`, `swtpm:path=/absolute/socket` or
    /// `swtpm:host=127.0.0.1,port=2321`. Flushes what a killed predecessor left loaded.
    ///
    /// # Errors
    /// [`OpenTpmError`] when the string is malformed or nothing answers.
    pub fn open(tcti: &str) -> Result<Self, OpenTpmError> {
        let address: Address = tcti.parse()?;
        let transport = Transport::open(&address).map_err(|source| OpenTpmError::Unreachable {
            address: tcti.to_owned(),
            source,
        })?;
        let tpm = Self {
            connection: Connection::new(transport),
        };
        match tpm.flush_all() {
            // Not started yet: then nothing is loaded either.
            Err(error) if error.code().is_some_and(|code| code.is_not_started()) => Ok(tpm),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(tpm),
        }
    }

    fn flush_all(&self) -> Result<(), TpmError> {
        let loaded = self.loaded()?;
        for handle in loaded.objects.into_iter().chain(loaded.sessions) {
            self.connection.flush(handle)?;
        }
        Ok(())
    }

    /// Lists what is loaded; for the tests that nothing leaks, and for support.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM does not answer.
    pub fn loaded(&self) -> Result<Loaded, TpmError> {
        let objects = self.handles(0x8000_0000)?;
        let mut sessions = self.handles(0x0200_0000)?;
        sessions.extend(self.handles(0x0300_0000)?);
        Ok(Loaded { objects, sessions })
    }

    fn handles(&self, first: u32) -> Result<Vec<u32>, TpmError> {
        let answer = self.capability(CAP_HANDLES, first, 64)?;
        answer.read("TPM2_GetCapability", |take| {
            take.raw(5)?; // moreData, capability
            let count = take.u32()?;
            (0..count).map(|_| take.u32()).collect()
        })
    }

    pub(crate) fn property(&self, property: u32) -> Result<u32, TpmError> {
        let answer = self.capability(CAP_TPM_PROPERTIES, property, 1)?;
        answer.read("TPM2_GetCapability", |take| {
            take.raw(5)?;
            take.u32()?; // count
            take.u32()?; // property
            take.u32()
        })
    }

    pub(crate) fn capability(
        &self,
        capability: u32,
        property: u32,
        count: u32,
    ) -> Result<crate::connection::Answer, TpmError> {
        let mut parameters = Vec::new();
        parameters.u32(capability).u32(property).u32(count);
        self.connection.run(Command {
            code: cc::GET_CAPABILITY,
            name: "TPM2_GetCapability",
            handles: &[],
            parameters,
        })
    }

    /// Authorisations set and the dictionary-attack state.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM does not answer.
    pub fn permanent(&self) -> Result<Permanent, TpmError> {
        let flags = self.property(PT_PERMANENT)?;
        Ok(Permanent {
            owner_set: flags & 0x1 != 0,
            lockout_set: flags & 0x4 != 0,
            in_lockout: flags & 0x200 != 0,
            lockout_counter: self.property(PT_LOCKOUT_COUNTER)?,
            lockout_max: self.property(PT_MAX_AUTH_FAIL)?,
            lockout_interval: self.property(PT_LOCKOUT_INTERVAL)?,
            lockout_recovery: self.property(PT_LOCKOUT_RECOVERY)?,
        })
    }

    /// `TPM2_ReadClock`.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM does not answer.
    pub fn clock(&self) -> Result<Clock, TpmError> {
        let name = "TPM2_ReadClock";
        let answer = self.connection.run(Command {
            code: cc::READ_CLOCK,
            name,
            handles: &[],
            parameters: Vec::new(),
        })?;
        answer.read(name, |take| {
            let since_start_ms = take.u64()?;
            let clock = TpmClock {
                ms: take.u64()?,
                resets: take.u32()?,
                restarts: take.u32()?,
            };
            Ok(Clock {
                clock,
                safe: take.u8()? == 1,
                since_start_ms,
            })
        })
    }

    /// Values of these registers in the SHA-256 bank, ascending; not authenticated.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM does not answer or lacks the bank.
    pub fn pcrs(&self, registers: &[u8]) -> Result<Vec<(u8, PcrValue)>, TpmError> {
        self.connection.pcr_read(registers)
    }

    /// `TPM2_Startup(CLEAR)`. False when the TPM was started already.
    pub(crate) fn startup(&self) -> Result<bool, TpmError> {
        let mut parameters = Vec::new();
        parameters.u16(0);
        let command = Command {
            code: cc::STARTUP,
            name: "TPM2_Startup",
            handles: &[],
            parameters,
        };
        match self.connection.run(command) {
            Ok(_) => Ok(true),
            Err(error) if error.code().is_some_and(|code| code.is_not_started()) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `TPM2_Shutdown(CLEAR)`: before the power goes, so that counters and clock are saved.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM does not answer.
    pub fn shutdown(&self) -> Result<(), TpmError> {
        let mut parameters = Vec::new();
        parameters.u16(0);
        let command = Command {
            code: cc::SHUTDOWN,
            name: "TPM2_Shutdown",
            handles: &[],
            parameters,
        };
        self.connection.run(command).map(drop)
    }

    /// The EK certificate in NV, DER without the padding some vendors add. None when there is no
    /// such index, or nothing in it that begins as a certificate does.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM has one that cannot be read.
    pub fn ek_certificate(&self) -> Result<Option<Vec<u8>>, TpmError> {
        let public = self
            .connection
            .nv_read_public(crate::number::EK_CERTIFICATE);
        let (index, size) = match public {
            Err(error) if error.code().is_some_and(|code| code.is_handle()) => return Ok(None),
            other => other?,
        };
        let mut bytes = Vec::new();
        for offset in (0..size).step_by(512) {
            let part = size.saturating_sub(offset).min(512);
            let authority = crate::connection::Authority::Empty;
            bytes.extend(self.connection.nv_read(authority, &index, part, offset)?);
        }
        Ok(der_prefix(bytes))
    }

    pub(crate) fn hierarchy(handle: u32) -> Entity {
        Entity::plain(handle)
    }
}

/// The outer DER SEQUENCE alone: what follows is padding (0xFF or zero). None when the bytes begin
/// with none, or end before it does.
fn der_prefix(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    // A certificate is never shorter than 128 bytes, so its length takes one or two more.
    let (header, length) = match bytes.as_slice() {
        [0x30, 0x81, length, ..] => (3, usize::from(*length)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        _ => return None,
    };
    let end = length.saturating_add(header);
    (end <= bytes.len()).then(|| {
        bytes.truncate(end);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_ends_where_its_der_ends() {
        let long = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let short = [&[0x30, 0x81, 0x90][..], &[7; 0x90]].concat();
        for der in [long, short] {
            assert_eq!(der_prefix(der.clone()).as_ref(), Some(&der));
            for padding in [[0xFF; 300], [0x00; 300]] {
                let padded = [der.as_slice(), &padding].concat();
                assert_eq!(der_prefix(padded).as_ref(), Some(&der));
            }
            assert_eq!(der_prefix(der[..der.len() - 1].to_vec()), None);
        }
        assert_eq!(der_prefix(vec![0xFF; 1600]), None);
        assert_eq!(der_prefix(Vec::new()), None);
    }
}
