//! The TPM's thread: one thread owns the one connection, everyone else asks.
//!
//! A hardware TPM takes up to 600 ms for a signature and serves one command at
//! a time. Whoever needs it sends a closure and waits for the answer; the clock,
//! which every audit entry carries, is the exception: it is sampled at most once
//! a second and never waited for longer than [`CLOCK_PATIENCE`].

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use casemate_attest::checkpoint::{Checkpoint, cosigned_digest};
use casemate_attest::leaf::TpmClock;
use casemate_device::{CounterAuth, Handover, LogAuth, LogKey, StorageRoot, Tpm};
use thiserror::Error;

use crate::audit::witness::{Witness, WitnessError};
use crate::code;

/// How old a sample of the clock may be.
const CLOCK_AGE: Duration = Duration::from_secs(1);
/// How long a recorded act waits for a new sample of the clock.
const CLOCK_PATIENCE: Duration = Duration::from_millis(200);
/// How many requests may wait.
const BACKLOG: usize = 64;

/// Why the TPM did not do something.
#[derive(Debug, Clone, Error)]
pub enum ChipError {
    /// It could not be opened.
    #[error("the TPM cannot be opened: {0}")]
    Open(String),
    /// It is not the one that the handover names.
    #[error("this is not the TPM of the handover: {0}")]
    Other(String),
    /// A command failed.
    #[error("{what}: {why}")]
    Command {
        /// What was asked.
        what: &'static str,
        /// What the TPM said.
        why: String,
    },
    /// The thread has ended.
    #[error("the TPM's thread has ended")]
    Gone,
}

impl ChipError {
    /// The stable code.
    pub fn code(&self) -> &'static casemate_protocol::Code {
        match self {
            Self::Other(_) => &code::TPM_OTHER,
            Self::Open(_) | Self::Command { .. } | Self::Gone => &code::TPM_UNAVAILABLE,
        }
    }

    /// A failed command.
    pub fn command(what: &'static str, error: &dyn std::error::Error) -> Self {
        Self::Command {
            what,
            why: error.to_string(),
        }
    }
}

/// What the thread owns.
#[derive(Debug)]
pub struct Chip {
    /// The connection.
    pub tpm: Tpm,
    /// The storage root key, checked against the handover.
    pub root: StorageRoot,
    /// The key that cosigns checkpoints, checked against the handover.
    pub log_key: LogKey,
    /// Its authorisation.
    pub log_auth: LogAuth,
    counter_auth: CounterAuth,
}

impl Chip {
    fn open(tcti: &str, handover: &Handover) -> Result<Self, ChipError> {
        let tpm = Tpm::open(tcti).map_err(|e| ChipError::Open(e.to_string()))?;
        let root = tpm
            .storage_root(&handover.srk_name)
            .map_err(|e| ChipError::Other(e.to_string()))?;
        let log_key = root
            .log_key(&handover.log_key_name)
            .map_err(|e| ChipError::Other(e.to_string()))?;
        Ok(Self {
            tpm,
            root,
            log_key,
            log_auth: handover.log_auth(),
            counter_auth: handover.counter_auth(),
        })
    }

    /// The rollback counter.
    ///
    /// # Errors
    /// [`ChipError`] if the TPM does not say.
    pub fn counter(&self) -> Result<u64, ChipError> {
        self.root
            .counter(&self.counter_auth)
            .map_err(|e| ChipError::command("reading the counter", &e))
    }
}

type Errand = Box<dyn FnOnce(Result<&Chip, ChipError>) + Send>;

/// The last sample of the clock.
#[derive(Debug, Clone, Copy)]
struct Sample {
    clock: TpmClock,
    taken: Instant,
}

/// The way to the TPM's thread. Cheap to clone; the thread ends with the last of them.
#[derive(Debug, Clone)]
pub struct ChipThread {
    errands: SyncSender<Errand>,
    sample: Arc<Mutex<Option<Sample>>>,
}

impl ChipThread {
    /// Starts the thread. It opens the TPM, and checks that it is the handover's,
    /// with the first errand: whoever has no right to the state (another daemon
    /// has it) must not disturb the TPM of the one who has.
    ///
    /// # Errors
    /// [`ChipError::Gone`] if the system gives no thread.
    pub fn start(tcti: &str, handover: &Handover) -> Result<Self, ChipError> {
        let (errands, queue) = sync_channel::<Errand>(BACKLOG);
        let (tcti, handover) = (tcti.to_owned(), handover.clone());
        thread::Builder::new()
            .name("tpm".to_owned())
            .spawn(move || run(&tcti, &handover, &queue))
            .map_err(|_| ChipError::Gone)?;
        Ok(Self {
            errands,
            sample: Arc::new(Mutex::new(None)),
        })
    }

    /// Runs an errand on the thread and waits for its answer.
    ///
    /// # Errors
    /// The errand's, or [`ChipError::Gone`].
    pub fn ask<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&Chip) -> Result<T, ChipError> + Send + 'static,
    ) -> Result<T, ChipError> {
        let (reply, answer) = sync_channel(1);
        let errand: Errand = Box::new(move |chip| {
            // Whoever asked may have gone; then nobody needs the answer.
            let _ = reply.send(chip.and_then(errand));
        });
        self.errands.send(errand).map_err(|_| ChipError::Gone)?;
        answer.recv().map_err(|_| ChipError::Gone)?
    }

    /// The TPM's clock, as last read: at most a second ago unless the TPM is
    /// busy. Zero if it was never read.
    pub fn clock(&self) -> TpmClock {
        let last = *lock(&self.sample);
        if let Some(last) = last.filter(|last| last.taken.elapsed() < CLOCK_AGE) {
            return last.clock;
        }
        let last = last.map(|last| last.clock).unwrap_or_default();
        let (reply, answer) = sync_channel(1);
        let sample = Arc::clone(&self.sample);
        let errand: Errand = Box::new(move |chip| {
            if let Ok(Ok(now)) = chip.map(|chip| chip.tpm.clock()) {
                *lock(&sample) = Some(Sample {
                    clock: now.clock,
                    taken: Instant::now(),
                });
                // Whoever asked may have stopped waiting.
                let _ = reply.send(now.clock);
            }
        });
        match self.errands.try_send(errand) {
            Ok(()) => answer.recv_timeout(CLOCK_PATIENCE).unwrap_or(last),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => last,
        }
    }

    /// The rollback counter.
    ///
    /// # Errors
    /// [`ChipError`] if the TPM does not say.
    pub fn read_counter(&self) -> Result<u64, ChipError> {
        self.ask(Chip::counter)
    }
}

fn run(tcti: &str, handover: &Handover, queue: &Receiver<Errand>) {
    let Ok(first) = queue.recv() else {
        return;
    };
    let chip = Chip::open(tcti, handover);
    first(chip.as_ref().map_err(Clone::clone));
    while let Ok(errand) = queue.recv() {
        errand(chip.as_ref().map_err(Clone::clone));
    }
}

/// A sample is a plain value: a panic elsewhere cannot have left it half made.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The TPM as the journal's witness.
impl Witness for ChipThread {
    fn counter(&mut self) -> Result<u64, WitnessError> {
        self.read_counter().map_err(witness)
    }

    fn advance(&mut self) -> Result<u64, WitnessError> {
        self.ask(|chip| {
            chip.root
                .increment_counter(&chip.counter_auth)
                .map_err(|e| ChipError::command("advancing the counter", &e))
        })
        .map_err(witness)
    }

    fn cosign(&mut self, checkpoint: &Checkpoint, wall_ms: u64) -> Result<Vec<u8>, WitnessError> {
        let digest = cosigned_digest(checkpoint, wall_ms);
        self.ask(move |chip| {
            chip.log_key
                .sign(&chip.log_auth, digest.as_bytes())
                .map_err(|e| ChipError::command("cosigning the checkpoint", &e))
        })
        .map_err(witness)
    }

    fn clock(&mut self) -> Result<TpmClock, WitnessError> {
        Ok(Self::clock(self))
    }
}

fn witness(error: ChipError) -> WitnessError {
    WitnessError {
        code: error.code().id,
        message: error.to_string(),
    }
}
