//! One sealed chunk of a file: its name and its bytes. Pure. Format: docs/formats/artifacts.md.

use casemate_protocol::id::{ArtifactId, TenantId};

use crate::journal::segment::mac;
use crate::keys::derive::{ApplianceId, derive};
use crate::keys::seal::{NONCE, Sealer};
use crate::keys::{EPOCH, Key, KeyError, SubjectId};

/// Plain bytes of a chunk that is not the last.
pub const BYTES: usize = 1 << 20;

const MAGIC: &[u8; 16] = b"casemate-chunk-1";
const ALGORITHM: u32 = 1;
const HEAD: usize = 16 + 4 + 4;

/// Seals and names the chunks of one file.
#[derive(Debug)]
pub struct Chunker {
    sealer: Sealer,
    name_key: Key,
    context: Vec<u8>,
}

/// Where a chunk belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 0.
    pub index: u64,
    /// Whether none follows.
    pub last: bool,
}

impl Chunker {
    /// Derives the keys of one file from its subject's.
    pub fn new(
        appliance: ApplianceId,
        (tenant, subject): (TenantId, SubjectId),
        id: ArtifactId,
        subject_key: &Key,
    ) -> Self {
        let content = derive(subject_key, &id.0, b"casemate/artifact/1", &[]);
        Self {
            sealer: Sealer::new(&content),
            name_key: derive(subject_key, &id.0, b"casemate/artifact-name/1", &[]),
            context: [appliance.0, tenant.0, subject.0, id.0].concat(),
        }
    }

    /// The chunk's file name: says nothing without the key.
    pub fn name(&self, index: u64) -> String {
        hex::encode(mac(&self.name_key, &[], &index.to_be_bytes()))
    }

    /// The chunk's file content.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, at: Position, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut file = head();
        let (nonce, sealed) = self.sealer.seal(&self.aad(&file, at), plain)?;
        file.extend_from_slice(&nonce);
        file.extend_from_slice(&sealed);
        Ok(file)
    }

    /// The chunk's plain bytes.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn open(&self, at: Position, file: &[u8]) -> Result<Vec<u8>, &'static str> {
        let short = "it is cut off";
        let (found, rest) = file.split_at_checked(HEAD).ok_or(short)?;
        if found != head() {
            return Err("its format, algorithm or epoch is unknown");
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(short)?;
        self.sealer
            .open(nonce, &self.aad(found, at), sealed)
            .map_err(|_| "it was changed")
    }

    fn aad(&self, head: &[u8], at: Position) -> Vec<u8> {
        let mut aad = head.to_vec();
        aad.extend_from_slice(&self.context);
        aad.extend_from_slice(&at.index.to_be_bytes());
        aad.push(u8::from(at.last));
        aad
    }
}

fn head() -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&ALGORITHM.to_be_bytes());
    head.extend_from_slice(&EPOCH.to_be_bytes());
    head
}
