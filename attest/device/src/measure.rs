//! Measuring: the development stand's measured start, and events at run time.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::connection::{Authority, TpmError};
use crate::firmware::{FirmwareError, FirmwareLog};
use crate::number::{ALG_SHA256, RH_PLATFORM};
use crate::register::PcrValue;
use crate::session::random;
use crate::tpm::Tpm;

/// `EV_EVENT_TAG`, the type of our own run-time events.
pub const EV_EVENT_TAG: u32 = 0x0000_0006;
const EV_NO_ACTION: u32 = 0x0000_0003;

/// Why a start or an event could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The recorded log is malformed.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// The registers hold something already: this TPM was not reset.
    #[error("PCR {register} is not at its reset value: reset the TPM before a measured start")]
    NotReset {
        /// The first such register.
        register: u8,
    },
    /// The run-time log could not be written.
    #[error("cannot write the run-time log {}: {source}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The TPM did not answer usefully.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}

impl Tpm {
    /// Development only: does to a software TPM what firmware and a UKI do to a real one.
    /// Starts it, extends every event of a recorded log in order, and closes the platform
    /// hierarchy as firmware does before it boots anything. Returns the number of events.
    ///
    /// # Errors
    /// [`MeasureError`] when the log is malformed, the TPM is not fresh from reset, or refuses.
    pub fn measured_start(&self, firmware_log: &[u8]) -> Result<usize, MeasureError> {
        let log = FirmwareLog::parse(firmware_log)?;
        self.startup()?;
        for (register, value) in self.pcrs(&[0, 1, 2, 3, 4, 5, 6, 7, 11, 15])? {
            if value != [0; 32] {
                return Err(MeasureError::NotReset { register });
            }
        }
        let mut extended = 0;
        for event in log.events.iter().filter(|event| event.kind != EV_NO_ACTION) {
            self.connection.pcr_extend(event.register, &event.digests)?;
            extended += 1;
        }
        // An open platform hierarchy may delete the version floor (docs/formats/tpm.md).
        self.connection.change_auth(RH_PLATFORM, Authority::Empty, &random()?)?;
        Ok(extended)
    }
}

/// The log of what is measured after the firmware: records of `TCG_PCR_EVENT2`.
#[derive(Debug, Clone)]
pub struct RuntimeLog {
    path: PathBuf,
}

impl RuntimeLog {
    /// The log at `path`.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// Writes the record, synced, and only then extends the register: a crash between the two
    /// leaves a record too many, never a measurement that nobody can explain.
    /// Returns the digest extended.
    ///
    /// # Errors
    /// [`MeasureError`] when the log cannot be written or the TPM refuses.
    pub fn measure(&self, tpm: &Tpm, register: u8, data: &[u8]) -> Result<PcrValue, MeasureError> {
        let digest: PcrValue = Sha256::digest(data).into();
        self.append(&record(register, EV_EVENT_TAG, &digest, data))
            .map_err(|source| MeasureError::Log { path: self.path.clone(), source })?;
        tpm.connection.pcr_extend(u32::from(register), &[(ALG_SHA256, &digest)])?;
        Ok(digest)
    }

    /// Empties the log: at the first measurement of a boot, whatever it holds is of another.
    pub(crate) fn begin(&self) -> Result<(), MeasureError> {
        let open = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path);
        open.and_then(|file| file.sync_all())
            .map_err(|source| MeasureError::Log { path: self.path.clone(), source })
    }

    fn append(&self, record: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        file.write_all(record)?;
        file.sync_all()
    }
}

/// One `TCG_PCR_EVENT2` with a SHA-256 digest (TCG PC Client PFP 1.05, section 10.2.2).
fn record(register: u8, kind: u32, digest: &PcrValue, data: &[u8]) -> Vec<u8> {
    let mut out = u32::from(register).to_le_bytes().to_vec();
    out.extend(kind.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(ALG_SHA256.to_le_bytes());
    out.extend(digest);
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(data);
    out
}
