//! The tree over all entries, and its signed head.

use std::sync::Arc;

use casemate_attest::checkpoint::{Checkpoint, Origin};
use casemate_attest::digest::Digest;
use casemate_attest::leaf::TpmClock;
use casemate_attest::merkle::{self, Frontier};
use ed25519_dalek::SigningKey;

use crate::journal::Place;
use crate::keys::derive::ApplianceId;
use crate::store::SignedCheckpoint;

/// The hashes of all leaves with where they lie in the journal.
#[derive(Debug)]
pub struct Log {
    origin: Origin,
    hashes: Vec<Digest>,
    places: Vec<Place>,
    frontier: Frontier,
    checkpoint: Arc<SignedCheckpoint>,
    /// The TPM's clock as last sampled; goes into every leaf.
    pub tpm: TpmClock,
}

/// Leaves that were read back and have no signed head yet.
#[derive(Debug, Default)]
pub struct Leaves {
    hashes: Vec<Digest>,
    places: Vec<Place>,
}

impl Leaves {
    /// Adds a leaf that was read back.
    pub fn push(&mut self, leaf: &[u8], place: Place) {
        self.hashes.push(merkle::leaf_hash(leaf));
        self.places.push(place);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// The hashes of the first `size`; `None` when there are fewer.
    pub fn hashes(&self, size: u64) -> Option<&[Digest]> {
        self.hashes.get(..usize::try_from(size).ok()?)
    }

    /// Where an entry lies.
    pub fn place(&self, number: u64) -> Option<Place> {
        self.places.get(usize::try_from(number).ok()?).copied()
    }
}

/// The name of an appliance's log. `None` cannot occur: hexadecimal is allowed.
pub fn origin(appliance: ApplianceId) -> Option<Origin> {
    Origin::new(&format!("casemate.local/audit/{appliance}"))
}

impl Log {
    /// Takes up a log and signs its head.
    pub fn new(origin: Origin, leaves: Leaves, tpm: TpmClock, key: &SigningKey) -> Self {
        let mut frontier = Frontier::default();
        for hash in &leaves.hashes {
            frontier.append(*hash);
        }
        let checkpoint = sign(&origin, &frontier, key);
        Self {
            origin,
            hashes: leaves.hashes,
            places: leaves.places,
            frontier,
            checkpoint,
            tpm,
        }
    }

    /// Appends leaves that are durable and signs the head over them.
    pub fn append(&mut self, leaves: &[Vec<u8>], places: &[Place], key: &SigningKey) {
        for leaf in leaves {
            let hash = merkle::leaf_hash(leaf);
            self.hashes.push(hash);
            self.frontier.append(hash);
        }
        self.places.extend_from_slice(places);
        self.checkpoint = sign(&self.origin, &self.frontier, key);
    }

    /// The signed head.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        Arc::clone(&self.checkpoint)
    }

    /// The hashes of the first `size` leaves; `None` when there are fewer.
    pub fn hashes(&self, size: u64) -> Option<&[Digest]> {
        self.hashes.get(..usize::try_from(size).ok()?)
    }

    /// A leaf's hash and where its record lies.
    pub fn leaf(&self, number: u64) -> Option<(Digest, Place)> {
        let at = usize::try_from(number).ok()?;
        Some((*self.hashes.get(at)?, *self.places.get(at)?))
    }
}

fn sign(origin: &Origin, frontier: &Frontier, key: &SigningKey) -> Arc<SignedCheckpoint> {
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size: frontier.size(),
        root: frontier.root(),
    };
    let note = checkpoint.sign(key);
    Arc::new(SignedCheckpoint { checkpoint, note })
}
