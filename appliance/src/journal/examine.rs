//! Reading a journal back: every record is opened and its place in the chain checked.
//!
//! A record that does not check is either a torn tail, which never counted, or damage. The
//! journal itself knows some of what counted (the head, later groups); the index and the TPM's
//! counter know more. So opening has two steps: [`Examined::read`] looks and changes nothing,
//! [`Examined::accept`] is told the rest and then cuts the tail, or refuses.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::head::{Head, HeadFile, NAME};
use super::segment::{At, Chain, HEADER, Header, HeaderFault, Identity, look, take};
use super::{Journal, OpenError, Place, Reader, Sealing, name, open_segment};
use crate::keys::{EPOCH, Kek};
use crate::store::durable;

/// What a directory holds.
#[derive(Debug)]
pub enum Found {
    /// No segment and no head.
    Nothing,
    /// A journal.
    Journal(Box<Examined>),
}

/// A record as read back.
#[derive(Debug)]
pub struct Record {
    /// Where it lies.
    pub place: Place,
    /// Its plaintext.
    pub plain: Vec<u8>,
}

/// A journal that was read and not yet opened for writing.
#[derive(Debug)]
pub struct Examined {
    dir: PathBuf,
    sealing: Sealing,
    head_file: HeadFile,
    head: Option<Head>,
    segment: u64,
    /// Number of the segment's first record, and the chain hash before its header.
    first: u64,
    before: Chain,
    end: u64,
    length: u64,
    next: u64,
    chain: Chain,
    tail: Option<&'static str>,
}

/// The records of one segment, as far as they check.
struct Walk {
    end: usize,
    next: u64,
    chain: Chain,
    fault: Option<&'static str>,
}

impl Found {
    /// Reads the journal in `dir` and gives each record to `each`, in order.
    ///
    /// # Errors
    /// [`OpenError`]: damage that the journal knows of by itself, another key, or the disk.
    pub fn read(dir: &Path, kek: &Kek, each: &mut dyn FnMut(Record)) -> Result<Self, OpenError> {
        let io = |source| OpenError::io(dir, source);
        durable::sweep(dir).map_err(io)?;
        let segments = segments(dir).map_err(io)?;
        let Some(first) = segments.first() else {
            return match dir.join(NAME).exists() {
                true => Err(OpenError::Missing(dir.display().to_string())),
                false => Ok(Self::Nothing),
            };
        };
        let path = dir.join(name(*first));
        let bytes = std::fs::read(&path).map_err(|source| OpenError::io(&path, source))?;
        let header = header(&bytes, *first, 0)?;
        let sealing = Sealing::new(header.appliance, kek);
        if Header::check(&bytes, &sealing.key).is_err() {
            return Err(OpenError::OtherKey);
        }
        let (head_file, head) = HeadFile::open(dir, sealing.key.clone()).map_err(io)?;
        let mut examined = Examined {
            dir: dir.to_owned(),
            sealing,
            head_file,
            head,
            segment: 0,
            first: 0,
            before: [0; 32],
            end: 0,
            length: 0,
            next: 0,
            chain: [0; 32],
            tail: None,
        };
        for (expected, segment) in (1..).zip(segments) {
            examined.segment(expected, segment, each)?;
        }
        examined.against_head()?;
        Ok(Self::Journal(Box::new(examined)))
    }
}

impl Examined {
    /// Whose journal it is.
    pub fn appliance(&self) -> crate::keys::derive::ApplianceId {
        self.sealing.appliance
    }

    /// A reader of single records.
    pub fn reader(&self) -> Reader {
        Reader {
            dir: self.dir.clone(),
            sealing: self.sealing.clone(),
        }
    }

    /// How many records check.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether the head speaks for a record, so that the journal is not one whose making was cut off.
    pub fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// Opens the journal for writing; `acknowledged` is the number of records that others speak
    /// for. Gives it with the number of bytes cut from a torn tail.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] if one of those is not there.
    pub fn accept(
        self,
        acknowledged: u64,
        segment_bytes: u64,
    ) -> Result<(Journal, u64), OpenError> {
        if self.next < acknowledged {
            return Err(self.missing(acknowledged));
        }
        let path = self.dir.join(name(self.segment));
        let io = |source| OpenError::io(&path, source);
        let file = open_segment(&self.dir, self.segment).map_err(io)?;
        let mut cut = 0;
        if self.tail.is_some() {
            cut = self.length.saturating_sub(self.end);
            file.set_len(self.end)
                .and_then(|()| file.sync_all())
                .map_err(io)?;
        }
        let journal = Journal {
            dir: self.dir,
            sealing: self.sealing,
            segment_bytes,
            segment: self.segment,
            file,
            end: self.end,
            taken: if self.tail.is_some() {
                self.end
            } else {
                self.length
            },
            next: self.next,
            chain: self.chain,
            head: self.head_file,
            failed: None,
        };
        Ok((journal, cut))
    }

    /// Reads one segment after those before it.
    fn segment(
        &mut self,
        expected: u64,
        found: u64,
        each: &mut dyn FnMut(Record),
    ) -> Result<(), OpenError> {
        if let Some(reason) = self.tail {
            // A segment is only begun when all before it is durable.
            return Err(self.damaged(self.next, self.end, reason));
        }
        if expected != found {
            return Err(OpenError::Damaged {
                record: self.next,
                segment: expected,
                offset: 0,
                reason: "the segment is missing".to_owned(),
            });
        }
        let path = self.dir.join(name(found));
        let bytes = std::fs::read(&path).map_err(|source| OpenError::io(&path, source))?;
        let header = header(&bytes, found, self.next)?;
        self.segment = found;
        let expected = Header {
            segment: found,
            appliance: self.sealing.appliance,
            epoch: EPOCH,
            first: self.next,
            before: self.chain,
        };
        if header != expected || Header::check(&bytes, &self.sealing.key).is_err() {
            return Err(self.damaged(
                self.next,
                0,
                "the header does not follow on the segment before",
            ));
        }
        (self.first, self.before) = (self.next, self.chain);
        let walk = self.walk(&bytes, Header::chain(&bytes), each);
        self.length = bytes.len() as u64;
        self.end = walk.end as u64;
        self.next = walk.next;
        self.chain = walk.chain;
        if let Some(reason) = walk.fault {
            let rest = bytes.get(walk.end..).unwrap_or_default();
            if self.later_group(rest) {
                return Err(self.damaged(self.next, self.end, reason));
            }
            self.tail = Some(reason);
        }
        Ok(())
    }

    fn walk(&self, bytes: &[u8], chain: Chain, each: &mut dyn FnMut(Record)) -> Walk {
        let identity = self.sealing.identity(self.segment);
        let mut walk = Walk {
            end: HEADER,
            next: self.next,
            chain,
            fault: None,
        };
        let mut group = self.next;
        loop {
            let (raw, length) = match look(bytes.get(walk.end..).unwrap_or_default()) {
                At::End => return walk,
                At::Broken(reason) => {
                    walk.fault = Some(reason);
                    return walk;
                }
                At::Frame(raw, length) => (raw, length),
            };
            let in_order = raw.seq == walk.next && (raw.group == group || raw.group == raw.seq);
            let opened = self.open(&identity, &raw, in_order, &walk.chain);
            let plain = match opened {
                Ok(plain) => plain,
                Err(reason) => {
                    walk.fault = Some(reason);
                    return walk;
                }
            };
            group = raw.group;
            let place = Place {
                segment: self.segment,
                offset: walk.end as u64,
                length: u32::try_from(length).unwrap_or(u32::MAX),
            };
            walk.chain = *raw.chain;
            walk.end = walk.end.saturating_add(length);
            walk.next = walk.next.saturating_add(1);
            each(Record { place, plain });
        }
    }

    fn open(
        &self,
        identity: &Identity,
        raw: &super::segment::RawFrame<'_>,
        in_order: bool,
        before: &Chain,
    ) -> Result<Vec<u8>, &'static str> {
        if !in_order {
            return Err("it carries another number");
        }
        if !raw.follows(before) {
            return Err("it was changed: its chain hash does not hold");
        }
        identity
            .open(&self.sealing.sealer, raw)
            .map_err(|_| "its seal is broken")
    }

    /// Whether a record of a later group lies anywhere in `rest`: then the faulty one was durable,
    /// for a group is only written when the one before is. The fault may have broken lengths, so
    /// every offset is tried; numbers make nearly all of them cheap to rule out.
    fn later_group(&self, rest: &[u8]) -> bool {
        let identity = self.sealing.identity(self.segment);
        let limit = self.next.saturating_add(rest.len() as u64);
        let plausible = |bytes: &[u8]| {
            let mut numbers = bytes.get(4..)?;
            let seq = u64::from_be_bytes(take(&mut numbers)?);
            let group = u64::from_be_bytes(take(&mut numbers)?);
            (group > self.next && group <= seq && seq <= limit).then_some(())
        };
        (1..rest.len())
            .filter_map(|at| rest.get(at..))
            .any(|bytes| {
                plausible(bytes).is_some()
                    && match look(bytes) {
                        At::Frame(raw, _) => identity.open(&self.sealing.sealer, &raw).is_ok(),
                        At::End | At::Broken(_) => false,
                    }
            })
    }

    fn against_head(&self) -> Result<(), OpenError> {
        let Some(head) = self.head else { return Ok(()) };
        if self.next < head.next {
            return Err(self.missing(head.next));
        }
        // A segment that was begun and holds no record yet has moved the chain by its header.
        let fresh = self.next == self.first && self.before == head.chain;
        if self.next == head.next && self.chain != head.chain && !fresh {
            return Err(self.damaged(
                self.next.saturating_sub(1),
                self.end,
                "it is not the record that was acknowledged",
            ));
        }
        Ok(())
    }

    /// The first record that does not check was acknowledged: damage.
    fn missing(&self, acknowledged: u64) -> OpenError {
        let reason = self.tail.unwrap_or("it is missing");
        let reason = format!("{reason}; {acknowledged} records were acknowledged");
        OpenError::Damaged {
            record: self.next,
            segment: self.segment,
            offset: self.end,
            reason,
        }
    }

    fn damaged(&self, record: u64, offset: u64, reason: &str) -> OpenError {
        OpenError::Damaged {
            record,
            segment: self.segment,
            offset,
            reason: reason.to_owned(),
        }
    }
}

fn header(bytes: &[u8], segment: u64, record: u64) -> Result<Header, OpenError> {
    Header::parse(bytes).map_err(|fault| match fault {
        HeaderFault::Damaged(reason) => OpenError::Damaged {
            record,
            segment,
            offset: 0,
            reason: reason.to_owned(),
        },
        HeaderFault::OtherKey => OpenError::OtherKey,
    })
}

/// Numbers of the segments in a directory, ascending.
fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for item in std::fs::read_dir(dir)? {
        let file = item?.file_name();
        let number = OsStr::to_str(&file).and_then(|file| file.strip_suffix(".seg")?.parse().ok());
        numbers.extend(number.filter(|number| OsStr::new(&name(*number)) == file));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
