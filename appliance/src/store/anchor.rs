//! Having the TPM vouch for the log: cosignature, and a counter that makes old copies visible.
//!
//! The counter advances in two steps so that a stop at any point is understood: the entry with the
//! next value is durable first, then the TPM is told. See docs/formats/journal.md, "The counter".

use casemate_protocol::Code;
use casemate_protocol::id::Digest;

use super::entry::Entry;
use super::{Anchored, CommitError, OpenError, SignedCheckpoint, Store, write};
use crate::audit::witness::{Witness, WitnessError};
use crate::code;

/// The TPM, and where it and the journal stand.
pub(super) struct Anchor {
    witness: Box<dyn Witness>,
    /// The last value that the journal holds.
    journaled: u64,
    last: Option<Anchored>,
}

/// Why the log was not vouched for.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The TPM did not answer.
    #[error("the TPM did not vouch for the log: {0}")]
    Witness(#[from] WitnessError),
    /// Its counter moved without the journal.
    #[error("the journal stands at counter {journal}, the TPM at {tpm}")]
    Moved {
        /// The last journaled value.
        journal: u64,
        /// The TPM's.
        tpm: u64,
    },
    /// It could not be recorded.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl AnchorError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Witness(_) => &code::WITNESS_FAILED,
            Self::Moved { journal, tpm } if journal < tpm => &code::JOURNAL_ROLLED_BACK,
            Self::Moved { .. } => &code::TPM_OTHER,
            Self::Commit(error) => error.code(),
        }
    }
}

impl Anchor {
    pub(super) fn new(witness: Box<dyn Witness>, journaled: u64, last: Option<Anchored>) -> Self {
        Self {
            witness,
            journaled,
            last,
        }
    }

    pub(super) fn last(&self) -> Option<Anchored> {
        self.last.clone()
    }
}

/// Compares journal and TPM on opening; completes an advance that was cut off.
pub(super) fn settle(witness: &mut dyn Witness, journal: u64) -> Result<(), OpenError> {
    let tpm = witness.counter()?;
    if journal == tpm {
        return Ok(());
    }
    if journal < tpm {
        return Err(OpenError::RolledBack { journal, tpm });
    }
    if journal - tpm > 1 {
        return Err(OpenError::OtherTpm { journal, tpm });
    }
    let tpm = witness.advance()?;
    if journal != tpm {
        return Err(OpenError::OtherTpm { journal, tpm });
    }
    Ok(())
}

/// One anchoring. The caller holds the anchor, so no other runs.
pub(super) fn anchor(store: &Store, anchor: &mut Anchor) -> Result<Anchored, AnchorError> {
    let witness = anchor.witness.as_mut();
    // 1. An advance that failed last time is completed, and the TPM is still ours.
    let mut tpm = witness.counter()?;
    if tpm.checked_add(1) == Some(anchor.journaled) {
        tpm = witness.advance()?;
    }
    if tpm != anchor.journaled {
        return Err(AnchorError::Moved {
            journal: anchor.journaled,
            tpm,
        });
    }
    // 2. The TPM signs the head as it stands.
    let clock = witness.clock()?;
    write(&store.shared.log).tpm = clock;
    let signed = store.checkpoint();
    let wall_ms = store.shared.clocks.wall_ms();
    let cosignature = witness.cosign(&signed.checkpoint, wall_ms)?;
    // 3. The next value is durable ...
    let counter = tpm.saturating_add(1);
    store.commit(Entry::Checkpoint {
        size: signed.checkpoint.size,
        root: Digest(*signed.checkpoint.root.as_bytes()),
        counter,
        wall_ms,
        clock,
        cosignature: cosignature.clone(),
    })?;
    anchor.journaled = counter;
    let anchored = Anchored {
        signed: SignedCheckpoint::clone(&signed),
        wall_ms,
        cosignature,
        counter,
        clock,
    };
    anchor.last = Some(anchored.clone());
    // 4. ... before the counter has it.
    let tpm = witness.advance()?;
    if tpm != counter {
        return Err(AnchorError::Moved {
            journal: counter,
            tpm,
        });
    }
    Ok(anchored)
}
