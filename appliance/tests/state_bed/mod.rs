//! What every test of the state needs: a TPM that is a number, clocks that tick, a job.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by failing"
)]
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use casemate_appliance::audit::witness::{Clocks, Witness, WitnessError};
use casemate_appliance::job::state::{Change, StoredFile};
use casemate_appliance::journal::SEGMENT_BYTES;
use casemate_appliance::keys::{Kek, SubjectId};
use casemate_appliance::store::entry::Entry;
use casemate_appliance::store::{OpenError, Report, Setup, Store};
use casemate_attest::checkpoint::{Checkpoint, cosigned_digest};
use casemate_attest::leaf::TpmClock;
use casemate_protocol::event::{ArtifactKind, Event};
use casemate_protocol::id::{Digest, JobId, TenantId};
use casemate_protocol::job::{Grants, JobSpec, Limits, OnInterrupt};

pub(crate) const KEK: [u8; 32] = [7; 32];

/// A TPM: a counter that outlives the daemon, and a switch that makes it fail.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tpm(Arc<Mutex<TpmState>>);

#[derive(Debug, Default)]
struct TpmState {
    counter: u64,
    fails: bool,
}

impl Tpm {
    pub(crate) fn at(counter: u64) -> Self {
        let tpm = Self::default();
        tpm.0.lock().unwrap().counter = counter;
        tpm
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.lock().unwrap().counter
    }

    /// The next advances fail without having been done.
    pub(crate) fn set_failing(&self, fails: bool) {
        self.0.lock().unwrap().fails = fails;
    }
}

impl Witness for Tpm {
    fn counter(&mut self) -> Result<u64, WitnessError> {
        Ok(self.value())
    }

    fn advance(&mut self) -> Result<u64, WitnessError> {
        let mut tpm = self.0.lock().unwrap();
        if tpm.fails {
            return Err(WitnessError {
                code: "test.fails",
                message: "the switch is on".into(),
            });
        }
        tpm.counter += 1;
        Ok(tpm.counter)
    }

    fn cosign(&mut self, checkpoint: &Checkpoint, wall_ms: u64) -> Result<Vec<u8>, WitnessError> {
        Ok(cosigned_digest(checkpoint, wall_ms).as_bytes().to_vec())
    }

    fn clock(&mut self) -> Result<TpmClock, WitnessError> {
        Ok(TpmClock {
            ms: 1000,
            resets: 1,
            restarts: 0,
        })
    }
}

/// Clocks that move by one at each look.
#[derive(Debug, Default)]
pub(crate) struct Ticks(AtomicU64);

impl Clocks for Ticks {
    fn wall_ms(&self) -> u64 {
        1_700_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn boot_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) fn setup(dir: &Path, tpm: &Tpm) -> Setup {
    Setup {
        dir: dir.to_owned(),
        kek: Kek::new(KEK),
        witness: Box::new(tpm.clone()),
        recovered_at: None,
        clocks: Arc::new(Ticks::default()),
        segment_bytes: SEGMENT_BYTES,
    }
}

pub(crate) fn open(dir: &Path, tpm: &Tpm) -> Result<(Store, Report), OpenError> {
    Store::open(setup(dir, tpm))
}

pub(crate) fn spec(job: u8) -> JobSpec {
    JobSpec {
        version: 1,
        job: JobId([job; 16]),
        tenant: TenantId([9; 16]),
        requester: "ada".into(),
        workflow: "invoices".into(),
        bundle: Digest([1; 32]),
        inputs: vec![],
        parameters: vec![],
        profile: "desktop".into(),
        pack_root: Digest([2; 32]),
        grants: Grants {
            verbs: vec![],
            applications: vec![],
            outputs: vec![],
            egress: None,
        },
        limits: Limits {
            seconds: 60,
            desktop_mib: 1,
            script_mib: 1,
            hands_mib: 1,
            workspace_mib: 1,
            steps: 10,
        },
        on_interrupt: OnInterrupt::Requeue,
    }
}

pub(crate) fn halt(by: &str) -> Entry {
    Entry::HaltSet {
        halted: true,
        by: by.into(),
    }
}

pub(crate) fn log_line(job: u8, number: u64, text: &str) -> Entry {
    let event = Event::Log { text: text.into() };
    Entry::JobChanged {
        job: JobId([job; 16]),
        change: Change::Event {
            attempt: 1,
            number,
            event,
        },
    }
}

/// A job with every kind of row that the index has, its file really stored.
pub(crate) fn fill(store: &Store, job: u8) {
    let id = JobId([job; 16]);
    let bundle = store.put_artifact(SubjectId::SYSTEM, b"bundle").unwrap();
    let name = format!("invoices-{job}");
    let by = "ada".to_owned();
    store
        .commit(Entry::WorkflowAdded { name, bundle, by })
        .unwrap();
    let (spec, inputs) = (spec(job), vec![]);
    store
        .commit(Entry::JobAccepted {
            spec,
            inputs,
            bundle,
        })
        .unwrap();
    let change = |change| store.commit(Entry::JobChanged { job: id, change }).unwrap();
    let event = |number, event| {
        change(Change::Event {
            attempt: 1,
            number,
            event,
        })
    };
    change(Change::Leased { attempt: 1 });
    event(
        1,
        Event::Phase {
            name: "desktop".into(),
            at_ms: 3,
        },
    );
    let artifact = store
        .put_artifact(SubjectId::of_job(id), &vec![job; 3_000_000])
        .unwrap();
    let (name, kind) = ("out/a.bin".to_owned(), ArtifactKind::Output);
    let media = "application/octet-stream".to_owned();
    let file = StoredFile {
        artifact,
        name,
        kind,
        media,
    };
    change(Change::Stored {
        attempt: 1,
        number: 2,
        file,
    });
    let (item, text) = ("4711".to_owned(), "the total is wrong".to_owned());
    event(3, Event::Finding { item, text });
    event(
        4,
        Event::Row {
            cells: vec![("net".into(), "1.00".into())],
        },
    );
    store.commit(halt("ada")).unwrap();
}

/// Copies a directory tree, as a backup or an attacker would.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}
