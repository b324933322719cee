//! Opening the state: what is checked, in the order in which one check relies on another.

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, RwLock};

use casemate_attest::checkpoint::Checkpoint;
use casemate_attest::digest::Digest as Hash;
use casemate_attest::leaf::Leaf;
use casemate_attest::merkle;

use super::anchor::{self, Anchor};
use super::apply::Batch;
use super::entry::Entry;
use super::index::{Index, IndexError, check_room};
use super::lock::Lock;
use super::row::Stamp;
use super::sealed::{self, EntryError};
use super::writer::Request;
use super::{
    Anchored, End, OpenError, ReadError, Recorded, Report, Setup, Shared, SignedCheckpoint, Store,
    durable, read, writer,
};
use crate::artifact::Vault;
use crate::audit::log::{Leaves, Log, origin};
use crate::journal::{self, Examined, Found, Journal, Reader};
use crate::keys::derive::ApplianceId;
use crate::keys::{Keyring, SubjectId};

/// Entries replayed into the index as one batch.
const REPLAY: u64 = 256;

/// What reading the journal back found out.
#[derive(Debug, Default)]
struct Seen {
    leaves: Leaves,
    /// The last entry that says where the TPM's counter stands.
    last_counter: Option<u64>,
    erased: Vec<u64>,
    last_kind: String,
}

/// The journal is open, the keys are open; nothing is running yet.
struct Opened {
    journal: Journal,
    keyring: Keyring,
    index: Index,
    seen: Seen,
    counter: u64,
    last: Option<Anchored>,
    /// The journal's own counter, if it is not this TPM's.
    moved_from: Option<u64>,
    report: Report,
}

pub(super) fn open(setup: Setup) -> Result<(Store, Report), OpenError> {
    // 1. Nobody else: everything below assumes it.
    let dir = setup.dir.clone();
    prepare(&dir)?;
    let lock = Lock::take(&dir)
        .map_err(|source| io(&dir, source))?
        .ok_or_else(|| OpenError::Locked(dir.display().to_string()))?;
    let mut setup = setup;
    // 2. The journal, read and not changed.
    let mut seen = Seen::default();
    let found = Found::read(&dir.join("journal"), &setup.kek, &mut |record| {
        seen.take(&record)
    })?;
    let opened = match found {
        Found::Nothing => begin(&mut setup, None)?,
        Found::Journal(examined) if examined.next() == 0 && !examined.has_head() => {
            begin(&mut setup, Some(*examined))?
        }
        Found::Journal(examined) => take_up(&mut setup, *examined, seen)?,
    };
    start(setup, lock, opened)
}

/// Begins a state. A beginning that was cut off before its first entry is begun again.
fn begin(setup: &mut Setup, cut_off: Option<Examined>) -> Result<Opened, OpenError> {
    // Nothing is begun that could not record its first entry.
    check_room(&setup.dir)?;
    let (journals, keys) = (setup.dir.join("journal"), setup.dir.join("keys"));
    let empty = |dir: &Path| Ok(std::fs::read_dir(dir)?.next().is_none());
    let journal = match cut_off {
        Some(examined) => {
            std::fs::remove_dir_all(&keys).map_err(|source| io(&keys, source))?;
            durable::directory(&keys).map_err(|source| io(&keys, source))?;
            examined.accept(0, setup.segment_bytes)?.0
        }
        None if !empty(&keys).map_err(|source| io(&keys, source))? => {
            return Err(journal::OpenError::Missing(setup.dir.display().to_string()).into());
        }
        None => Journal::create(&journals, &setup.kek, setup.segment_bytes)?,
    };
    let counter = setup.witness.counter()?;
    let keyring = Keyring::create(&keys, journal.appliance(), &setup.kek)?;
    let (index, _) = Index::open(&setup.dir.join("index"), journal.appliance(), &setup.kek)?;
    index.clear()?;
    let report = Report {
        created: true,
        clean: true,
        cut: 0,
        rebuilt: None,
        swept: 0,
        entries: 0,
    };
    Ok(Opened {
        journal,
        keyring,
        index,
        seen: Seen::default(),
        counter,
        last: None,
        moved_from: None,
        report,
    })
}

/// Takes up a state that is there.
fn take_up(setup: &mut Setup, examined: Examined, seen: Seen) -> Result<Opened, OpenError> {
    let appliance = examined.appliance();
    // 3. The keys: without them no entry says anything.
    let mut keyring = Keyring::open(&setup.dir.join("keys"), appliance, &setup.kek)?;
    let reader = examined.reader();
    let recorded = |number: u64, keyring: &Keyring| {
        let place = seen
            .leaves
            .place(number)
            .ok_or(ReadError::Unknown(number))?;
        recorded(appliance, keyring, &reader, number, place)
    };
    // 4. An old copy, or another TPM, before anything is cut, rebuilt or said.
    let entry = recorded(seen.last_counter.unwrap_or(0), &keyring)?.entry;
    let entry = entry.ok_or(ReadError::Unknown(0))?;
    let mut last = anchored(appliance, &entry, &seen, keyring.signing());
    let journal = match (&last, &entry) {
        (Some(last), _) => last.counter,
        (None, Entry::StateCreated { counter, .. } | Entry::TpmMoved { counter, .. }) => *counter,
        _ => return Err(ReadError::Unknown(0).into()),
    };
    // A recovery is believed at one value of the counter, which its first anchoring leaves behind.
    let tpm = setup.witness.counter()?;
    let moved_from = (setup.recovered_at == Some(tpm) && journal != tpm).then_some(journal);
    let counter = match moved_from {
        // Another TPM's key signed the last anchoring: nothing vouches for the log until the next.
        Some(_) => {
            last = None;
            tpm
        }
        None => {
            anchor::settle(setup.witness.as_mut(), journal)?;
            journal
        }
    };
    // 5. Erasures that were cut off.
    for number in &seen.erased {
        if let Some(Entry::KeyErased { subject, .. }) = recorded(*number, &keyring)?.entry {
            keyring.erase(subject)?;
        }
    }
    // 6. The index: what it repeats was acknowledged, so the journal has at least that.
    let (index, rebuilt) = Index::open(&setup.dir.join("index"), appliance, &setup.kek)?;
    let (journal, cut) = examined.accept(index.position()?, setup.segment_bytes)?;
    let report = Report {
        created: false,
        clean: seen.last_kind == Entry::Closed.kind(),
        cut,
        rebuilt,
        swept: 0,
        entries: seen.leaves.count(),
    };
    Ok(Opened {
        journal,
        keyring,
        index,
        seen,
        counter,
        last,
        moved_from,
        report,
    })
}

/// Starts the writer, brings the index up to date and records the opening.
fn start(setup: Setup, lock: Lock, opened: Opened) -> Result<(Store, Report), OpenError> {
    let Opened {
        journal,
        keyring,
        index,
        seen,
        counter,
        last,
        moved_from,
        mut report,
    } = opened;
    let Setup {
        dir,
        mut witness,
        clocks,
        ..
    } = setup;
    let appliance = journal.appliance();
    let origin = origin(appliance).ok_or(ReadError::Unknown(0))?;
    let tpm = witness.clock()?;
    let audit_key = keyring.signing().verifying_key().to_bytes();
    let log = Log::new(origin, seen.leaves, tpm, keyring.signing());
    let (sender, receiver) = channel();
    let shared = Arc::new(Shared {
        appliance,
        keyring: RwLock::new(keyring),
        log: RwLock::new(log),
        index,
        vault: Vault::new(&dir.join("artifacts"), appliance),
        reader: journal.reader(),
        clocks,
        anchor: Mutex::new(Anchor::new(witness, counter, last)),
        queue: Mutex::new(Some(sender)),
        writer: Mutex::new(None),
        _lock: lock,
    });
    shared.replay()?;
    let store = run(shared, journal, receiver).map_err(|source| io(&dir, source))?;
    let first = match report.created {
        true => Entry::StateCreated {
            appliance: appliance.0,
            audit_key,
            counter,
        },
        false => Entry::Opened {
            clean: report.clean,
            cut: report.cut,
        },
    };
    store.commit(first)?;
    if let Some(journal) = moved_from {
        store.commit(Entry::TpmMoved { journal, counter })?;
    }
    report.swept = store.sweep()?;
    report.entries = store.checkpoint().checkpoint.size;
    Ok((store, report))
}

/// Starts the writer thread.
fn run(shared: Arc<Shared>, journal: Journal, queue: Receiver<Request>) -> std::io::Result<Store> {
    let writer = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || writer::run(&writer, journal, &queue))?;
    super::lock(&shared.writer).replace(thread);
    let _end = Arc::new(End(Arc::clone(&shared)));
    Ok(Store { shared, _end })
}

impl Seen {
    fn take(&mut self, record: &journal::Record) {
        let number = self.leaves.count();
        self.leaves.push(&record.plain, record.place);
        let Ok(leaf) = Leaf::from_bytes(&record.plain) else {
            self.last_kind.clear();
            return;
        };
        match leaf.kind.as_str() {
            "state.created" | "checkpoint" | "tpm.moved" => self.last_counter = Some(number),
            "key.erased" => self.erased.push(number),
            _ => {}
        }
        self.last_kind = leaf.kind;
    }

    fn root(&self, size: u64) -> Option<Hash> {
        self.leaves.hashes(size).map(merkle::root)
    }
}

impl Shared {
    /// A leaf's bytes, if they are still those whose hash is in the tree.
    pub(super) fn leaf_bytes(&self, number: u64) -> Result<Vec<u8>, ReadError> {
        let (hash, place) = read(&self.log)
            .leaf(number)
            .ok_or(ReadError::Unknown(number))?;
        let bytes = self.reader.read(number, place)?;
        if merkle::leaf_hash(&bytes) != hash {
            return Err(ReadError::Leaf(number));
        }
        Ok(bytes)
    }

    pub(super) fn read(&self, number: u64) -> Result<Recorded, ReadError> {
        let bytes = self.leaf_bytes(number)?;
        open_leaf(self.appliance, &read(&self.keyring), number, &bytes)
    }

    /// Rebuilds an index that is out of use. An error too if the disk has no room for the index to
    /// follow the journal.
    pub(super) fn mend_index(&self) -> Result<(), IndexError> {
        self.index.check_room()?;
        if !self.index.is_broken() {
            return Ok(());
        }
        self.index.clear()?;
        self.replay()
    }

    /// Applies what the index does not have yet.
    fn replay(&self) -> Result<(), IndexError> {
        let size = read(&self.log).checkpoint().checkpoint.size;
        let mut from = self.index.position()?;
        while from < size {
            let to = from.saturating_add(REPLAY).min(size);
            self.index
                .extend(|batch| self.replay_some(batch, from, to))?;
            from = to;
        }
        Ok(())
    }

    fn replay_some(&self, batch: &mut Batch<'_>, from: u64, to: u64) -> Result<(), IndexError> {
        for number in from..to {
            let recorded = self
                .read(number)
                .map_err(|error| IndexError::Journal(error.to_string()))?;
            match recorded.entry {
                Some(entry) => {
                    let stamp = Stamp {
                        entry: number,
                        wall_ms: recorded.leaf.wall_ms,
                    };
                    let tenant = casemate_protocol::id::TenantId(recorded.leaf.tenant);
                    batch.apply(stamp, tenant, &entry)?;
                }
                None => batch.skip(number),
            }
        }
        Ok(())
    }
}

impl Store {
    /// Removes chunks that no entry names.
    fn sweep(&self) -> Result<u64, OpenError> {
        let keyring = read(&self.shared.keyring);
        let mut known = HashSet::new();
        for row in self.shared.index.artifacts()? {
            if let Some(key) = keyring.subject(row.artifact.subject) {
                known.extend(self.shared.vault.names(&row.artifact, key));
            }
        }
        Ok(self.shared.vault.sweep(&known)?)
    }
}

fn recorded(
    appliance: ApplianceId,
    keyring: &Keyring,
    reader: &Reader,
    number: u64,
    place: journal::Place,
) -> Result<Recorded, ReadError> {
    let bytes = reader.read(number, place)?;
    open_leaf(appliance, keyring, number, &bytes)
}

fn open_leaf(
    appliance: ApplianceId,
    keyring: &Keyring,
    number: u64,
    bytes: &[u8],
) -> Result<Recorded, ReadError> {
    let entry = |source| ReadError::Entry { number, source };
    let leaf = Leaf::from_bytes(bytes)
        .map_err(|error| entry(EntryError::Unreadable(error.to_string())))?;
    let opened = keyring
        .subject(SubjectId(leaf.subject))
        .map(|key| sealed::open(appliance, &leaf, key))
        .transpose()
        .map_err(entry)?;
    Ok(Recorded {
        leaf,
        entry: opened,
    })
}

/// The last anchoring, from its entry.
fn anchored(
    appliance: ApplianceId,
    entry: &Entry,
    seen: &Seen,
    key: &ed25519_dalek::SigningKey,
) -> Option<Anchored> {
    let Entry::Checkpoint {
        size,
        counter,
        wall_ms,
        clock,
        cosignature,
        ..
    } = entry
    else {
        return None;
    };
    let checkpoint = Checkpoint {
        origin: origin(appliance)?,
        size: *size,
        root: seen.root(*size)?,
    };
    let note = checkpoint.sign(key);
    Some(Anchored {
        signed: SignedCheckpoint { checkpoint, note },
        wall_ms: *wall_ms,
        cosignature: cosignature.clone(),
        counter: *counter,
        clock: *clock,
    })
}

fn prepare(dir: &Path) -> Result<(), OpenError> {
    for part in ["", "journal", "keys", "artifacts"] {
        let path = dir.join(part);
        durable::directory(&path).map_err(|source| io(&path, source))?;
    }
    Ok(())
}

fn io(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::Io {
        path: path.display().to_string(),
        source,
    }
}
