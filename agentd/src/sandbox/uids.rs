//! Identities: no two sandboxes that run have the same one, and none is used again
//! before it is proven that nothing of its former sandbox is left.
//!
//! The proof is the kernel's: a control group is only removed when it is empty, and
//! every process of a sandbox is born in its group and cannot leave it. One whose
//! group could not be removed keeps its identity until agentd ends, and with agentd
//! its pid namespace and every process in it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::refusal::Refusal;
use crate::code;

static TAKEN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn taken() -> MutexGuard<'static, BTreeSet<u32>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An identity that is in use. Dropped, it stays so: only [`Identity::give_back`]
/// frees it.
#[derive(Debug)]
pub(super) struct Identity(u32);

impl Identity {
    /// Takes one.
    ///
    /// # Errors
    /// `sandbox.identity` if it is in use, or was and its clean-up is not proven.
    pub(super) fn take(uid: u32) -> Result<Self, Refusal> {
        if taken().insert(uid) {
            return Ok(Self(uid));
        }
        let what = format!("the identity {uid} could not be given to a sandbox");
        let why = "another sandbox has it, or had it and is not proven to be gone";
        Err(Refusal::new(&code::SANDBOX_IDENTITY, what, why))
    }

    /// To be called with the proof in hand that nothing of the sandbox is left.
    pub(super) fn give_back(self) {
        taken().remove(&self.0);
    }
}

/// Whether no identity of a range is in use.
pub fn all_free(uids: Range<u32>) -> bool {
    taken().range(uids).next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_only_free_when_it_was_given_back() {
        let uids = 4_000_000_001..4_000_000_004;
        assert!(all_free(uids.clone()));
        let one = Identity::take(4_000_000_002).unwrap();
        assert!(!all_free(uids.clone()));
        assert_eq!(
            Identity::take(4_000_000_002).unwrap_err().code.id,
            "sandbox.identity"
        );
        one.give_back();
        assert!(all_free(uids.clone()));
        let _unproven = Identity::take(4_000_000_003).unwrap();
        assert!(!all_free(uids), "without proof it is not free");
    }
}
