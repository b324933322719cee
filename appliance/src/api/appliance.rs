//! The running appliance, as the API's calls reach it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::witness::Clocks;
use crate::evidence::chip::ChipThread;
use crate::evidence::issue::Issuer;
use crate::identity::Door;
use crate::job::dispatcher::Dispatcher;
use crate::store::Store;
use crate::store::entry::Entry;

/// How often one kind of refusal is recorded; a stranger must not fill the journal.
const DENIED_PAUSE: Duration = Duration::from_secs(10);

/// The running appliance.
pub struct Appliance {
    /// The state.
    pub store: Store,
    /// The jobs.
    pub dispatcher: Arc<Dispatcher>,
    /// The TPM.
    pub chip: ChipThread,
    /// Who makes evidence.
    pub issuer: Issuer,
    /// Who may come in.
    pub door: Door,
    /// The machine's clocks.
    pub clocks: Arc<dyn Clocks>,
    /// Seconds since 1970 when the daemon started.
    pub started: u64,
    /// Whether the root of trust is a development one.
    pub development: bool,
    /// Where the record of the sealed root is.
    pub sealed: PathBuf,
    /// Number of the release that opened it.
    pub release: u64,
    /// When a refusal was last recorded.
    pub last_denied: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Appliance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Appliance")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Appliance {
    /// The entry that someone was refused; at most one in ten seconds.
    pub fn denied(&self, by: &str, what: &str, code: &str) -> Option<Entry> {
        let mut last = self
            .last_denied
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < DENIED_PAUSE) {
            return None;
        }
        *last = Some(Instant::now());
        Some(Entry::Denied {
            by: by.to_owned(),
            what: what.to_owned(),
            code: code.to_owned(),
        })
    }
}
