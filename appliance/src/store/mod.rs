//! The state of the appliance: one journal, what is made from it, and how to add to it.
//!
//! [`Store::commit`] is the only way in: it returns when the entry is durable, is a leaf of the
//! audit log, is covered by a signed checkpoint and is applied to the index. What the index
//! answers ([`Store::index`]) is therefore never ahead of the journal.
//!
//! All calls block (a commit costs one `fdatasync`, shared with whoever commits at the same
//! time); [`Store::submit`] is for callers that must not wait.

mod anchor;
mod apply;
pub mod durable;
pub mod entry;
mod error;
pub mod index;
mod lock;
mod opening;
pub mod row;
mod sealed;
mod table;
mod writer;

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use casemate_attest::artifacts::Manifest;
use casemate_attest::checkpoint::Checkpoint;
use casemate_attest::digest::Digest as Hash;
use casemate_attest::export;
use casemate_attest::leaf::{Leaf, TpmClock};
use casemate_attest::merkle;
use casemate_protocol::id::{ArtifactId, TenantId};

use crate::artifact::{Artifact, ArtifactError, ArtifactReader, ArtifactWriter, Vault};
use crate::audit::log::Log;
use crate::audit::witness::{Clocks, Witness};
use crate::journal::{AppendError, Reader};
use crate::keys::derive::ApplianceId;
use crate::keys::ring::SubjectKey;
use crate::keys::{Kek, KeyError, Keyring, SubjectId, random};
use entry::Entry;
use index::Index;
use writer::Request;

pub use anchor::AnchorError;
pub use error::{CommitError, OpenError, ReadError};

/// What opening needs.
pub struct Setup {
    /// The state directory; made if it is not there.
    pub dir: PathBuf,
    /// From the handover.
    pub kek: Kek,
    /// The TPM.
    pub witness: Box<dyn Witness>,
    /// What the TPM's counter was when a recovery key brought the root to it, from the handover.
    pub recovered_at: Option<u64>,
    /// The machine's clocks.
    pub clocks: Arc<dyn Clocks>,
    /// Size from which a segment gets no further group; [`crate::journal::SEGMENT_BYTES`].
    pub segment_bytes: u64,
}

/// What opening found; worth a log line and the status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// There was no journal; one was begun.
    pub created: bool,
    /// The daemon before had closed the state.
    pub clean: bool,
    /// Bytes of unacknowledged records that were cut away.
    pub cut: u64,
    /// Why the index was rebuilt, if it was.
    pub rebuilt: Option<String>,
    /// Files of chunks that no entry named and that were removed.
    pub swept: u64,
    /// Entries in the journal.
    pub entries: u64,
}

/// What a commit gives back.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The entry's number.
    pub entry: u64,
    /// When it was recorded: wall clock, milliseconds since 1970.
    pub wall_ms: u64,
    /// A signed checkpoint that covers it.
    pub checkpoint: Arc<SignedCheckpoint>,
}

/// A checkpoint with its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The C2SP signed note.
    pub note: String,
}

/// A checkpoint that the TPM vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// The checkpoint.
    pub signed: SignedCheckpoint,
    /// Wall clock in the cosignature.
    pub wall_ms: u64,
    /// The TPM log key's signature.
    pub cosignature: Vec<u8>,
    /// The TPM counter after it.
    pub counter: u64,
    /// The TPM's clock at that time.
    pub clock: TpmClock,
}

/// An entry as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The audit leaf: number, kind, clocks.
    pub leaf: Leaf,
    /// The details; `None` when the subject's key was erased.
    pub entry: Option<Entry>,
}

/// The open state. Clones share it; when the last is dropped the writer ends and the state is let
/// go, but only [`Store::close`] records that.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    _end: Arc<End>,
}

/// Ends the writer, which shares the state and would keep it for ever.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.0.queue).take();
        if let Some(writer) = lock(&self.0.writer).take()
            && writer.thread().id() != std::thread::current().id()
        {
            // What it could not make durable was not acknowledged; the next start reads it back.
            let _ = writer.join();
        }
    }
}

/// What the callers and the writer thread share.
struct Shared {
    appliance: ApplianceId,
    keyring: RwLock<Keyring>,
    log: RwLock<Log>,
    index: Index,
    vault: Vault,
    reader: Reader,
    clocks: Arc<dyn Clocks>,
    anchor: Mutex<anchor::Anchor>,
    queue: Mutex<Option<Sender<Request>>>,
    writer: Mutex<Option<JoinHandle<std::io::Result<()>>>>,
    _lock: lock::Lock,
}

impl Store {
    /// Opens the state, or begins one in an empty directory.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed that an operator would miss.
    pub fn open(setup: Setup) -> Result<(Self, Report), OpenError> {
        opening::open(setup)
    }

    /// Records an entry. When this returns it is durable, in the audit log, under a signed
    /// checkpoint, and in the index. Committing [`Entry::JobAccepted`] makes the job's key first.
    ///
    /// # Errors
    /// [`CommitError`]; nothing of it has effect.
    pub fn commit(&self, entry: Entry) -> Result<Committed, CommitError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.submit(entry, move |result| {
            // The receiver waits below and outlives this.
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or(Err(CommitError::Closed))
    }

    /// The same without waiting: `done` is called once, from the writer thread; it must not block.
    /// Entries of one caller are recorded in the order of their submission.
    pub fn submit(
        &self,
        entry: Entry,
        done: impl FnOnce(Result<Committed, CommitError>) + Send + 'static,
    ) {
        if let Entry::JobAccepted { spec, .. } = &entry
            && let Err(error) = self.ensure_subject(spec.tenant, SubjectId::of_job(spec.job))
        {
            return done(Err(error));
        }
        self.enqueue(Request::new(entry, Box::new(done)));
    }

    /// Makes sure that a subject has a key.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn ensure_subject(&self, tenant: TenantId, subject: SubjectId) -> Result<(), CommitError> {
        let mut keyring = write(&self.shared.keyring);
        if keyring.subject(subject).is_some() {
            return Ok(());
        }
        keyring.create_subject(tenant, subject)?;
        drop(keyring);
        self.commit(Entry::KeyCreated { tenant, subject })
            .map(|_| ())
    }

    /// Destroys a subject's key: its entries and files cannot be read any more, and it leaves the
    /// index. Every proof of the audit log keeps holding.
    ///
    /// # Errors
    /// [`CommitError`]; if only the file could not be destroyed, the next start does it.
    pub fn erase(&self, subject: SubjectId, by: &str) -> Result<Committed, CommitError> {
        if subject == SubjectId::SYSTEM {
            return Err(KeyError::System.into());
        }
        let committed = self.commit(Entry::KeyErased {
            subject,
            by: by.to_owned(),
        })?;
        write(&self.shared.keyring).erase(subject)?;
        Ok(committed)
    }

    /// What the journal says, in the shape in which it is asked for.
    pub fn index(&self) -> &Index {
        &self.shared.index
    }

    /// Whose state it is.
    pub fn appliance(&self) -> ApplianceId {
        self.shared.appliance
    }

    /// The public key that checkpoints and manifests are signed with.
    pub fn audit_key(&self) -> ed25519_dalek::VerifyingKey {
        read(&self.shared.keyring).signing().verifying_key()
    }

    /// Begins a file under a subject's key, which must be there.
    ///
    /// # Errors
    /// [`ArtifactError::Key`].
    pub fn artifact_writer(&self, subject: SubjectId) -> Result<ArtifactWriter, ArtifactError> {
        self.shared.vault.write(subject, &self.key(subject)?)
    }

    /// Begins an upload: a file that is a subject of its own.
    ///
    /// # Errors
    /// [`CommitError`] if its key could not be made.
    pub fn upload_writer(&self, tenant: TenantId) -> Result<ArtifactWriter, CommitError> {
        let id = ArtifactId(random()?);
        let subject = SubjectId::of_artifact(id);
        self.ensure_subject(tenant, subject)?;
        let key = read(&self.shared.keyring)
            .subject(subject)
            .cloned()
            .ok_or(KeyError::NoSubject(subject))?;
        Ok(self.shared.vault.write_as(id, subject, &key))
    }

    /// Stores bytes as a file under a subject's key.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub fn put_artifact(
        &self,
        subject: SubjectId,
        bytes: &[u8],
    ) -> Result<Artifact, ArtifactError> {
        let mut writer = self.artifact_writer(subject)?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Begins to read a stored file.
    ///
    /// # Errors
    /// [`ArtifactError::Key`] if its subject's key was erased.
    pub fn artifact_reader(&self, artifact: Artifact) -> Result<ArtifactReader, ArtifactError> {
        Ok(self
            .shared
            .vault
            .read(artifact, &self.key(artifact.subject)?))
    }

    /// The signed bytes of a job's manifest, for evidence.
    pub fn sign_manifest(&self, manifest: &Manifest) -> Vec<u8> {
        manifest.sign(read(&self.shared.keyring).signing())
    }

    /// The latest checkpoint: covers every entry that was acknowledged.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        read(&self.shared.log).checkpoint()
    }

    /// The last checkpoint that the TPM vouched for, in this run or before.
    pub fn anchored(&self) -> Option<Anchored> {
        self.anchor_state().last()
    }

    /// Has the TPM vouch for the log as it stands, records that and advances the counter. Takes
    /// as long as the TPM does; call it every some seconds, before evidence and before closing.
    ///
    /// # Errors
    /// [`AnchorError`]; the log goes on without.
    pub fn anchor(&self) -> Result<Anchored, AnchorError> {
        anchor::anchor(self, &mut self.anchor_state())
    }

    /// One entry.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, number: u64) -> Result<Recorded, ReadError> {
        self.shared.read(number)
    }

    /// Path from an entry's leaf to the root of the tree of the first `size` entries.
    pub fn inclusion_proof(&self, number: u64, size: u64) -> Option<Vec<Hash>> {
        merkle::inclusion_proof(read(&self.shared.log).hashes(size)?, number)
    }

    /// Path from the tree of `old` entries to that of `size`.
    pub fn consistency_proof(&self, old: u64, size: u64) -> Option<Vec<Hash>> {
        merkle::consistency_proof(read(&self.shared.log).hashes(size)?, old)
    }

    /// Reads every entry back, hashes it and compares the root with the checkpoint; gives the
    /// checkpoint. A check of the daemon by itself: proof for others is the export.
    ///
    /// # Errors
    /// [`ReadError`] names the entry.
    pub fn verify(&self) -> Result<Arc<SignedCheckpoint>, ReadError> {
        let checkpoint = self.checkpoint();
        for number in 0..checkpoint.checkpoint.size {
            self.shared.leaf_bytes(number)?;
        }
        Ok(checkpoint)
    }

    /// The audit export: every leaf, the checkpoint, the key (docs/formats/audit.md).
    ///
    /// # Errors
    /// [`ReadError`] names the entry.
    pub fn export(&self) -> Result<Vec<u8>, ReadError> {
        let signed = self.checkpoint();
        let leaves: Result<Vec<Vec<u8>>, ReadError> = (0..signed.checkpoint.size)
            .map(|number| self.shared.leaf_bytes(number))
            .collect();
        let leaves = leaves?;
        Ok(export::write(
            &signed.checkpoint.origin,
            leaves.iter().map(Vec::as_slice),
            &signed.note,
            &self.audit_key(),
        ))
    }

    /// Records the end, makes everything durable and lets the state go. Later commits of other
    /// clones are refused.
    ///
    /// # Errors
    /// [`CommitError`] if the end could not be recorded; the next start then says so.
    pub fn close(&self) -> Result<(), CommitError> {
        self.commit(Entry::Closed)?;
        lock(&self.shared.queue).take();
        let writer = lock(&self.shared.writer).take();
        if let Some(writer) = writer
            && let Ok(Err(source)) = writer.join()
        {
            return Err(Arc::new(AppendError::Failed(source.to_string())).into());
        }
        self.shared.index.close();
        Ok(())
    }

    fn enqueue(&self, request: Request) {
        let queue = lock(&self.shared.queue).clone();
        match queue {
            Some(queue) => {
                if let Err(back) = queue.send(request) {
                    back.0.answer(Err(CommitError::Closed));
                }
            }
            None => request.answer(Err(CommitError::Closed)),
        }
    }

    fn key(&self, subject: SubjectId) -> Result<SubjectKey, KeyError> {
        let keyring = read(&self.shared.keyring);
        keyring
            .subject(subject)
            .cloned()
            .ok_or(KeyError::NoSubject(subject))
    }

    fn anchor_state(&self) -> MutexGuard<'_, anchor::Anchor> {
        lock(&self.shared.anchor)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("appliance", &self.shared.appliance)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// A poisoned lock means that a thread died while it held it; what is guarded is only replaced
/// whole, so it is still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
