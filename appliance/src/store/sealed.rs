//! An entry inside its audit leaf: readable kind and clocks, details under the subject's key.

use casemate_attest::leaf::{self, Leaf, TpmClock};
use casemate_protocol::{Code, codec};

use super::entry::Entry;
use crate::code;
use crate::keys::derive::ApplianceId;
use crate::keys::ring::SubjectKey;
use crate::keys::seal::Sealer;
use crate::keys::{KeyError, SubjectId};

const DOMAIN: &[u8] = b"casemate/entry/1";
const FORMAT: u32 = 1;

/// Why an entry could not be sealed or read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// It is too long for a leaf.
    #[error(
        "the entry `{kind}` has {size} bytes, a leaf holds at most {}",
        leaf::MAX_LEAF
    )]
    TooLarge {
        /// The entry's kind.
        kind: &'static str,
        /// The leaf's bytes.
        size: usize,
    },
    /// Its key is not there, or it does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It opens and holds no entry.
    #[error("it does not hold an entry of this version: {0}")]
    Unreadable(String),
}

impl EntryError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::TooLarge { .. } => &code::ENTRY_TOO_LARGE,
            Self::Key(error) => error.code(),
            Self::Unreadable(_) => &code::ENTRY_UNREADABLE,
        }
    }
}

/// The clocks in a leaf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) wall_ms: u64,
    pub(super) boot_ms: u64,
    pub(super) tpm: TpmClock,
}

/// Makes the leaf of entry number `seq`.
pub(super) fn seal(
    appliance: ApplianceId,
    seq: u64,
    times: Times,
    key: &SubjectKey,
    entry: &Entry,
) -> Result<Vec<u8>, EntryError> {
    let mut leaf = Leaf {
        version: leaf::VERSION,
        seq,
        kind: entry.kind().to_owned(),
        wall_ms: times.wall_ms,
        boot_ms: times.boot_ms,
        tpm: times.tpm,
        tenant: key.tenant.0,
        subject: entry.subject().0,
        nonce: [0; 12],
        ciphertext: Vec::new(),
    };
    let aad = aad(appliance, &leaf);
    let (nonce, sealed) = Sealer::new(&key.key).seal(&aad, &codec::encode(entry))?;
    leaf.nonce = nonce;
    leaf.ciphertext = sealed;
    let bytes = leaf.to_bytes();
    if bytes.len() > leaf::MAX_LEAF {
        return Err(EntryError::TooLarge {
            kind: entry.kind(),
            size: bytes.len(),
        });
    }
    Ok(bytes)
}

/// Opens a leaf's details.
pub(super) fn open(
    appliance: ApplianceId,
    leaf: &Leaf,
    key: &SubjectKey,
) -> Result<Entry, EntryError> {
    let bare = Leaf {
        nonce: [0; 12],
        ciphertext: Vec::new(),
        ..leaf.clone()
    };
    let plain =
        Sealer::new(&key.key).open(&leaf.nonce, &aad(appliance, &bare), &leaf.ciphertext)?;
    let entry: Entry = codec::decode_canonical(&plain)
        .map_err(|error| EntryError::Unreadable(error.to_string()))?;
    if entry.subject() != SubjectId(leaf.subject) || entry.kind() != leaf.kind {
        return Err(EntryError::Unreadable(
            "its leaf says something else".to_owned(),
        ));
    }
    Ok(entry)
}

fn aad(appliance: ApplianceId, bare: &Leaf) -> Vec<u8> {
    [
        DOMAIN,
        &FORMAT.to_be_bytes(),
        &appliance.0,
        &bare.to_bytes(),
    ]
    .concat()
}
