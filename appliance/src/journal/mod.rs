//! The journal: what was acknowledged is durable, in order, and cannot be changed unseen.
//!
//! Guaranteed to whoever got an acknowledgement: after a power cut at any later time the record is
//! read back; a byte of it that changes, or its absence, stops the next opening with the record's
//! number ([`OpenError::Damaged`]). Not guaranteed here: that the whole directory is not an old
//! copy; the TPM's counter shows that (`audit`). Format: docs/formats/journal.md.

pub mod examine;
pub mod head;
pub mod segment;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use casemate_protocol::Code;

use crate::code;
use crate::keys::derive::ApplianceId;
use crate::keys::seal::Sealer;
use crate::keys::{EPOCH, Kek, Key, KeyError};
use crate::store::durable;
use head::{Head, HeadFile};
use segment::{Chain, HEADER, Header, Identity};

pub use examine::{Examined, Found, Record};

/// A segment that has this many bytes gets no further group.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// Space is taken this many bytes at a time, as zeros: a sync then has no length to write down,
/// which costs the file system a transaction of its own.
const AHEAD: u64 = 1 << 20;

/// Largest record.
pub const MAX_RECORD: usize = 64 << 10;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The segment.
    pub segment: u64,
    /// Offset of its frame.
    pub offset: u64,
    /// Bytes of its frame.
    pub length: u32,
}

/// Why a journal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An acknowledged record is missing or changed.
    #[error("record {record} in segment {segment}, at byte {offset}: {reason}")]
    Damaged {
        /// The record's number.
        record: u64,
        /// The segment.
        segment: u64,
        /// Where in the segment's file.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// There are keys or a head, but no segment.
    #[error("{0} has no journal, but other parts of a state")]
    Missing(String),
    /// It was made under another key.
    #[error("the journal does not open under the key that was handed over")]
    OtherKey,
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// How.
        source: io::Error,
    },
    /// The kernel gave no random bytes.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl OpenError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Damaged { .. } => &code::JOURNAL_DAMAGED,
            Self::Missing(_) => &code::JOURNAL_MISSING,
            Self::OtherKey => &code::STATE_OTHER_KEY,
            Self::Io { source, .. } => code::of_io(source),
            Self::Key(error) => error.code(),
        }
    }

    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            source,
        }
    }
}

/// Why a group was not made durable. None of its records counts.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It was not written; the journal is as before and goes on when the cause is gone.
    #[error("the journal could not be written: {0}")]
    NotWritten(#[source] io::Error),
    /// What is on the disk is unknown; nothing more is taken until a restart.
    #[error("the journal could not be made durable: {0}")]
    Failed(String),
    /// A record is longer than [`MAX_RECORD`].
    #[error("a record has {0} bytes, at most {MAX_RECORD} are allowed")]
    TooLarge(usize),
    /// The kernel gave no random bytes.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Whose journal it is and what seals it.
#[derive(Debug, Clone)]
pub struct Sealing {
    appliance: ApplianceId,
    key: Key,
    sealer: Sealer,
}

impl Sealing {
    fn new(appliance: ApplianceId, kek: &Kek) -> Self {
        let key = kek.journal(appliance, EPOCH);
        let sealer = Sealer::new(&key);
        Self {
            appliance,
            key,
            sealer,
        }
    }

    fn identity(&self, segment: u64) -> Identity {
        Identity {
            appliance: self.appliance,
            segment,
            epoch: EPOCH,
        }
    }
}

/// The open end of the journal. One writer owns it.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    sealing: Sealing,
    segment_bytes: u64,
    segment: u64,
    file: File,
    end: u64,
    /// The file's length: zeros from `end` on.
    taken: u64,
    next: u64,
    chain: Chain,
    head: HeadFile,
    failed: Option<String>,
}

impl Journal {
    /// Begins a journal in an empty directory.
    ///
    /// # Errors
    /// [`OpenError::Io`] or [`OpenError::Key`].
    pub fn create(dir: &Path, kek: &Kek, segment_bytes: u64) -> Result<Self, OpenError> {
        let appliance = ApplianceId(crate::keys::random()?);
        let sealing = Sealing::new(appliance, kek);
        let io = |source| OpenError::io(dir, source);
        let (file, chain) = begin_segment(dir, &sealing, 1, 0, [0; 32]).map_err(io)?;
        let (head, _) = HeadFile::open(dir, sealing.key.clone()).map_err(io)?;
        Ok(Self {
            dir: dir.to_owned(),
            sealing,
            segment_bytes,
            segment: 1,
            file,
            end: HEADER as u64,
            taken: HEADER as u64,
            next: 0,
            chain,
            head,
            failed: None,
        })
    }

    /// Whose journal it is.
    pub fn appliance(&self) -> ApplianceId {
        self.sealing.appliance
    }

    /// Number of the next record.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// A reader of single records.
    pub fn reader(&self) -> Reader {
        Reader {
            dir: self.dir.clone(),
            sealing: self.sealing.clone(),
        }
    }

    /// Makes a group of records durable with one sync; gives their places in order.
    ///
    /// # Errors
    /// [`AppendError`]: none of them counts, and none is there after a restart unless the error
    /// is [`AppendError::Failed`], after which any may be.
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<Vec<Place>, AppendError> {
        if let Some(reason) = &self.failed {
            return Err(AppendError::Failed(reason.clone()));
        }
        if let Some(large) = records.iter().find(|record| record.len() > MAX_RECORD) {
            return Err(AppendError::TooLarge(large.len()));
        }
        if self.end >= self.segment_bytes {
            self.roll()?;
        }
        let (bytes, places, chain) = self.frames(records)?;
        let after = self.end.saturating_add(bytes.len() as u64);
        self.take_space(after);
        if let Err(error) = self.file.write_all_at(&bytes, self.end) {
            return Err(self.cut_back(error));
        }
        if let Err(error) = self.file.sync_data() {
            // After a failed sync the kernel may have dropped the pages and forgotten the error:
            // only reading back after a restart tells what is there.
            return Err(self.fail(&error));
        }
        self.end = after;
        self.taken = self.taken.max(after);
        self.next = self.next.saturating_add(records.len() as u64);
        self.chain = chain;
        // The head may lag: a group is durable without it, and the next one brings it up.
        let _ = self.head.write(Head {
            next: self.next,
            chain,
        });
        Ok(places)
    }

    /// Makes the head durable; the last call on a clean stop.
    ///
    /// # Errors
    /// The file system's.
    pub fn close(mut self) -> io::Result<()> {
        self.give_back();
        self.head.write(Head {
            next: self.next,
            chain: self.chain,
        })?;
        self.head.sync()
    }

    fn frames(&self, records: &[Vec<u8>]) -> Result<(Vec<u8>, Vec<Place>, Chain), KeyError> {
        let identity = self.sealing.identity(self.segment);
        let mut bytes = Vec::new();
        let mut places = Vec::with_capacity(records.len());
        let mut chain = self.chain;
        for (seq, record) in (self.next..).zip(records) {
            let start = bytes.len();
            let numbers = (seq, self.next);
            chain = identity.frame(&self.sealing.sealer, numbers, &chain, record, &mut bytes)?;
            places.push(Place {
                segment: self.segment,
                offset: self.end.saturating_add(start as u64),
                length: u32::try_from(bytes.len().saturating_sub(start)).unwrap_or(u32::MAX),
            });
        }
        Ok((bytes, places, chain))
    }

    /// Begins the next segment; the journal is as before if that fails.
    fn roll(&mut self) -> Result<(), AppendError> {
        let next = self.segment.saturating_add(1);
        let (file, chain) = begin_segment(&self.dir, &self.sealing, next, self.next, self.chain)
            .map_err(AppendError::NotWritten)?;
        self.give_back();
        self.file = file;
        self.segment = next;
        self.end = HEADER as u64;
        self.taken = self.end;
        self.chain = chain;
        Ok(())
    }

    /// Takes space up to `needed` and some ahead. Without room for that the group itself may still
    /// fit, so a failure only shows when that is written.
    fn take_space(&mut self, needed: u64) {
        if needed <= self.taken {
            return;
        }
        let ahead = needed
            .next_multiple_of(AHEAD)
            .min(self.segment_bytes)
            .max(needed);
        let zeros = usize::try_from(ahead.saturating_sub(self.taken)).unwrap_or(0);
        let written = self.file.write_all_at(&vec![0; zeros], self.taken);
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => self.taken = ahead,
            Err(_) => self.give_back(),
        }
    }

    /// Lets go of the space after the last record. Zeros that stay do no harm.
    fn give_back(&mut self) {
        if self.file.set_len(self.end).is_ok() {
            self.taken = self.end;
        }
    }

    /// Cuts away what a failed write left.
    fn cut_back(&mut self, error: io::Error) -> AppendError {
        let cut = self
            .file
            .set_len(self.end)
            .and_then(|()| self.file.sync_data());
        match cut {
            Ok(()) => {
                self.taken = self.end;
                AppendError::NotWritten(error)
            }
            Err(cut) => self.fail(&cut),
        }
    }

    fn fail(&mut self, error: &io::Error) -> AppendError {
        let reason = error.to_string();
        self.failed = Some(reason.clone());
        AppendError::Failed(reason)
    }
}

/// Reads single records back.
#[derive(Debug, Clone)]
pub struct Reader {
    dir: PathBuf,
    sealing: Sealing,
}

impl Reader {
    /// The plaintext of the record `seq` at `place`.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] if it is not there any more as it was written.
    pub fn read(&self, seq: u64, place: Place) -> Result<Vec<u8>, OpenError> {
        let path = self.dir.join(name(place.segment));
        let damaged = |reason: &str| OpenError::Damaged {
            record: seq,
            segment: place.segment,
            offset: place.offset,
            reason: reason.to_owned(),
        };
        let mut frame = vec![0; usize::try_from(place.length).unwrap_or(0)];
        let read = File::open(&path).and_then(|file| file.read_exact_at(&mut frame, place.offset));
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged("the segment ends before it"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("the segment is missing"));
            }
            Err(error) => return Err(OpenError::io(&path, error)),
        }
        match segment::look(&frame) {
            segment::At::Frame(raw, _) if raw.seq == seq => self
                .sealing
                .identity(place.segment)
                .open(&self.sealing.sealer, &raw)
                .map_err(|_| damaged("its seal is broken")),
            segment::At::Frame(..) => Err(damaged("it carries another number")),
            segment::At::End => Err(damaged("there are only zeros")),
            segment::At::Broken(reason) => Err(damaged(reason)),
        }
    }
}

/// The file name of a segment.
pub fn name(segment: u64) -> String {
    format!("{segment:08}.seg")
}

fn begin_segment(
    dir: &Path,
    sealing: &Sealing,
    segment: u64,
    first: u64,
    before: Chain,
) -> io::Result<(File, Chain)> {
    let header = Header {
        segment,
        appliance: sealing.appliance,
        epoch: EPOCH,
        first,
        before,
    };
    let bytes = header.to_bytes(&sealing.key);
    durable::put(dir, &name(segment), &bytes)?;
    Ok((open_segment(dir, segment)?, Header::chain(&bytes)))
}

fn open_segment(dir: &Path, segment: u64) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .open(dir.join(name(segment)))
}
