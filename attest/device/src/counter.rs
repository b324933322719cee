//! The rollback counter: it only goes up, also across a reset of the TPM.
//!
//! Reads are authorised by a session salted with the storage root key, so that an
//! older value cannot be slipped in on the bus.

use crate::connection::TpmError;
use crate::nv;
use crate::storage::{HIDDEN_OUT, SIGNED, StorageRoot};

/// The counter's authorisation value, out of the handover.
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct CounterAuth(pub(crate) [u8; 32]);

impl CounterAuth {
    /// Takes the value that the handover carries.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for CounterAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CounterAuth(..)")
    }
}

impl StorageRoot {
    /// The counter's value.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM refuses or the answer was altered.
    pub fn counter(&self, auth: &CounterAuth) -> Result<u64, TpmError> {
        self.authorised(&auth.0, HIDDEN_OUT, |authority| {
            self.tpm()
                .connection
                .nv_read_u64(authority, &nv::counter(true))
        })
    }

    /// Adds one, durably, and returns the new value. A hardware TPM writes NV: rarely, please.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM refuses.
    pub fn increment_counter(&self, auth: &CounterAuth) -> Result<u64, TpmError> {
        self.authorised(&auth.0, SIGNED, |authority| {
            self.tpm()
                .connection
                .nv_increment(authority, &nv::counter(true))
        })?;
        self.counter(auth)
    }

    /// The version floor; anyone may read it.
    ///
    /// # Errors
    /// [`TpmError`] when the TPM refuses or the answer was altered.
    pub fn floor(&self) -> Result<u64, TpmError> {
        self.authorised(&[], HIDDEN_OUT, |authority| {
            self.tpm()
                .connection
                .nv_read_u64(authority, &nv::floor(true))
        })
    }
}
