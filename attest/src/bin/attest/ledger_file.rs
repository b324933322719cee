//! The ledger as a file: locked while it is open, flushed to the disk before a verdict is shown.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use casemate_attest::code::{self, Code};
use casemate_attest::digest::Digest;
use casemate_attest::ledger::{Entry, Ledger, LedgerError, MAX_LEDGER};
use casemate_attest::verdict::Verdict;

use crate::failure::{Exit, Failure};
use crate::file;

/// A ledger that no other process writes while this value lives.
#[derive(Debug)]
pub(crate) struct LedgerFile {
    path: PathBuf,
    file: File,
    ledger: Ledger,
    unwritten: Vec<u8>,
}

impl LedgerFile {
    /// Opens the ledger, or begins one where no file is, and waits until no other process has it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let unwritable = |why: io::Error| failed(path, &code::LEDGER_UNWRITABLE, why);
        let new = !path.exists();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(unwritable)?;
        file.lock().map_err(unwritable)?;
        if new {
            // The file's name must survive a power cut as its lines do. Not every system lets a
            // folder be flushed; then there is no more to do.
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or(Path::new(".")));
            let _ = folder.and_then(|folder| folder.sync_all());
        }
        let ledger = read(&mut file, path)?;
        let path = path.to_owned();
        Ok(Self {
            path,
            file,
            ledger,
            unwritten: Vec::new(),
        })
    }

    /// Holds a verdict against the records before it. `leaves` are those of an audit export.
    pub(crate) fn compare(
        &self,
        verdict: Verdict,
        entry: &Entry,
        leaves: Option<&[Digest]>,
    ) -> Verdict {
        verdict.with(self.ledger.checks(entry, leaves))
    }

    /// Takes a record, to be written by [`LedgerFile::flush`], with the decision of the verdict
    /// that will be shown.
    pub(crate) fn push(&mut self, entry: Entry, shown: Option<&Verdict>) {
        let entry = match shown {
            Some(verdict) => entry.concluded(verdict),
            None => entry,
        };
        let bytes = self.ledger.append(entry);
        self.unwritten.extend(bytes);
    }

    /// Appends what was taken in one write and flushes it to the disk. When that fails, the file
    /// is as it was before.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let unwritable = |why: io::Error| failed(&self.path, &code::LEDGER_UNWRITABLE, why);
        let before = self.file.metadata().map_err(unwritable)?.len();
        let written = self.file.write_all(&self.unwritten);
        let written = written.and_then(|()| self.file.sync_all());
        written.map_err(|why| {
            let _ = self.file.set_len(before);
            unwritable(why)
        })?;
        self.unwritten.clear();
        Ok(())
    }
}

/// Reads a ledger without writing it.
pub(crate) fn read_only(path: &Path) -> Result<Ledger, Failure> {
    let unreadable = |why: io::Error| failed(path, &code::FILE_UNREADABLE, why);
    let mut file = File::open(path).map_err(unreadable)?;
    // Nobody is to be found in the middle of a record.
    file.lock_shared().map_err(unreadable)?;
    read(&mut file, path)
}

fn read(file: &mut File, path: &Path) -> Result<Ledger, Failure> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_LEDGER)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let read = file.take(limit).read_to_end(&mut bytes);
    read.map_err(|why| failed(path, &code::FILE_UNREADABLE, why))?;
    Ledger::read(&bytes).map_err(|error| {
        let exit = match error {
            LedgerError::Malformed | LedgerError::TooLarge => Exit::Malformed,
            LedgerError::Unreadable { .. } | LedgerError::Chain { .. } => Exit::Damaged,
        };
        let what = format!("cannot go on with the ledger {}", file::name(path));
        Failure::new(exit, error.code(), what, error)
    })
}

fn failed(path: &Path, code: &'static Code, why: io::Error) -> Failure {
    let what = format!("cannot use the ledger {}", file::name(path));
    Failure::new(Exit::Malformed, code, what, why)
}
