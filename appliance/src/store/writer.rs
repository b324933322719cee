//! The writer thread: takes what is queued, makes it durable with one sync, then answers.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use casemate_protocol::id::TenantId;

use super::entry::Entry;
use super::sealed::{self, EntryError, Times};
use super::{CommitError, Committed, Shared, read, write};
use crate::journal::Journal;
use crate::keys::KeyError;

/// Most entries of one group.
const GROUP: usize = 256;
/// A group that has this many bytes takes no further entry.
const GROUP_BYTES: usize = 1 << 20;
/// Entries after which the index is told to write out what it holds in memory.
const FLUSH: u64 = 512;

type Done = Box<dyn FnOnce(Result<Committed, CommitError>) + Send>;

/// An entry that waits to be recorded.
pub(super) struct Request {
    entry: Entry,
    done: Done,
}

impl Request {
    pub(super) fn new(entry: Entry, done: Done) -> Self {
        Self { entry, done }
    }

    /// Answers the one who waits.
    pub(super) fn answer(self, result: Result<Committed, CommitError>) {
        (self.done)(result);
    }
}

/// Entries sealed into leaves, in order, with who waits for them.
struct Group {
    leaves: Vec<Vec<u8>>,
    sealed: Vec<Sealed>,
}

struct Sealed {
    request: Request,
    tenant: TenantId,
    wall_ms: u64,
}

/// Runs until every sender is gone; then makes the journal's head durable.
pub(super) fn run(
    shared: &Shared,
    mut journal: Journal,
    queue: &Receiver<Request>,
) -> io::Result<()> {
    let mut since_flush = 0;
    while let Ok(first) = queue.recv() {
        let group = gather(shared, journal.next(), first, queue);
        if group.leaves.is_empty() {
            continue;
        }
        since_flush += group.leaves.len() as u64;
        commit(shared, &mut journal, group);
        if since_flush >= FLUSH {
            since_flush = 0;
            shared.index.flush();
        }
    }
    journal.close()
}

fn gather(shared: &Shared, next: u64, first: Request, queue: &Receiver<Request>) -> Group {
    let mut group = Group {
        leaves: Vec::new(),
        sealed: Vec::new(),
    };
    let mut bytes = 0;
    let mut request = Some(first);
    while let Some(taken) = request {
        let seq = next.saturating_add(group.leaves.len() as u64);
        let wall_ms = shared.clocks.wall_ms();
        match leaf(shared, seq, wall_ms, &taken.entry) {
            Ok((leaf, tenant)) => {
                bytes += leaf.len();
                group.leaves.push(leaf);
                group.sealed.push(Sealed {
                    request: taken,
                    tenant,
                    wall_ms,
                });
            }
            Err(error) => taken.answer(Err(error.into())),
        }
        let full = group.leaves.len() >= GROUP || bytes >= GROUP_BYTES;
        request = if full { None } else { queue.try_recv().ok() };
    }
    group
}

fn leaf(
    shared: &Shared,
    seq: u64,
    wall_ms: u64,
    entry: &Entry,
) -> Result<(Vec<u8>, TenantId), EntryError> {
    let times = Times {
        wall_ms,
        boot_ms: shared.clocks.boot_ms(),
        tpm: read(&shared.log).tpm,
    };
    let keyring = read(&shared.keyring);
    let subject = entry.subject();
    let key = keyring
        .subject(subject)
        .ok_or(KeyError::NoSubject(subject))?;
    let leaf = sealed::seal(shared.appliance, seq, times, key, entry)?;
    Ok((leaf, key.tenant))
}

fn commit(shared: &Shared, journal: &mut Journal, group: Group) {
    // 1. An index that could not be written before is brought up first: nothing is recorded that
    //    could not be acted on.
    if let Err(error) = shared.mend_index() {
        let error = Arc::new(error);
        for sealed in group.sealed {
            sealed
                .request
                .answer(Err(CommitError::Index(Arc::clone(&error))));
        }
        return;
    }
    // 2. Durable, or nobody is told that it was.
    let first = journal.next();
    let places = match journal.append(&group.leaves) {
        Ok(places) => places,
        Err(error) => {
            let error = Arc::new(error);
            for sealed in group.sealed {
                sealed
                    .request
                    .answer(Err(CommitError::Append(Arc::clone(&error))));
            }
            return;
        }
    };
    // 3. In the tree, under a signed head.
    let checkpoint = {
        let keyring = read(&shared.keyring);
        let mut log = write(&shared.log);
        log.append(&group.leaves, &places, keyring.signing());
        log.checkpoint()
    };
    // 4. In the index. It only repeats the journal: if it fails it is rebuilt from it, now or, for
    //    want of space, before the next group; what was recorded stays recorded.
    let entries = group.sealed.iter().zip(first..).map(|(sealed, entry)| {
        let stamp = super::row::Stamp {
            entry,
            wall_ms: sealed.wall_ms,
        };
        (stamp, sealed.tenant, &sealed.request.entry)
    });
    shared.index.apply(entries);
    let _ = shared.mend_index();
    // 5. The answers.
    for (sealed, entry) in group.sealed.into_iter().zip(first..) {
        let wall_ms = sealed.wall_ms;
        let checkpoint = Arc::clone(&checkpoint);
        sealed.request.answer(Ok(Committed {
            entry,
            wall_ms,
            checkpoint,
        }));
    }
}
