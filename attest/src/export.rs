//! Audit exports: a log, or its beginning, in one file that anyone can check.
//!
//! The file is a CBOR sequence (RFC 8742) of items `[hash, bytes]`: the header, every leaf in
//! order, the final checkpoint, the log's key. Each hash is the leaf hash of its own bytes, and
//! of no use against someone who rewrites both; it is there so that damage is named by entry.
//! What makes the file proof is the checkpoint: the leaves' root must be the signed one.

use ed25519_dalek::VerifyingKey;
use minicbor::{Decode, Decoder, Encode};

use crate::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::code::{self, Code};
use crate::codec::{self, CodecError};
use crate::digest::Digest;
use crate::leaf::Leaf;
use crate::merkle;

/// The name and version of the format.
pub const FORMAT: &str = "casemate.audit.1";

/// The most bytes an export may have.
pub const MAX_EXPORT: usize = 1 << 30;

/// A part of an export, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first item: format, origin and number of entries.
    Header,
    /// A leaf, by its number from 0.
    Entry(u64),
    /// The checkpoint after the last leaf.
    Checkpoint,
    /// The log's public key, the last item.
    Key,
    /// Bytes after the last item.
    End,
}

/// Why an export does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ExportError {
    /// The file is too large.
    #[error(transparent)]
    Size(CodecError),
    /// A part cannot be read.
    #[error("{part} is damaged: {source}")]
    Unreadable {
        /// Which.
        part: Part,
        /// Why.
        source: CodecError,
    },
    /// A part's bytes are not those its hash was made over.
    #[error("{part} was changed: its bytes hash to {found}, the file says {expected}")]
    Changed {
        /// Which.
        part: Part,
        /// The hash in the file.
        expected: Digest,
        /// The hash of the bytes.
        found: Digest,
    },
    /// An entry carries another number than its place.
    #[error("entry {place} carries the number {found}")]
    Order {
        /// Its place in the file, from 0.
        place: u64,
        /// The number it carries.
        found: u64,
    },
    /// The final checkpoint does not hold.
    #[error("the final checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is over another number of entries.
    #[error("the checkpoint is over {signed} entries, the file has {found}")]
    Count {
        /// Signed for.
        signed: u64,
        /// In the file.
        found: u64,
    },
    /// The leaves have another root than the one signed.
    #[error("the entries have the root {found}, the checkpoint signs {signed}")]
    Root {
        /// Signed.
        signed: Digest,
        /// Computed from the leaves.
        found: Digest,
    },
    /// The key in the file is not the one that is trusted.
    #[error("the log's key is {found}, expected {expected}")]
    Key {
        /// The trusted one.
        expected: String,
        /// The one in the file.
        found: String,
    },
}

impl ExportError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Size(error) => error.code(),
            Self::Unreadable { part, .. } | Self::Changed { part, .. } => match part {
                Part::Header => &code::AUDIT_HEADER,
                Part::Entry(_) => &code::AUDIT_ENTRY,
                Part::Checkpoint => &code::AUDIT_CHECKPOINT,
                Part::Key => &code::AUDIT_KEY,
                Part::End => &code::AUDIT_TRAILING,
            },
            Self::Order { .. } => &code::AUDIT_ORDER,
            Self::Checkpoint(_) => &code::AUDIT_CHECKPOINT,
            Self::Count { .. } | Self::Root { .. } => &code::AUDIT_ROOT,
            Self::Key { .. } => &code::AUDIT_KEY,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header => f.write_str("the header"),
            Self::Entry(number) => write!(f, "entry {number}"),
            Self::Checkpoint => f.write_str("the final checkpoint"),
            Self::Key => f.write_str("the log's key"),
            Self::End => f.write_str("the end of the file"),
        }
    }
}

#[derive(Encode, Decode)]
struct Item<'b> {
    #[n(0)]
    hash: Digest,
    #[cbor(b(1), with = "minicbor::bytes")]
    bytes: &'b [u8],
}

#[derive(Encode, Decode)]
struct Header {
    #[n(0)]
    format: String,
    #[n(1)]
    origin: String,
    #[n(2)]
    entries: u64,
}

/// Writes an export of `leaves` (canonical leaf bytes, in order), signed for by `note`.
#[must_use]
pub fn write<'l>(
    origin: &Origin,
    leaves: impl ExactSizeIterator<Item = &'l [u8]>,
    note: &str,
    key: &VerifyingKey,
) -> Vec<u8> {
    let header = codec::encode(&Header {
        format: FORMAT.to_owned(),
        origin: origin.to_string(),
        entries: leaves.len() as u64,
    });
    let mut file = Vec::new();
    let mut push = |bytes: &[u8]| {
        file.extend(codec::encode(&Item {
            hash: merkle::leaf_hash(bytes),
            bytes,
        }));
    };
    push(&header);
    leaves.for_each(&mut push);
    push(note.as_bytes());
    push(key.as_bytes());
    file
}

/// An export whose leaves, order, root and checkpoint hold for the key it was checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedExport {
    /// The final checkpoint.
    pub checkpoint: Checkpoint,
    /// The key that signed it. Whose it is, the file cannot prove.
    pub key: VerifyingKey,
    /// The leaves, in order.
    pub leaves: Vec<Leaf>,
    /// Their hashes, in order.
    pub hashes: Vec<Digest>,
}

impl VerifiedExport {
    /// Checks an export, against `trusted` when the log's key is known from elsewhere.
    ///
    /// # Errors
    /// [`ExportError`], which names the part or the entry that is wrong.
    pub fn read(file: &[u8], trusted: Option<&VerifyingKey>) -> Result<Self, ExportError> {
        if file.len() > MAX_EXPORT {
            let error = CodecError::TooLarge {
                size: file.len(),
                max: MAX_EXPORT,
            };
            return Err(ExportError::Size(error));
        }
        let mut items = Decoder::new(file);
        let (origin, entries) = read_header(&mut items)?;
        let mut leaves = Vec::new();
        let mut hashes = Vec::new();
        for place in 0..entries {
            let part = Part::Entry(place);
            let item = read_item(&mut items, part)?;
            let leaf = Leaf::from_bytes(item.bytes)
                .map_err(|source| ExportError::Unreadable { part, source })?;
            if leaf.seq != place {
                return Err(ExportError::Order {
                    place,
                    found: leaf.seq,
                });
            }
            leaves.push(leaf);
            hashes.push(item.hash);
        }
        let note = read_item(&mut items, Part::Checkpoint)?.bytes;
        let key = read_key(&mut items, trusted)?;
        if items.position() != file.len() {
            let source = CodecError::Trailing {
                offset: items.position(),
            };
            return Err(ExportError::Unreadable {
                part: Part::End,
                source,
            });
        }
        let checkpoint = Checkpoint::verify(note, &key, Some(&origin))?;
        if checkpoint.size != entries {
            return Err(ExportError::Count {
                signed: checkpoint.size,
                found: entries,
            });
        }
        let found = merkle::root(&hashes);
        if found != checkpoint.root {
            return Err(ExportError::Root {
                signed: checkpoint.root,
                found,
            });
        }
        Ok(Self {
            checkpoint,
            key,
            leaves,
            hashes,
        })
    }
}

fn read_header(items: &mut Decoder<'_>) -> Result<(Origin, u64), ExportError> {
    let part = Part::Header;
    let unreadable = |source| ExportError::Unreadable { part, source };
    let item = read_item(items, part)?;
    let header: Header = codec::decode_canonical(item.bytes, 1024).map_err(unreadable)?;
    codec::expect_format(&header.format, FORMAT).map_err(unreadable)?;
    let origin = Origin::new(&header.origin).ok_or_else(|| {
        let reason = "not a log's name".to_owned();
        unreadable(CodecError::Member {
            member: "origin",
            reason,
        })
    })?;
    Ok((origin, header.entries))
}

fn read_key(
    items: &mut Decoder<'_>,
    trusted: Option<&VerifyingKey>,
) -> Result<VerifyingKey, ExportError> {
    let part = Part::Key;
    let bytes = read_item(items, part)?.bytes;
    let key = bytes
        .try_into()
        .ok()
        .and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    let key = key.ok_or_else(|| {
        let reason = "not an Ed25519 public key".to_owned();
        ExportError::Unreadable {
            part,
            source: CodecError::Member {
                member: "key",
                reason,
            },
        }
    })?;
    match trusted {
        Some(trusted) if *trusted != key => Err(ExportError::Key {
            expected: hex::encode(trusted.as_bytes()),
            found: hex::encode(key.as_bytes()),
        }),
        _ => Ok(key),
    }
}

fn read_item<'b>(items: &mut Decoder<'b>, part: Part) -> Result<Item<'b>, ExportError> {
    let item: Item<'b> =
        codec::decode_item(items).map_err(|source| ExportError::Unreadable { part, source })?;
    let found = merkle::leaf_hash(item.bytes);
    if found != item.hash {
        return Err(ExportError::Changed {
            part,
            expected: item.hash,
            found,
        });
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::leaf::TpmClock;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[9; 32])
    }

    fn leaves(count: u64) -> Vec<Vec<u8>> {
        let leaf = |seq| Leaf {
            version: 1,
            seq,
            kind: "job.accepted".to_owned(),
            wall_ms: 1_700_000_000_000 + seq,
            boot_ms: seq,
            tpm: TpmClock {
                ms: seq,
                resets: 1,
                restarts: 0,
            },
            tenant: [1; 16],
            subject: [2; 16],
            nonce: [3; 12],
            ciphertext: vec![4; 40],
        };
        (0..count).map(|seq| leaf(seq).to_bytes()).collect()
    }

    fn export(leaves: &[Vec<u8>]) -> Vec<u8> {
        let origin = Origin::new("casemate.test/audit").unwrap();
        let hashes: Vec<Digest> = leaves.iter().map(|leaf| merkle::leaf_hash(leaf)).collect();
        let size = leaves.len() as u64;
        let checkpoint = Checkpoint {
            origin: origin.clone(),
            size,
            root: merkle::root(&hashes),
        };
        let note = checkpoint.sign(&key());
        write(
            &origin,
            leaves.iter().map(Vec::as_slice),
            &note,
            &key().verifying_key(),
        )
    }

    /// The part that each byte of the file belongs to.
    fn parts(file: &[u8], entries: u64) -> Vec<Part> {
        let mut items = Decoder::new(file);
        let mut owner = Vec::new();
        let order = std::iter::once(Part::Header)
            .chain((0..entries).map(Part::Entry))
            .chain([Part::Checkpoint, Part::Key]);
        for part in order {
            let _: Item<'_> = items.decode().unwrap();
            owner.resize(items.position(), part);
        }
        owner
    }

    #[test]
    fn a_changed_byte_names_its_part() {
        let file = export(&leaves(5));
        assert_eq!(
            VerifiedExport::read(&file, None).unwrap().checkpoint.size,
            5
        );
        for (at, owner) in parts(&file, 5).into_iter().enumerate() {
            for bit in 0..8 {
                let mut other = file.clone();
                other[at] ^= 1 << bit;
                let error = VerifiedExport::read(&other, None).unwrap_err();
                let (ExportError::Unreadable { part, .. } | ExportError::Changed { part, .. }) =
                    error
                else {
                    panic!("byte {at}: {error}");
                };
                assert_eq!(part, owner, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn a_rewritten_entry_breaks_the_root() {
        let good = leaves(4);
        let file = export(&good);
        let mut rewritten = good.clone();
        let mut leaf = Leaf::from_bytes(&good[2]).unwrap();
        leaf.kind = "job.cancelled".to_owned();
        rewritten[2] = leaf.to_bytes();
        let note = {
            let hashes: Vec<Digest> = good.iter().map(|leaf| merkle::leaf_hash(leaf)).collect();
            let origin = Origin::new("casemate.test/audit").unwrap();
            Checkpoint {
                origin,
                size: 4,
                root: merkle::root(&hashes),
            }
            .sign(&key())
        };
        let origin = Origin::new("casemate.test/audit").unwrap();
        let forged = write(
            &origin,
            rewritten.iter().map(Vec::as_slice),
            &note,
            &key().verifying_key(),
        );
        assert!(matches!(
            VerifiedExport::read(&forged, None),
            Err(ExportError::Root { .. })
        ));
        assert!(VerifiedExport::read(&file, Some(&key().verifying_key())).is_ok());
        let stranger = SigningKey::from_bytes(&[1; 32]).verifying_key();
        assert!(matches!(
            VerifiedExport::read(&file, Some(&stranger)),
            Err(ExportError::Key { .. })
        ));
    }

    #[test]
    fn a_shortened_or_lengthened_file_fails() {
        let file = export(&leaves(3));
        for end in 0..file.len() {
            assert!(VerifiedExport::read(&file[..end], None).is_err());
        }
        let longer = [&file[..], &[0]].concat();
        assert!(VerifiedExport::read(&longer, None).is_err());
        assert!(VerifiedExport::read(&export(&leaves(0)), None).is_ok());
    }
}
