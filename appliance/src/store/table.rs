//! Sealed rows in sled: the only place that names it.
//!
//! What is on the disk says nothing without the key: names are keyed hashes, rows are sealed, and
//! a row's associated data pins it to its appliance, tenant, table, name and version. One more row,
//! the mark, holds the journal position and a keyed sum over all rows: a row that was taken away,
//! put back in an older version or left out by a lost write makes the sum differ, and the index is
//! then thrown away. sled's `flush` does not reach the disk (no fsync), so nothing here is ever
//! relied on to be durable.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use casemate_protocol::codec;
use casemate_protocol::id::TenantId;
use minicbor::{Decode, Encode};

use super::index::IndexError;
use crate::journal::segment::{mac, take};
use crate::keys::derive::ApplianceId;
use crate::keys::seal::{NONCE, Sealer};
use crate::keys::{EPOCH, Kek, Key};

const FORMAT: u32 = 1;
const ALGORITHM: u32 = 1;
const NAME: usize = 16;
const SUM_DOMAIN: &[u8] = b"casemate/index-sum/1";

/// A kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// Position and sum; not part of the content.
    Mark,
    Workflow,
    Job,
    Event,
    Artifact,
    JobArtifact,
    Finding,
    Halt,
}

impl Table {
    const fn number(self) -> u8 {
        match self {
            Self::Mark => 0,
            Self::Workflow => 1,
            Self::Job => 2,
            Self::Event => 3,
            Self::Artifact => 4,
            Self::JobArtifact => 5,
            Self::Finding => 6,
            Self::Halt => 7,
        }
    }
}

/// Where a row lies: table, hashed name, and for lists a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RowKey(Vec<u8>);

/// A row opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) version: u64,
    pub(super) tenant: TenantId,
    pub(super) plain: Vec<u8>,
}

/// Changes that become one atomic batch; `None` removes.
pub(super) type Changes = BTreeMap<RowKey, Option<Row>>;

/// A sum of keyed hashes over rows: 256 bits in four lanes, order does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
struct Sum {
    #[n(0)]
    lanes: [u64; 4],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct Mark {
    #[n(0)]
    format: u32,
    #[n(1)]
    position: u64,
    #[n(2)]
    sum: Sum,
}

/// The open rows.
#[derive(Debug)]
pub(super) struct Rows {
    db: sled::Db,
    appliance: ApplianceId,
    sealer: Sealer,
    name_key: Key,
    mark: Mark,
}

impl Sum {
    fn add(&mut self, other: [u64; 4]) {
        for (lane, value) in self.lanes.iter_mut().zip(other) {
            *lane = lane.wrapping_add(value);
        }
    }

    fn subtract(&mut self, other: [u64; 4]) {
        for (lane, value) in self.lanes.iter_mut().zip(other) {
            *lane = lane.wrapping_sub(value);
        }
    }
}

impl Rows {
    /// Opens the rows in `dir` and checks every one. A damaged file is an error, whatever sled
    /// makes of it: a panic in it is caught.
    pub(super) fn open(dir: &Path, appliance: ApplianceId, kek: &Kek) -> Result<Self, IndexError> {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let db = sled::Config::default()
                .path(dir)
                .cache_capacity(64 << 20)
                .flush_every_ms(None)
                .open()?;
            let mut rows = Self {
                db,
                appliance,
                sealer: Sealer::new(&kek.index(appliance, EPOCH)),
                name_key: kek.index_name(appliance),
                mark: Mark {
                    format: FORMAT,
                    position: 0,
                    sum: Sum::default(),
                },
            };
            rows.check()?;
            Ok(rows)
        }));
        opened.unwrap_or(Err(IndexError::Damaged("its file cannot be read")))
    }

    /// Number of journal entries that are applied.
    pub(super) fn position(&self) -> u64 {
        self.mark.position
    }

    /// The key of a single row.
    pub(super) fn key(&self, table: Table, name: &[u8]) -> RowKey {
        let mut key = vec![table.number()];
        let hash = mac(&self.name_key, &[table.number()], name);
        key.extend_from_slice(hash.get(..NAME).unwrap_or_default());
        RowKey(key)
    }

    /// The key of row `number` of the list `name`.
    pub(super) fn list_key(&self, table: Table, name: &[u8], number: u64) -> RowKey {
        let mut key = self.key(table, name);
        key.0.extend_from_slice(&number.to_be_bytes());
        key
    }

    /// The first and the last key that rows of the list `name` can have.
    pub(super) fn list_bounds(&self, table: Table, name: &[u8]) -> (RowKey, RowKey) {
        (
            self.list_key(table, name, 0),
            self.list_key(table, name, u64::MAX),
        )
    }

    /// One row.
    pub(super) fn get(&self, key: &RowKey) -> Result<Option<Row>, IndexError> {
        match self.db.get(&key.0)? {
            Some(sealed) => self.open_row(&key.0, &sealed).map(Some),
            None => Ok(None),
        }
    }

    /// All rows of a table, in no useful order.
    pub(super) fn table(&self, table: Table) -> Result<Vec<Row>, IndexError> {
        self.scan(
            &[table.number()],
            &[table.number().saturating_add(1)],
            usize::MAX,
        )
    }

    /// At most `limit` rows of the list `name` from `number` on, in order.
    pub(super) fn list(
        &self,
        table: Table,
        name: &[u8],
        number: u64,
        limit: usize,
    ) -> Result<Vec<Row>, IndexError> {
        let from = self.list_key(table, name, number);
        let mut to = self.list_key(table, name, u64::MAX);
        to.0.push(0);
        self.scan(&from.0, &to.0, limit)
    }

    /// Keys of all rows of the list `name`.
    pub(super) fn list_keys(&self, table: Table, name: &[u8]) -> Result<Vec<RowKey>, IndexError> {
        let prefix = self.key(table, name).0;
        self.db
            .scan_prefix(prefix)
            .keys()
            .map(|key| Ok(RowKey(key?.to_vec())))
            .collect()
    }

    /// Makes changes in one atomic step, with the position after them.
    pub(super) fn write(&mut self, changes: Changes, position: u64) -> Result<(), IndexError> {
        let mut batch = sled::Batch::default();
        let mut sum = self.mark.sum;
        for (key, row) in changes {
            if let Some(old) = self.db.get(&key.0)? {
                sum.subtract(self.hash(&key.0, &old));
            }
            match row {
                Some(row) => {
                    let sealed = self.seal_row(&key.0, &row)?;
                    sum.add(self.hash(&key.0, &sealed));
                    batch.insert(key.0, sealed);
                }
                None => batch.remove(key.0),
            }
        }
        let mark = Mark {
            format: FORMAT,
            position,
            sum,
        };
        let key = self.key(Table::Mark, &[]).0;
        let row = Row {
            version: 0,
            tenant: TenantId::SYSTEM,
            plain: codec::encode(&mark),
        };
        batch.insert(key.clone(), self.seal_row(&key, &row)?);
        self.db.apply_batch(batch)?;
        self.mark = mark;
        Ok(())
    }

    /// Hands what is in memory to the kernel. Not a promise: see the module.
    pub(super) fn flush(&self) -> Result<(), IndexError> {
        self.db.flush()?;
        Ok(())
    }

    /// Every row but the mark, opened, in the order of its key.
    pub(super) fn all(&self) -> Result<Vec<(Vec<u8>, Row)>, IndexError> {
        let mut rows = Vec::new();
        for item in self.db.range(vec![1u8]..) {
            let (key, sealed) = item?;
            let row = self.open_row(&key, &sealed)?;
            rows.push((key.to_vec(), row));
        }
        Ok(rows)
    }

    /// Takes up the mark and compares its sum with the rows that are there.
    fn check(&mut self) -> Result<(), IndexError> {
        let key = self.key(Table::Mark, &[]);
        let Some(row) = self.get(&key)? else {
            return match self.db.is_empty() {
                true => Ok(()),
                false => Err(IndexError::Damaged("its mark is missing")),
            };
        };
        let mark: Mark = codec::decode_canonical(&row.plain)
            .map_err(|_| IndexError::Damaged("its mark is not of this version"))?;
        let mut sum = Sum::default();
        for item in self.db.iter() {
            let (at, sealed) = item?;
            if at != key.0 {
                self.open_row(&at, &sealed)?;
                sum.add(self.hash(&at, &sealed));
            }
        }
        if mark.format != FORMAT || mark.sum != sum {
            return Err(IndexError::Damaged("rows are missing or were put back"));
        }
        self.mark = mark;
        Ok(())
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Row>, IndexError> {
        let mut rows = Vec::new();
        for item in self.db.range(from..to).take(limit) {
            let (key, sealed) = item?;
            rows.push(self.open_row(&key, &sealed)?);
        }
        Ok(rows)
    }

    /// epoch u32, version u64, tenant 16, nonce 12, ciphertext and tag.
    fn seal_row(&self, key: &[u8], row: &Row) -> Result<Vec<u8>, IndexError> {
        let mut sealed = EPOCH.to_be_bytes().to_vec();
        sealed.extend_from_slice(&row.version.to_be_bytes());
        sealed.extend_from_slice(&row.tenant.0);
        let aad = self.aad(&sealed, key);
        let (nonce, body) = self.sealer.seal(&aad, &row.plain)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    fn open_row(&self, key: &[u8], sealed: &[u8]) -> Result<Row, IndexError> {
        let damaged = || IndexError::Damaged("a row was changed");
        let (head, mut rest) = sealed.split_at_checked(4 + 8 + 16).ok_or_else(damaged)?;
        let mut numbers = head;
        let epoch = take(&mut numbers)
            .map(u32::from_be_bytes)
            .ok_or_else(damaged)?;
        let version = take(&mut numbers)
            .map(u64::from_be_bytes)
            .ok_or_else(damaged)?;
        let tenant = take(&mut numbers).map(TenantId).ok_or_else(damaged)?;
        let nonce: [u8; NONCE] = take(&mut rest).ok_or_else(damaged)?;
        if epoch != EPOCH {
            return Err(damaged());
        }
        let plain = self
            .sealer
            .open(&nonce, &self.aad(head, key), rest)
            .map_err(|_| damaged())?;
        Ok(Row {
            version,
            tenant,
            plain,
        })
    }

    fn aad(&self, head: &[u8], key: &[u8]) -> Vec<u8> {
        let numbers = [FORMAT, ALGORITHM].map(u32::to_be_bytes).concat();
        [&numbers, self.appliance.0.as_slice(), head, key].concat()
    }

    fn hash(&self, key: &[u8], sealed: &[u8]) -> [u64; 4] {
        let length = (key.len() as u64).to_be_bytes();
        let hash = mac(&self.name_key, SUM_DOMAIN, &[&length, key, sealed].concat());
        let mut rest = hash.as_slice();
        [0u64; 4].map(|_| take(&mut rest).map_or(0, u64::from_be_bytes))
    }
}
