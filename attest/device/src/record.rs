//! `root.cbor`: the sealed root and what it was sealed to. Nothing in it is secret.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use casemate_attest::codec::{self, CodecError};
use casemate_attest::digest::Digest;
use casemate_attest::enrolment::PcrValue;
use minicbor::{Decode, Encode};

use crate::approval::SiteApproval;
use crate::root::ApplianceRoot;

/// 2: registers 12 and 13 are part of the policy. 3: where a recovery found the counter.
const VERSION: u32 = 3;
const LIMIT: usize = 16 * 1024;

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is none.
    #[error("no sealed root at {}", .0.display())]
    Missing(PathBuf),
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The record.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It was sealed under another version of the policy.
    #[error("{} is of version {found}, this program seals version {VERSION}", path.display())]
    Version {
        /// The record.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is not what was written.
    #[error("{}: {source}", path.display())]
    Damaged {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        source: CodecError,
    },
}

/// The sealed root as stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct RootRecord {
    #[n(0)]
    version: u32,
    /// Name of the storage root key it is sealed under.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) srk_name: Vec<u8>,
    /// `TPMT_PUBLIC` of the sealed object.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) public: Vec<u8>,
    /// Its private blob.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) private: Vec<u8>,
    /// PCR 7, 11 and 15 at provisioning.
    #[n(4)]
    pub(crate) enrolled: Vec<PcrValue>,
    /// The release key, uncompressed SEC1.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub(crate) release_key: [u8; 65],
    /// The site key, uncompressed SEC1.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub(crate) site_key: [u8; 65],
    /// Digest of branch A of the policy.
    #[n(7)]
    pub(crate) release_branch: Digest,
    /// Digest of branch B.
    #[n(8)]
    pub(crate) site_branch: Digest,
    /// Generation of the keys derived from the root.
    #[n(9)]
    pub(crate) epoch: u64,
    /// Name of the log key.
    #[cbor(n(10), with = "minicbor::bytes")]
    pub(crate) log_key_name: Vec<u8>,
    /// A change the site approved, if any.
    #[n(11)]
    pub(crate) site_approval: Option<SiteApproval>,
    /// Where a recovery key brought the root to this TPM.
    #[n(12)]
    pub(crate) recovered: Option<Recovered>,
}

/// The counter of a fresh TPM when a recovery key brought the root to it. Authenticated under the
/// root: else who writes to the disk would have an old copy of the state taken for a moved one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Recovered {
    #[n(0)]
    pub(crate) counter: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    tag: [u8; 32],
}

impl Recovered {
    pub(crate) fn new(root: &ApplianceRoot, srk_name: &[u8], counter: u64) -> Self {
        let tag = root.recovered(srk_name, counter);
        Self { counter, tag }
    }
}

/// What the sealed root is bound to, for an operator: the TPM alone decides whether it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedState {
    /// PCR 7 as sealed to.
    pub pcr7: Digest,
    /// PCR 11 of the release at provisioning.
    pub pcr11: Digest,
    /// Generation of the keys derived from the root.
    pub epoch: u64,
    /// A change the site approved, if any.
    pub site_approval: Option<SiteApproval>,
}

impl SealedState {
    /// Reads it from a state's TPM directory.
    ///
    /// # Errors
    /// [`RecordError`] when there is no record or it is damaged.
    pub fn read(state: &Path) -> Result<Self, RecordError> {
        let record = RootRecord::read(&RootRecord::path(state))?;
        Ok(Self {
            pcr7: record.enrolled_value(7),
            pcr11: record.enrolled_value(11),
            epoch: record.epoch,
            site_approval: record.site_approval,
        })
    }
}

/// What a new record is made of.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) srk_name: Vec<u8>,
    pub(crate) public: Vec<u8>,
    pub(crate) private: Vec<u8>,
    pub(crate) enrolled: Vec<PcrValue>,
    pub(crate) release_key: [u8; 65],
    pub(crate) site_key: [u8; 65],
    pub(crate) branches: (Digest, Digest),
    pub(crate) epoch: u64,
    pub(crate) log_key_name: Vec<u8>,
    pub(crate) recovered: Option<Recovered>,
}

impl RootRecord {
    pub(crate) fn new(sealed: Sealed) -> Self {
        Self {
            version: VERSION,
            srk_name: sealed.srk_name,
            public: sealed.public,
            private: sealed.private,
            enrolled: sealed.enrolled,
            release_key: sealed.release_key,
            site_key: sealed.site_key,
            release_branch: sealed.branches.0,
            site_branch: sealed.branches.1,
            epoch: sealed.epoch,
            log_key_name: sealed.log_key_name,
            site_approval: None,
            recovered: sealed.recovered,
        }
    }

    /// Where the record is in a state directory.
    pub(crate) fn path(state: &Path) -> PathBuf {
        state.join("root.cbor")
    }

    pub(crate) fn read(path: &Path) -> Result<Self, RecordError> {
        let bytes = match fs::read(path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(RecordError::Missing(path.to_path_buf()));
            }
            other => other.map_err(|source| RecordError::File {
                path: path.to_path_buf(),
                source,
            })?,
        };
        let damaged = |source| RecordError::Damaged {
            path: path.to_path_buf(),
            source,
        };
        let record: Self = codec::decode_canonical(&bytes, LIMIT).map_err(damaged)?;
        if record.version != VERSION {
            return Err(RecordError::Version {
                path: path.to_path_buf(),
                found: record.version,
            });
        }
        if !record
            .enrolled
            .iter()
            .map(|value| value.pcr)
            .eq([7, 11, 15])
        {
            let reason = "not registers 7, 11, 15".to_owned();
            return Err(damaged(CodecError::Member {
                member: "enrolled",
                reason,
            }));
        }
        Ok(record)
    }

    /// Writes beside, syncs, renames, syncs the directory.
    pub(crate) fn write(&self, path: &Path) -> Result<(), RecordError> {
        write_durably(path, &codec::encode(self)).map_err(|source| RecordError::File {
            path: path.to_path_buf(),
            source,
        })
    }

    /// The counter of a recovery onto this TPM, as the root itself vouches for it.
    pub(crate) fn recovered_at(&self, root: &ApplianceRoot) -> Option<u64> {
        let said = self.recovered.as_ref()?;
        (*said == Recovered::new(root, &self.srk_name, said.counter)).then_some(said.counter)
    }

    pub(crate) fn enrolled_value(&self, register: u8) -> Digest {
        let found = self.enrolled.iter().find(|value| value.pcr == register);
        found.map_or(Digest::ZERO, |value| value.value)
    }
}

pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("new");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    sync_directory(path)
}

/// Makes a rename in this file's directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
