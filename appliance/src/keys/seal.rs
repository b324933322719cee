//! AES-256-GCM with a random nonce for each value, the one cipher of the state.
//!
//! 96 random bits a nonce: a key may seal 2^32 values before a repetition is likelier than 2^-32
//! (NIST SP 800-38D, section 8.3); the journal's key is the only one that could get near, and has
//! epochs.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

use super::{Key, KeyError, random};

/// Length of a nonce.
pub const NONCE: usize = 12;
/// Length of a tag.
pub const TAG: usize = 16;

/// A key with its schedule made, for many values.
#[derive(Clone)]
pub struct Sealer(Aes256Gcm);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// Prepares a key.
    pub fn new(key: &Key) -> Self {
        Self(Aes256Gcm::new(key.bytes().into()))
    }

    /// Seals `plain`; gives the nonce and the ciphertext with its tag.
    ///
    /// # Errors
    /// [`KeyError::Random`] without a nonce, [`KeyError::Sealed`] for 64 GiB and more.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<([u8; NONCE], Vec<u8>), KeyError> {
        let nonce: [u8; NONCE] = random()?;
        let sealed = self
            .0
            .encrypt(Nonce::from_slice(&nonce), Payload { msg: plain, aad })
            .map_err(|_| KeyError::Sealed)?;
        Ok((nonce, sealed))
    }

    /// Opens what [`Sealer::seal`] made with the same associated data.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] for anything else.
    pub fn open(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.0
            .decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad })
            .map_err(|_| KeyError::Sealed)
    }
}
