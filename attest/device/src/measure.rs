//! Measuring: the development stand's measured start, and events at run time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use casemate_attest::sealing::{ENTER_INITRD, EV_IPL};
use sha2::{Digest as _, Sha256};

use crate::connection::{Authority, TpmError};
use crate::firmware::{FirmwareError, FirmwareLog};
use crate::number::{ALG_SHA256, RH_PLATFORM};
use crate::register::PcrValue;
use crate::session::random;
use crate::tpm::Tpm;

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
    /// Starts it, extends every event of a recorded log in order, closes the platform hierarchy
    /// as firmware does before it boots anything, and begins the run-time log with the phase
    /// that systemd-pcrphase measures in the initrd. Returns the number of events.
    ///
    /// # Errors
    /// [`MeasureError`] when the log is malformed, the TPM is not fresh from reset, or refuses.
    pub fn measured_start(
        &self,
        firmware_log: &[u8],
        runtime_log: &RuntimeLog,
    ) -> Result<usize, MeasureError> {
        let log = FirmwareLog::parse(firmware_log)?;
        self.startup()?;
        for (register, value) in self.pcrs(&[0, 1, 2, 3, 4, 5, 6, 7, 11, 15])? {
            if value != [0; 32] {
                return Err(MeasureError::NotReset { register });
            }
        }
        let mut extended = 0;
        for event in log.extending() {
            self.connection
                .pcr_extend(u32::from(event.pcr), &event.digests)?;
            extended += 1;
        }
        // An open platform hierarchy may delete the version floor (docs/formats/tpm.md).
        self.connection
            .change_auth(RH_PLATFORM, Authority::Empty, &random()?)?;
        self.enter_initrd(runtime_log)?;
        Ok(extended + 1)
    }

    /// What an initrd does first: begins the run-time log and measures that the initrd was
    /// entered, as systemd-pcrphase does. What is sealed to the phase before opens no more.
    ///
    /// # Errors
    /// [`MeasureError`] when the log cannot be written or the TPM refuses.
    pub fn enter_initrd(&self, runtime_log: &RuntimeLog) -> Result<(), MeasureError> {
        runtime_log.begin()?;
        runtime_log.measure(self, 11, EV_IPL, ENTER_INITRD)
    }

    /// What an initrd does last, as systemd-pcrphase does: the release's policy is over the phase
    /// that ends here.
    ///
    /// # Errors
    /// [`MeasureError`] when the log cannot be written or the TPM refuses.
    pub fn leave_initrd(&self, runtime_log: &RuntimeLog) -> Result<(), MeasureError> {
        runtime_log.measure(self, 11, EV_IPL, b"leave-initrd")
    }
}

/// The log of what is measured after the firmware: a crypto-agile log with a SHA-256 bank.
#[derive(Debug, Clone)]
pub struct RuntimeLog {
    path: PathBuf,
}

impl RuntimeLog {
    /// The log at `path`.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
        }
    }

    /// The log's bytes, for evidence.
    ///
    /// # Errors
    /// [`MeasureError::Log`] when it cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>, MeasureError> {
        fs::read(&self.path).map_err(|source| self.error(source))
    }

    /// Writes the record, synced, and only then extends the register: a crash between the two
    /// leaves a record too many, never a measurement that nobody can explain.
    pub(crate) fn measure(
        &self,
        tpm: &Tpm,
        register: u8,
        kind: u32,
        data: &[u8],
    ) -> Result<(), MeasureError> {
        let (digest, record) = event(register, kind, data);
        self.to_append()?.append(&record)?;
        extend(tpm, register, &digest)
    }

    /// The log open for records to come.
    pub(crate) fn to_append(&self) -> Result<OpenLog<'_>, MeasureError> {
        let file = OpenOptions::new().append(true).open(&self.path);
        let file = file.map_err(|source| self.error(source))?;
        Ok(OpenLog { log: self, file })
    }

    /// A new log: the header alone.
    pub(crate) fn begin(&self) -> Result<(), MeasureError> {
        self.write(&header()).map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> MeasureError {
        MeasureError::Log {
            path: self.path.clone(),
            source,
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

/// A log that is open for appending.
#[derive(Debug)]
pub(crate) struct OpenLog<'l> {
    log: &'l RuntimeLog,
    file: File,
}

impl OpenLog<'_> {
    /// Extends the register and only then writes the record: for a register that is a latch. Cut
    /// off between the two, nobody can explain it; the machine is to be reset then in any case.
    pub(crate) fn measure_first(
        mut self,
        tpm: &Tpm,
        register: u8,
        kind: u32,
        data: &[u8],
    ) -> Result<(), MeasureError> {
        let (digest, record) = event(register, kind, data);
        extend(tpm, register, &digest)?;
        self.append(&record)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), MeasureError> {
        let written = self.file.write_all(record);
        written
            .and_then(|()| self.file.sync_all())
            .map_err(|source| self.log.error(source))
    }
}

fn extend(tpm: &Tpm, register: u8, digest: &PcrValue) -> Result<(), MeasureError> {
    let digests = [(ALG_SHA256, &digest[..])];
    Ok(tpm.connection.pcr_extend(u32::from(register), &digests)?)
}

/// The Spec ID event of a log with a SHA-256 bank (TCG PC Client PFP, section 10.4.5.1).
fn header() -> Vec<u8> {
    let mut spec = b"Spec ID Event03\0".to_vec();
    spec.extend(0u32.to_le_bytes()); // platform class: client
    spec.extend([0, 2, 0, 2]); // version 2.0, errata 0, 64-bit integers
    spec.extend(1u32.to_le_bytes());
    spec.extend(ALG_SHA256.to_le_bytes());
    spec.extend(32u16.to_le_bytes());
    spec.push(0); // vendor information
    let mut out = 0u32.to_le_bytes().to_vec();
    out.extend(EV_NO_ACTION.to_le_bytes());
    out.extend([0; 20]);
    out.extend(u32::try_from(spec.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(spec);
    out
}

/// One `TCG_PCR_EVENT2` with a SHA-256 digest (TCG PC Client PFP, section 10.2.2), and that digest.
fn event(register: u8, kind: u32, data: &[u8]) -> (PcrValue, Vec<u8>) {
    let digest: PcrValue = Sha256::digest(data).into();
    let mut out = u32::from(register).to_le_bytes().to_vec();
    out.extend(kind.to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(ALG_SHA256.to_le_bytes());
    out.extend(digest);
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(data);
    (digest, out)
}
