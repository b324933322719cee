//! Checkpoints of the audit log: C2SP `tlog-checkpoint` as a signed note.
//!
//! A checkpoint says "the log of this origin has this many leaves and this root". It is signed by
//! the log's Ed25519 key (C2SP `signed-note`, signature type 0x01). A separate TPM key cosigns
//! it now and then; that cosignature travels beside the note, see [`cosigned_digest`].
//!
//! Strict beyond C2SP: exactly one signature, by the log's own key under the origin as key name,
//! and no extension lines.

use std::fmt;

use base64ct::{Base64, Encoding};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::code::{self, Code};
use crate::digest::Digest;

/// The most bytes a note may have.
pub const MAX_NOTE: usize = 1024;

/// The name of a log: what it is and whose. Also the name of its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

/// What a checkpoint says. Made by the log; from outside only [`Checkpoint::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// How many leaves the log has.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// Why a note is not the log's word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note is not a checkpoint as C2SP writes it.
    #[error("line {line} of the checkpoint: {reason}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The checkpoint is of another log.
    #[error("the checkpoint is of log {found:?}, expected {expected:?}")]
    Origin {
        /// The log asked for.
        expected: String,
        /// The log named.
        found: String,
    },
    /// Another key signed.
    #[error("the signature names key {found}, expected {expected}")]
    Key {
        /// The trusted key's hash, hexadecimal.
        expected: String,
        /// The key hash named, hexadecimal.
        found: String,
    },
    /// The signature does not hold.
    #[error("the checkpoint's signature does not hold for the log's key")]
    Signature,
}

impl CheckpointError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Malformed { .. } => &code::CHECKPOINT_MALFORMED,
            Self::Origin { .. } => &code::CHECKPOINT_ORIGIN,
            Self::Key { .. } => &code::CHECKPOINT_KEY,
            Self::Signature => &code::CHECKPOINT_SIGNATURE,
        }
    }
}

impl Origin {
    /// Takes a name of 1 to 128 printable ASCII characters without space and plus.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |c: u8| c.is_ascii_graphic() && c != b'+';
        let good = (1..=128).contains(&name.len()) && name.bytes().all(allowed);
        good.then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Checkpoint {
    /// The note's text: what is signed and cosigned.
    #[must_use]
    pub fn text(&self) -> String {
        let root = Base64::encode_string(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// The signed note.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let hash = key_hash(&self.origin, &key.verifying_key());
        let signature = key.sign(text.as_bytes()).to_bytes();
        let line = Base64::encode_string(&[&hash[..], &signature[..]].concat());
        format!("{text}\n\u{2014} {} {line}\n", self.origin)
    }

    /// Reads a signed note that must be the word of `key`, and of log `origin` when that is given.
    ///
    /// # Errors
    /// [`CheckpointError`]: the note is malformed, of another log or key, or its signature does
    /// not hold.
    pub fn verify(
        note: &[u8],
        key: &VerifyingKey,
        origin: Option<&Origin>,
    ) -> Result<Self, CheckpointError> {
        let raw = RawNote::parse(note)?;
        let checkpoint = raw.checkpoint;
        if let Some(expected) = origin.filter(|expected| **expected != checkpoint.origin) {
            return Err(CheckpointError::Origin {
                expected: expected.to_string(),
                found: checkpoint.origin.to_string(),
            });
        }
        let expected = key_hash(&checkpoint.origin, key);
        if raw.key_hash != expected {
            return Err(CheckpointError::Key {
                expected: hex::encode(expected),
                found: hex::encode(raw.key_hash),
            });
        }
        key.verify_strict(
            checkpoint.text().as_bytes(),
            &Signature::from_bytes(&raw.signature),
        )
        .map_err(|_| CheckpointError::Signature)?;
        Ok(checkpoint)
    }
}

/// The four bytes that name a key in a signature line: SHA-256(name || "\n" || 0x01 || key).
#[must_use]
pub fn key_hash(origin: &Origin, key: &VerifyingKey) -> [u8; 4] {
    let digest = Digest::of_parts(&[origin.as_str().as_bytes(), b"\n\x01", key.as_bytes()]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

/// The digest that the TPM log key signs to cosign a checkpoint at `wall_ms` (milliseconds since
/// 1970): SHA-256("casemate checkpoint cosignature v1\ntime <ms>\n" || text).
#[must_use]
pub fn cosigned_digest(checkpoint: &Checkpoint, wall_ms: u64) -> Digest {
    let head = format!("casemate checkpoint cosignature v1\ntime {wall_ms}\n");
    Digest::of_parts(&[head.as_bytes(), checkpoint.text().as_bytes()])
}

struct RawNote {
    checkpoint: Checkpoint,
    key_hash: [u8; 4],
    signature: [u8; 64],
}

impl RawNote {
    fn parse(note: &[u8]) -> Result<Self, CheckpointError> {
        let at = |line, reason| CheckpointError::Malformed { line, reason };
        if note.len() > MAX_NOTE {
            return Err(at(1, "the note is too long"));
        }
        let note = std::str::from_utf8(note).map_err(|_| at(1, "not UTF-8"))?;
        let note = note
            .strip_suffix('\n')
            .ok_or(at(6, "does not end with a newline"))?;
        let lines: Vec<&str> = note.split('\n').collect();
        let [origin, size, root, empty, signature] = lines[..] else {
            return Err(at(1, "a checkpoint has five lines"));
        };
        let origin = Origin::new(origin).ok_or(at(1, "not a log's name"))?;
        let size = parse_size(size).ok_or(at(2, "not a size"))?;
        let root: [u8; 32] = decode_base64(root).ok_or(at(3, "not 32 bytes of base64"))?;
        if !empty.is_empty() {
            return Err(at(4, "not empty"));
        }
        let signature = signature
            .strip_prefix("\u{2014} ")
            .and_then(|line| line.strip_prefix(origin.as_str()))
            .and_then(|line| line.strip_prefix(' '))
            .ok_or(at(5, "not a signature line of the log's own key"))?;
        let signature: [u8; 68] =
            decode_base64(signature).ok_or(at(5, "not 68 bytes of base64"))?;
        let (head, tail) = signature.split_at(4);
        let (Ok(key_hash), Ok(signature)) = (head.try_into(), tail.try_into()) else {
            return Err(at(5, "not 68 bytes of base64"));
        };
        let checkpoint = Checkpoint {
            origin,
            size,
            root: Digest::new(root),
        };
        Ok(Self {
            checkpoint,
            key_hash,
            signature,
        })
    }
}

/// A decimal number without sign and leading zeros.
fn parse_size(text: &str) -> Option<u64> {
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}

fn decode_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    Base64::decode_vec(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: Origin::new("casemate.test/audit").unwrap(),
            size: 12,
            root: Digest::of(b"root"),
        }
    }

    #[test]
    fn a_signed_checkpoint_is_read_back() {
        let note = checkpoint().sign(&key());
        let key = key().verifying_key();
        assert_eq!(
            Checkpoint::verify(note.as_bytes(), &key, None),
            Ok(checkpoint())
        );
        let other = Origin::new("other").unwrap();
        assert!(matches!(
            Checkpoint::verify(note.as_bytes(), &key, Some(&other)),
            Err(CheckpointError::Origin { .. })
        ));
    }

    #[test]
    fn no_byte_of_a_note_can_be_changed() {
        let note = checkpoint().sign(&key()).into_bytes();
        let key = key().verifying_key();
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut other = note.clone();
                other[at] ^= 1 << bit;
                assert!(
                    Checkpoint::verify(&other, &key, None).is_err(),
                    "byte {at} bit {bit}"
                );
            }
        }
    }

    #[test]
    fn only_the_strict_form_is_read() {
        let note = checkpoint().sign(&key());
        let key = key().verifying_key();
        for other in [
            note.trim_end().to_owned(),
            format!("{note}\n"),
            note.replace("\n12\n", "\n012\n"),
            note.replace("\n12\n", "\n+12\n"),
            note.replace("\n\n", "\nextension\n\n"),
            format!("{note}{}\n", note.lines().last().unwrap()),
            String::new(),
        ] {
            assert!(
                matches!(
                    Checkpoint::verify(other.as_bytes(), &key, None),
                    Err(CheckpointError::Malformed { .. })
                ),
                "{other}"
            );
        }
    }

    /// The example key of C2SP signed-note, whose verifier key line is public.
    #[test]
    fn the_key_hash_of_the_reference() {
        // "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW" (golang.org/x/mod).
        let raw = Base64::decode_vec("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let key = VerifyingKey::from_bytes(raw[1..].try_into().unwrap()).unwrap();
        let name = Origin::new("PeterNeumann").unwrap();
        assert_eq!(hex::encode(key_hash(&name, &key)), "c74f20a3");
    }
}
