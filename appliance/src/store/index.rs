//! What the journal says, in the shape in which it is asked for.
//!
//! Made from the journal alone and thrown away whenever in doubt. Rows of it are as trustworthy as
//! the journal they were made from; a row that was changed on the disk is an error, not an answer.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use casemate_protocol::Code;
use casemate_protocol::codec;
use casemate_protocol::id::{ArtifactId, Digest, JobId, TenantId};
use minicbor::{Decode, Encode};

use super::apply::Batch;
use super::entry::Entry;
use super::row::{ArtifactRow, EventRow, FindingRow, HaltRow, JobRow, Stamp, WorkflowRow};
use super::table::{Row, Rows, Table};
use crate::code;
use crate::keys::derive::ApplianceId;
use crate::keys::{Kek, KeyError};

/// Room that the disk must have before sled is given anything: one step of the journal and one
/// segment of sled's. sled 0.34 does not survive a write that fails for want of room: dropping or
/// flushing it may then wait for ever, so it must not come to that.
pub const ROOM: u64 = 2 << 20;

/// Why the index did not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A row or the whole is not what was written.
    #[error("the index is damaged: {0}")]
    Damaged(&'static str),
    /// sled failed, for want of space or otherwise.
    #[error("the index: {0}")]
    Sled(#[from] sled::Error),
    /// The kernel gave no random bytes.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It failed before and is mended at the next commit.
    #[error("the index is out of use: {0}")]
    Broken(String),
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// How.
        source: std::io::Error,
    },
    /// The journal could not be read to rebuild it.
    #[error("the journal: {0}")]
    Journal(String),
}

impl IndexError {
    /// The stable code: a full disk is said as such.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Io { source, .. } => code::of_io(source),
            Self::Sled(sled::Error::Io(source)) => {
                let code = code::of_io(source);
                if *code == code::STATE_FULL {
                    code
                } else {
                    &code::INDEX_FAILED
                }
            }
            _ => &code::INDEX_FAILED,
        }
    }
}

/// The index.
#[derive(Debug)]
pub struct Index {
    dir: PathBuf,
    appliance: ApplianceId,
    kek: Kek,
    rows: RwLock<Result<Rows, String>>,
}

impl Index {
    /// Takes up the index in `dir`, or an empty one; says why the old one was thrown away.
    pub(super) fn open(
        dir: &Path,
        appliance: ApplianceId,
        kek: &Kek,
    ) -> Result<(Self, Option<String>), IndexError> {
        let (rows, thrown_away) = match Rows::open(dir, appliance, kek) {
            Ok(rows) => (rows, None),
            Err(reason) => (fresh(dir, appliance, kek)?, Some(reason.to_string())),
        };
        let index = Self {
            dir: dir.to_owned(),
            appliance,
            kek: kek.clone(),
            rows: RwLock::new(Ok(rows)),
        };
        Ok((index, thrown_away))
    }

    /// Number of journal entries that it repeats.
    ///
    /// # Errors
    /// [`IndexError::Broken`].
    pub fn position(&self) -> Result<u64, IndexError> {
        self.with(|rows| Ok(rows.position()))
    }

    /// All workflows, by name.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn workflows(&self) -> Result<Vec<WorkflowRow>, IndexError> {
        let mut all: Vec<WorkflowRow> =
            self.with(|rows| decode_all(rows.table(Table::Workflow)?))?;
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }

    /// A workflow.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn workflow(&self, name: &str) -> Result<Option<WorkflowRow>, IndexError> {
        self.one(Table::Workflow, name.as_bytes())
    }

    /// All jobs, in the order in which they were accepted.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn jobs(&self) -> Result<Vec<JobRow>, IndexError> {
        let mut all: Vec<JobRow> = self.with(|rows| decode_all(rows.table(Table::Job)?))?;
        all.sort_by_key(|job| job.accepted.entry);
        Ok(all)
    }

    /// A job.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn job(&self, job: JobId) -> Result<Option<JobRow>, IndexError> {
        self.one(Table::Job, &job.0)
    }

    /// At most `limit` events of a job after number `after`, in order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn events(
        &self,
        job: JobId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<EventRow>, IndexError> {
        self.some(Table::Event, &job.0, after.saturating_add(1), limit)
    }

    /// Findings of a job over all its attempts, in order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn findings(&self, job: JobId) -> Result<Vec<FindingRow>, IndexError> {
        self.some(Table::Finding, &job.0, 0, usize::MAX)
    }

    /// A stored file.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn artifact(&self, id: ArtifactId) -> Result<Option<ArtifactRow>, IndexError> {
        self.one(Table::Artifact, &id.0)
    }

    /// Files that a job made, over all its attempts, in order.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn job_artifacts(&self, job: JobId) -> Result<Vec<ArtifactRow>, IndexError> {
        let ids: Vec<ArtifactId> = self.some(Table::JobArtifact, &job.0, 0, usize::MAX)?;
        let rows: Result<Vec<_>, _> = ids.into_iter().map(|id| self.artifact(id)).collect();
        Ok(rows?.into_iter().flatten().collect())
    }

    /// Every stored file.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn artifacts(&self) -> Result<Vec<ArtifactRow>, IndexError> {
        let mut all: Vec<ArtifactRow> =
            self.with(|rows| decode_all(rows.table(Table::Artifact)?))?;
        all.sort_by_key(|row| row.stored.entry);
        Ok(all)
    }

    /// Whether jobs are halted; `None` if they never were.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn halt(&self) -> Result<Option<HaltRow>, IndexError> {
        self.one(Table::Halt, &[])
    }

    /// A digest over the plain content: two indexes that answer alike have the same.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn content_digest(&self) -> Result<Digest, IndexError> {
        self.with(|rows| {
            let mut bytes = Vec::new();
            for (key, row) in rows.all()? {
                bytes.extend(codec::encode(&(key, row.version, row.tenant, row.plain)));
            }
            Ok(Digest::of(&bytes))
        })
    }

    /// Applies entries in order; on failure the index is out of use until it is mended.
    pub(super) fn apply<'e>(&self, entries: impl Iterator<Item = (Stamp, TenantId, &'e Entry)>) {
        // A failure is kept, see `is_broken`.
        let _ = self.extend(|batch| {
            for (stamp, tenant, entry) in entries {
                batch.apply(stamp, tenant, entry)?;
            }
            Ok(())
        });
    }

    /// Applies what `fill` puts into a batch, or nothing.
    pub(super) fn extend(
        &self,
        fill: impl FnOnce(&mut Batch<'_>) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let mut guard = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let rows = guard
            .as_mut()
            .map_err(|reason| IndexError::Broken(reason.clone()))?;
        let done = extend(rows, fill);
        if let Err(error) = &done
            && let Ok(failed) = std::mem::replace(&mut *guard, Err(error.to_string()))
        {
            // Given up, not dropped: see `ROOM`.
            std::mem::forget(failed);
        }
        done
    }

    /// Whether the disk has [`ROOM`].
    ///
    /// # Errors
    /// [`IndexError::Io`] if it has not, or does not say.
    pub(super) fn check_room(&self) -> Result<(), IndexError> {
        check_room(self.dir.parent().unwrap_or(&self.dir))
    }

    /// Whether it must be mended before the next commit.
    pub(super) fn is_broken(&self) -> bool {
        self.rows
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_err()
    }

    /// Throws the index away; it is then empty and in use.
    pub(super) fn clear(&self) -> Result<(), IndexError> {
        let mut guard = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        // Lets the old files go before they are removed.
        *guard = Err("it is being rebuilt".to_owned());
        *guard = Ok(fresh(&self.dir, self.appliance, &self.kek)?);
        Ok(())
    }

    /// Hands what is in memory to the kernel; a failure shows at the next write.
    pub(super) fn flush(&self) {
        if self.check_room().is_ok() {
            let _ = self.with(Rows::flush);
        }
    }

    /// Lets the files go.
    pub(super) fn close(&self) {
        self.flush();
        let mut guard = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let rows = std::mem::replace(&mut *guard, Err("it is closed".to_owned()));
        if self.check_room().is_err() {
            // Given up, not dropped: see `ROOM`. The next start rebuilds it.
            std::mem::forget(rows);
        }
    }

    fn one<T>(&self, table: Table, name: &[u8]) -> Result<Option<T>, IndexError>
    where
        T: for<'b> Decode<'b, ()> + Encode<()>,
    {
        self.with(|rows| {
            rows.get(&rows.key(table, name))?
                .as_ref()
                .map(decode)
                .transpose()
        })
    }

    fn some<T>(
        &self,
        table: Table,
        name: &[u8],
        from: u64,
        limit: usize,
    ) -> Result<Vec<T>, IndexError>
    where
        T: for<'b> Decode<'b, ()> + Encode<()>,
    {
        self.with(|rows| decode_all(rows.list(table, name, from, limit)?))
    }

    fn with<T>(&self, ask: impl FnOnce(&Rows) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let guard: RwLockReadGuard<'_, _> =
            self.rows.read().unwrap_or_else(PoisonError::into_inner);
        match guard.as_ref() {
            Ok(rows) => ask(rows),
            Err(reason) => Err(IndexError::Broken(reason.clone())),
        }
    }
}

fn extend(
    rows: &mut Rows,
    fill: impl FnOnce(&mut Batch<'_>) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let mut batch = Batch::new(rows);
    fill(&mut batch)?;
    let (changes, position) = batch.finish();
    rows.write(changes, position)
}

/// Whether the disk of a directory has [`ROOM`].
pub(super) fn check_room(dir: &Path) -> Result<(), IndexError> {
    let io = |source| IndexError::Io {
        path: dir.display().to_string(),
        source,
    };
    let disk = nix::sys::statvfs::statvfs(dir).map_err(|errno| io(errno.into()))?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free < ROOM {
        return Err(io(std::io::ErrorKind::StorageFull.into()));
    }
    Ok(())
}

fn fresh(dir: &Path, appliance: ApplianceId, kek: &Kek) -> Result<Rows, IndexError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(IndexError::Io {
                path: dir.display().to_string(),
                source,
            });
        }
        _ => {}
    }
    Rows::open(dir, appliance, kek)
}

pub(super) fn decode<T>(row: &Row) -> Result<T, IndexError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    codec::decode_canonical(&row.plain)
        .map_err(|_| IndexError::Damaged("a row is not of this version"))
}

fn decode_all<T>(rows: Vec<Row>) -> Result<Vec<T>, IndexError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    rows.iter().map(decode).collect()
}
