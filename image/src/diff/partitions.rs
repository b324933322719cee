//! Disks: the partition table (UEFI 2.10, 5.3) and each partition.

use super::Comparison;
use super::content::{Content, Form};
use crate::error::BuildError;

/// A partition as the table says it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Partition {
    number: u32,
    name: String,
    kind: String,
    id: String,
    first: u64,
    last: u64,
    attributes: u64,
}

impl Partition {
    fn layer(&self) -> String {
        format!("partition {} {:?}", self.number, self.name)
    }

    fn facts(&self) -> [(&'static str, String); 5] {
        [
            ("type", self.kind.clone()),
            ("identifier", self.id.clone()),
            ("first sector", self.first.to_string()),
            ("last sector", self.last.to_string()),
            ("attributes", format!("{:#x}", self.attributes)),
        ]
    }

    fn content(&self, disk: &Content) -> Content {
        let sectors = self.last.saturating_sub(self.first).saturating_add(1);
        disk.part(self.first.saturating_mul(512), sectors.saturating_mul(512))
    }
}

impl Comparison {
    /// Two disks: partitions by their number, the one with the loader last, because it carries
    /// digests of the others; then the tables.
    pub(super) fn disks(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let (left, right) = (table(a)?, table(b)?);
        let mut pairs: Vec<(&Partition, &Partition)> = left
            .iter()
            .filter_map(|p| Some((p, right.iter().find(|q| q.number == p.number)?)))
            .collect();
        let mut ordered = Vec::new();
        for pair in pairs.drain(..) {
            let fat = pair.0.content(a).form()? == Form::Fat;
            ordered.push((fat, pair));
        }
        ordered.sort_by_key(|(fat, (partition, _))| (*fat, partition.number));
        for (_, (x, y)) in &ordered {
            self.within(x.layer(), |inner| {
                inner.contents(&x.content(a), &y.content(b))
            })?;
        }
        for (_, (x, y)) in ordered {
            self.within("partition table", |inner| {
                inner.within(format!("partition {}", x.number), |inner| {
                    let names = [("name", format!("{:?}", x.name))];
                    let others = [("name", format!("{:?}", y.name))];
                    let (first, second) = (x.facts(), y.facts());
                    let facts = names.iter().chain(&first).zip(others.iter().chain(&second));
                    for ((fact, x), (_, y)) in facts.filter(|(x, y)| x != y) {
                        inner.note(format!("{fact} is {x} in the first, {y} in the second"));
                    }
                    Ok(())
                })
            })?;
        }
        let names = |of: &[Partition]| of.iter().map(Partition::layer).collect::<Vec<_>>();
        if left.len() != right.len() {
            self.names("the table's", &names(&left), &names(&right));
        }
        if a.size != b.size {
            self.note(format!(
                "{} bytes in the first, {} in the second",
                a.size, b.size
            ));
        }
        Ok(true)
    }
}

/// The partitions in use.
fn table(disk: &Content) -> Result<Vec<Partition>, BuildError> {
    let mut header = [0; 92];
    disk.read(512, &mut header)?;
    let word = |at: usize| {
        let bytes = header.get(at..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let (start, count, size) = (long(&header, 72), word(80).min(1024), word(84));
    let mut out = Vec::new();
    for number in 0..count {
        let mut entry = [0; 128];
        let at = u64::from(number) * u64::from(size);
        let at = start.saturating_mul(512).saturating_add(at);
        disk.read(at, &mut entry)?;
        let kind = entry.first_chunk::<16>().copied().unwrap_or_default();
        if kind == [0; 16] {
            continue;
        }
        let id = entry.get(16..).and_then(|rest| rest.first_chunk::<16>());
        let units = entry.get(56..).unwrap_or_default().chunks_exact(2);
        let units: Vec<u16> = units
            .map(|unit| unit.try_into().map_or(0, u16::from_le_bytes))
            .take_while(|unit| *unit != 0)
            .collect();
        out.push(Partition {
            number: number + 1,
            name: String::from_utf16_lossy(&units),
            kind: guid(&kind),
            id: guid(&id.copied().unwrap_or_default()),
            first: long(&entry, 32),
            last: long(&entry, 40),
            attributes: long(&entry, 48),
        });
    }
    Ok(out)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A GUID as people write it: its first three numbers are little-endian.
fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    let [i, j, tail @ ..] = rest;
    [
        hex::encode([d, c, b, a]),
        hex::encode([f, e]),
        hex::encode([h, g]),
        hex::encode([i, j]),
        hex::encode(tail),
    ]
    .join("-")
}
