//! The head file: up to where records were acknowledged.
//!
//! Written after each group and not synced, so after a power cut it may lag; it never leads. It
//! tells acknowledged records that are gone from a torn tail that never counted. Two slots in two
//! sectors, written in turn: a torn write leaves the other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::segment::{CHAIN, Chain, mac, mac_holds, take};
use crate::keys::Key;
use crate::store::durable;

const MAGIC: &[u8; 16] = b"casemate-jhead-1";
const DOMAIN: &[u8] = b"casemate/journal-head/1";
const BODY: usize = 16 + 8 + 8 + CHAIN;
const SLOT: usize = BODY + 32;
const SECTOR: u64 = 512;
/// Name of the file in `journal/`.
pub const NAME: &str = "head";

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the next record: all below were acknowledged.
    pub next: u64,
    /// Chain hash after the last of them.
    pub chain: Chain,
}

/// The open head file.
#[derive(Debug)]
pub struct HeadFile {
    file: File,
    key: Key,
    generation: u64,
}

impl HeadFile {
    /// Opens the file, or makes it durably; gives what it says, if a slot holds.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(dir: &Path, key: Key) -> io::Result<(Self, Option<Head>)> {
        let path = dir.join(NAME);
        if !path.exists() {
            durable::put(dir, NAME, &[0; 1024])?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        let best = read(&file, &key);
        let generation = best.map_or(0, |(generation, _)| generation);
        Ok((
            Self {
                file,
                key,
                generation,
            },
            best.map(|(_, head)| head),
        ))
    }

    /// Says what is durable now, to be written out when the kernel likes.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&mut self, head: Head) -> io::Result<()> {
        let generation = self.generation.saturating_add(1);
        let mut slot = Vec::with_capacity(SLOT);
        slot.extend_from_slice(MAGIC);
        slot.extend_from_slice(&generation.to_be_bytes());
        slot.extend_from_slice(&head.next.to_be_bytes());
        slot.extend_from_slice(&head.chain);
        let check = mac(&self.key, DOMAIN, &slot);
        slot.extend_from_slice(&check);
        self.file.write_all_at(&slot, (generation & 1) * SECTOR)?;
        self.generation = generation;
        Ok(())
    }

    /// Makes the last word durable; for a clean stop.
    ///
    /// # Errors
    /// The file system's.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn read(file: &File, key: &Key) -> Option<(u64, Head)> {
    let slot = |at: u64| {
        let mut slot = [0; SLOT];
        file.read_exact_at(&mut slot, at * SECTOR).ok()?;
        let (body, check) = slot.split_at_checked(BODY)?;
        let mut rest = body;
        let magic: [u8; 16] = take(&mut rest)?;
        let generation = u64::from_be_bytes(take(&mut rest)?);
        let next = u64::from_be_bytes(take(&mut rest)?);
        let head = Head {
            next,
            chain: take(&mut rest)?,
        };
        (magic == *MAGIC && mac_holds(key, DOMAIN, body, check)).then_some((generation, head))
    };
    let slots = [slot(0), slot(1)];
    slots
        .into_iter()
        .flatten()
        .max_by_key(|(generation, _)| *generation)
}
