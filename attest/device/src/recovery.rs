//! The recovery key: what opens the appliance root when the TPM does not, on paper.
//!
//! 128 random bits, as eight groups of six digits. Each group is a multiple of eleven, so that a
//! typing error is found in its group; digits because every keyboard layout has them. The key
//! wraps the root in a record that is no secret; the record can be made anew while the root is
//! open, and the key of an older one then opens nothing on this disk.
//!
//! *Not* guaranteed: anything against who has both the disk and the key.

use std::fs;
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use casemate_attest::codec;
use hkdf::Hkdf;
use minicbor::{Decode, Encode};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::connection::TpmError;
use crate::record::{RecordError, write_durably};
use crate::root::ApplianceRoot;

const VERSION: u32 = 1;
const LIMIT: usize = 1024;
const GROUPS: usize = 8;
const DIGITS: usize = 6;
const CHECK: u32 = 11;
const LABEL: &[u8] = b"casemate recovery v1";

/// 128 random bits; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryKey([u8; 2 * GROUPS]);

impl std::fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}

/// Why what was typed is not, or not the, recovery key.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// There is no record, or it cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The record.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Too few or too many digits, or something else than digits, blanks and hyphens.
    #[error("a recovery key is eight groups of six digits")]
    Form,
    /// A group that no key has.
    #[error("group {0} of the recovery key is mistyped")]
    Group(usize),
    /// Well typed, and of another appliance, or an older one of this.
    #[error("this is not the recovery key of this appliance's root")]
    Other,
    /// The record cannot be used.
    #[error("the record of the recovery key is damaged: {0}")]
    Damaged(String),
}

impl RecoveryKey {
    fn random() -> Result<Self, TpmError> {
        let mut key = Self([0; 2 * GROUPS]);
        getrandom::getrandom(&mut key.0).map_err(|_| TpmError::Random)?;
        Ok(key)
    }

    /// As it is shown: `012345-678901-…`; secret.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (DIGITS + 1)));
        for pair in self.0.chunks_exact(2) {
            if !text.is_empty() {
                text.push('-');
            }
            let value = pair.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            let group = Zeroizing::new(format!("{:06}", value * CHECK));
            text.push_str(&group);
        }
        text
    }

    /// Reads what was typed; blanks and hyphens do not count.
    ///
    /// # Errors
    /// [`RecoveryError::Form`] or [`RecoveryError::Group`].
    pub fn from_text(text: &str) -> Result<Self, RecoveryError> {
        let mut digits = Zeroizing::new(Vec::with_capacity(GROUPS * DIGITS));
        for character in text.trim().chars() {
            match character.to_digit(10) {
                Some(_) if digits.len() == GROUPS * DIGITS => return Err(RecoveryError::Form),
                Some(digit) => digits.push(digit),
                None if character == '-' || character == ' ' => {}
                None => return Err(RecoveryError::Form),
            }
        }
        if digits.len() != GROUPS * DIGITS {
            return Err(RecoveryError::Form);
        }
        let mut key = Self([0; 2 * GROUPS]);
        let places = key.0.chunks_exact_mut(2).zip(digits.chunks_exact(DIGITS));
        for ((place, group), number) in places.zip(1..) {
            let typed = group.iter().fold(0, |sum, digit| sum * 10 + digit);
            let value = u16::try_from(typed / CHECK).ok();
            let value = value.filter(|_| typed % CHECK == 0);
            let value = value.ok_or(RecoveryError::Group(number))?;
            place.copy_from_slice(&value.to_be_bytes());
        }
        Ok(key)
    }

    /// The bits are uniform, and the salt is new for every record: so is the wrapping key, and a
    /// constant nonce serves.
    fn wrapping(&self, salt: &[u8; 32]) -> Aes256Gcm {
        let mut key = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(Some(salt), &self.0).expand(LABEL, key.as_mut());
        debug_assert!(expanded.is_ok(), "32 bytes are within HKDF's bound");
        Aes256Gcm::new(key.as_ref().into())
    }
}

/// Where the record is in a state's TPM directory.
fn path(state: &Path) -> PathBuf {
    state.join("recovery.cbor")
}

/// Whether somebody has typed the key back: a file whose presence says so. Who writes to the disk
/// can remove it, and gains a new key that is shown to nobody: the daemon knows better.
pub(crate) fn is_proven(state: &Path) -> bool {
    state.join("recovery.proven").exists()
}

/// `recovery.cbor`: the root under a recovery key. No secret.
#[derive(Debug, Encode, Decode)]
pub(crate) struct RecoveryRecord {
    #[n(0)]
    version: u32,
    /// Generation of the keys derived from the root; authenticated with it.
    #[n(1)]
    pub(crate) epoch: u64,
    #[cbor(n(2), with = "minicbor::bytes")]
    salt: [u8; 32],
    #[cbor(n(3), with = "minicbor::bytes")]
    wrapped: Vec<u8>,
}

impl RecoveryRecord {
    /// Wraps the root under a new key.
    pub(crate) fn make(root: &ApplianceRoot, epoch: u64) -> Result<(RecoveryKey, Self), TpmError> {
        let key = RecoveryKey::random()?;
        let salt = crate::session::random()?;
        let payload = Payload {
            msg: root.bytes(),
            aad: &epoch.to_be_bytes(),
        };
        let wrapped = key
            .wrapping(&salt)
            .encrypt(&Nonce::default(), payload)
            .map_err(|_| TpmError::Random)?;
        let record = Self {
            version: VERSION,
            epoch,
            salt,
            wrapped,
        };
        Ok((key, record))
    }

    /// The root, if the key is the one of this record.
    pub(crate) fn open(&self, key: &RecoveryKey) -> Result<ApplianceRoot, RecoveryError> {
        let payload = Payload {
            msg: &self.wrapped,
            aad: &self.epoch.to_be_bytes(),
        };
        let opened = key
            .wrapping(&self.salt)
            .decrypt(&Nonce::default(), payload)
            .map(Zeroizing::new)
            .map_err(|_| RecoveryError::Other)?;
        ApplianceRoot::from_unsealed(&opened).ok_or(RecoveryError::Other)
    }

    /// Reads the record of a state's TPM directory.
    pub(crate) fn read(state: &Path) -> Result<Self, RecoveryError> {
        let path = path(state);
        let bytes = fs::read(&path).map_err(|source| RecoveryError::File { path, source })?;
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, RecoveryError> {
        let damaged = |why: String| RecoveryError::Damaged(why);
        let record: Self =
            codec::decode_canonical(bytes, LIMIT).map_err(|error| damaged(error.to_string()))?;
        match record.version {
            VERSION => Ok(record),
            other => Err(damaged(format!("version {other} is not {VERSION}"))),
        }
    }

    /// Puts the record in the place of an older one: from then on only its key counts.
    pub(crate) fn keep(&self, state: &Path) -> Result<(), RecordError> {
        let path = path(state);
        write_durably(&path, &codec::encode(self))
            .map_err(|source| RecordError::File { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(byte: u8) -> ApplianceRoot {
        ApplianceRoot::from_unsealed(&[byte; 32]).unwrap()
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for bytes in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let text = RecoveryKey(bytes).text();
            assert_eq!(text.len(), 55);
            assert_eq!(RecoveryKey::from_text(&text).unwrap().0, bytes);
            let typed = text.replace('-', " ");
            assert_eq!(RecoveryKey::from_text(&typed).unwrap().0, bytes);
        }
        assert_eq!(RecoveryKey([0xff; 16]).text().get(..6), Some("720885"));
    }

    /// Every single wrong digit and every two neighbours exchanged within a group.
    #[test]
    fn a_mistyped_group_is_named() {
        let text = RecoveryKey(*b"casemate recover").text().to_string();
        let bytes: Vec<u8> = text.bytes().collect();
        for at in (0..bytes.len()).filter(|at| at % 7 != 6) {
            for digit in b'0'..=b'9' {
                let mut typed = bytes.clone();
                if std::mem::replace(typed.get_mut(at).unwrap(), digit) == digit {
                    continue;
                }
                let typed = String::from_utf8(typed).unwrap();
                let error = RecoveryKey::from_text(&typed).unwrap_err();
                assert!(matches!(error, RecoveryError::Group(group) if group == at / 7 + 1));
            }
            let mut typed = bytes.clone();
            if at % 7 < 5 && typed.get(at) != typed.get(at + 1) {
                typed.swap(at, at + 1);
                let typed = String::from_utf8(typed).unwrap();
                assert!(RecoveryKey::from_text(&typed).is_err(), "{at}");
            }
        }
        for typed in [
            "",
            "000000",
            &format!("{text}0"),
            &text.replace('0', "O"),
            "720896-",
        ] {
            let error = RecoveryKey::from_text(typed).unwrap_err();
            assert!(matches!(error, RecoveryError::Form), "{typed}");
        }
    }

    #[test]
    fn a_record_opens_by_its_own_key_only() {
        let (key, record) = RecoveryRecord::make(&root(7), 1).unwrap();
        let (other, newer) = RecoveryRecord::make(&root(7), 1).unwrap();
        assert_eq!(record.open(&key).unwrap().bytes(), &[7; 32]);
        assert!(record.open(&other).is_err());
        assert!(newer.open(&key).is_err());
    }

    #[test]
    fn a_byte_changed_opens_nothing() {
        let (key, record) = RecoveryRecord::make(&root(7), 1).unwrap();
        let bytes = codec::encode(&record);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            *altered.get_mut(at).unwrap() ^= 1;
            let opened = RecoveryRecord::from_bytes(&altered).and_then(|record| record.open(&key));
            assert!(opened.is_err(), "byte {at}");
        }
    }
}
