//! What vouches for the journal from outside the disk: the TPM.
//!
//! The daemon implements this over `casemate-device`; tests implement it with a
//! counter in memory. The store calls it from one thread at a time.

use casemate_attest::checkpoint::Checkpoint;
use casemate_attest::leaf::TpmClock;

/// Why the witness did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct WitnessError {
    /// Stable code of the cause.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
}

/// A TPM with the rollback counter and the log key.
pub trait Witness: Send {
    /// The NV counter's value.
    ///
    /// # Errors
    /// [`WitnessError`] if the TPM does not say.
    fn counter(&mut self) -> Result<u64, WitnessError>;

    /// Advances the NV counter by one and gives its new value.
    ///
    /// # Errors
    /// [`WitnessError`]; whether it was advanced is then unknown, and read again.
    fn advance(&mut self) -> Result<u64, WitnessError>;

    /// Signs [`casemate_attest::checkpoint::cosigned_digest`] with the TPM log key.
    ///
    /// # Errors
    /// [`WitnessError`] if the TPM does not sign.
    fn cosign(&mut self, checkpoint: &Checkpoint, wall_ms: u64) -> Result<Vec<u8>, WitnessError>;

    /// The TPM's clock.
    ///
    /// # Errors
    /// [`WitnessError`] if the TPM does not say.
    fn clock(&mut self) -> Result<TpmClock, WitnessError>;
}

/// The clocks of the machine, taken at its edge.
pub trait Clocks: Send + Sync {
    /// Wall clock, milliseconds since 1970.
    fn wall_ms(&self) -> u64;
    /// `CLOCK_BOOTTIME`, milliseconds.
    fn boot_ms(&self) -> u64;
}
