//! The auditor's own record of every verdict: append-only, each line chained to all before it.
//!
//! Bytes in, values out: the file, its lock and its fsync are the command's. What it guarantees:
//! a line that was changed, removed or moved is found, except lines cut off at the end, which show
//! only against a head that was noted down elsewhere ([`Ledger::has_head`]). docs/formats/ledger.md.

mod entry;
mod history;

use std::collections::HashMap;

pub use entry::{Entry, Line, Recorded, SeenClock, SeenHead};

use crate::code::{self, Code};
use crate::digest::Digest;

/// The first line of every ledger.
pub const HEADER: &str = "{\"format\":\"casemate.ledger.1\"}\n";
/// The most bytes that a ledger may have: about 400,000 verdicts.
pub const MAX_LEDGER: usize = 256 << 20;

/// A ledger that was read to its end and whose chain holds.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// How much of the header the file has.
    started: usize,
    /// The last line is whole but for its end.
    unended: bool,
    lines: Vec<(u64, Line)>,
    heads: Vec<Digest>,
    torn: Option<Torn>,
    by_key: HashMap<Vec<u8>, Vec<Seen>>,
    by_evidence: HashMap<Digest, usize>,
    by_enrolment: HashMap<Digest, usize>,
}

/// What of a record every later evidence of its key is held against: together, so that a long
/// ledger is passed quickly.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: usize,
    at_ms: u64,
    evidence: Option<Digest>,
    clock: SeenClock,
    entries: Option<u64>,
}

impl Seen {
    /// Whether it is of this very evidence.
    fn is(&self, entry: &Entry) -> bool {
        self.evidence == entry.evidence
    }
}

/// A tail that was not written to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Torn {
    /// Its bytes, line ends included.
    bytes: u64,
    /// Its last line, when that has no end.
    rest: Vec<u8>,
}

/// Why bytes are no ledger to go on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Another kind of file.
    #[error("the first line is not that of a ledger")]
    Malformed,
    /// More than [`MAX_LEDGER`].
    #[error("more than {MAX_LEDGER} bytes")]
    TooLarge,
    /// A line that cannot be read, and no later line says that it was torn.
    #[error("line {line} cannot be read")]
    Unreadable {
        /// From 1.
        line: usize,
    },
    /// A line that does not continue the one before it.
    #[error("line {line} does not continue the lines before it")]
    Chain {
        /// From 1.
        line: usize,
    },
}

impl LedgerError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Malformed => &code::LEDGER_MALFORMED,
            Self::TooLarge => &code::FORMAT_TOO_LARGE,
            Self::Unreadable { .. } | Self::Chain { .. } => &code::LEDGER_DAMAGED,
        }
    }
}

impl Ledger {
    /// Reads a ledger. No bytes are a ledger that begins now; a last line that was not written to
    /// its end is remembered and said in the next record.
    ///
    /// # Errors
    /// [`LedgerError`]: another file, or the chain does not hold.
    pub fn read(bytes: &[u8]) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        if bytes.len() > MAX_LEDGER {
            return Err(LedgerError::TooLarge);
        }
        if bytes.len() < HEADER.len() && HEADER.as_bytes().starts_with(bytes) {
            // Nothing, or a header that was torn: the next append completes it.
            ledger.started = bytes.len();
            return Ok(ledger);
        }
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
        if lines.next().map(|(_, line)| line) != Some(HEADER.as_bytes()) {
            return Err(LedgerError::Malformed);
        }
        ledger.started = HEADER.len();
        ledger.heads.push(Digest::of(HEADER.as_bytes()));
        let mut unread: Option<(usize, Torn)> = None;
        for (at, line) in lines {
            ledger.read_line(at.saturating_add(1), line, &mut unread)?;
        }
        match unread {
            // A whole line that cannot be read was changed; a torn one has no end, or holes.
            Some((line, torn)) if torn.rest.is_empty() && !has_holes(bytes) => {
                Err(LedgerError::Unreadable { line })
            }
            unread => {
                ledger.torn = unread.map(|(_, torn)| torn);
                Ok(ledger)
            }
        }
    }

    fn read_line(
        &mut self,
        place: usize,
        line: &[u8],
        unread: &mut Option<(usize, Torn)>,
    ) -> Result<(), LedgerError> {
        let ended = line.ends_with(b"\n");
        let mut whole = line.to_vec();
        if !ended {
            whole.push(b'\n');
        }
        let text = std::str::from_utf8(&whole).ok();
        let Some((read, number)) = text.and_then(Line::from_text) else {
            let (_, torn) = unread.get_or_insert((place, Torn::default()));
            torn.bytes = torn.bytes.saturating_add(size(line));
            if ended {
                self.advance(line);
            } else {
                torn.rest = line.to_vec();
            }
            return Ok(());
        };
        let (written, head) = read.to_text(number, &self.head());
        if number != self.next_number() || Some(&written[..]) != text {
            return Err(LedgerError::Chain { line: place });
        }
        match (&read, unread.take()) {
            (Line::Torn { bytes, .. }, Some((_, torn))) if *bytes == torn.bytes => {}
            (Line::Judged(_), None) => {}
            (Line::Torn { .. }, _) => return Err(LedgerError::Chain { line: place }),
            (Line::Judged(_), Some((line, _))) => return Err(LedgerError::Unreadable { line }),
        }
        self.heads.push(head);
        self.unended = !ended;
        self.take(number, read);
        Ok(())
    }

    /// The records with their numbers, in order.
    #[must_use]
    pub fn lines(&self) -> &[(u64, Line)] {
        &self.lines
    }

    /// The digest over all lines; to be noted down elsewhere, so that a cut shows.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.heads.last().copied().unwrap_or(Digest::ZERO)
    }

    /// Whether the ledger once had this head.
    #[must_use]
    pub fn has_head(&self, head: &Digest) -> bool {
        self.heads.contains(head)
    }

    /// Whether the last line was not written to its end.
    #[must_use]
    pub const fn is_torn(&self) -> bool {
        self.torn.is_some()
    }

    /// Takes an entry as the next record and gives the bytes to be appended to the file: in one
    /// write, and flushed to the disk before the verdict is shown.
    #[must_use]
    pub fn append(&mut self, entry: Entry) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.heads.is_empty() {
            bytes.extend(HEADER.as_bytes().iter().skip(self.started));
            self.heads.push(Digest::of(HEADER.as_bytes()));
        }
        if self.unended {
            bytes.push(b'\n');
            self.unended = false;
        }
        if let Some(mut torn) = self.torn.take() {
            if !torn.rest.is_empty() {
                bytes.push(b'\n');
                torn.rest.push(b'\n');
                torn.bytes = torn.bytes.saturating_add(1);
                self.advance(&torn.rest);
            }
            let (at_ms, torn) = (entry.at_ms, torn.bytes);
            bytes.extend(self.push(Line::Torn { at_ms, bytes: torn }));
        }
        bytes.extend(self.push(Line::Judged(Box::new(entry))));
        bytes
    }

    /// The head behind a torn line: SHA-256 of the head before and the line with its end.
    fn advance(&mut self, line: &[u8]) {
        let head = Digest::of_parts(&[self.head().as_bytes(), line]);
        self.heads.push(head);
    }

    fn push(&mut self, line: Line) -> Vec<u8> {
        let number = self.next_number();
        let (text, head) = line.to_text(number, &self.head());
        self.heads.push(head);
        self.take(number, line);
        text.into_bytes()
    }

    fn next_number(&self) -> u64 {
        u64::try_from(self.lines.len()).map_or(u64::MAX, |lines| lines.saturating_add(1))
    }

    fn take(&mut self, number: u64, line: Line) {
        let at = self.lines.len();
        if let Line::Judged(entry) = &line {
            if let Some(clock) = entry.clock {
                let seen = Seen {
                    at,
                    at_ms: entry.at_ms,
                    evidence: entry.evidence,
                    clock,
                    entries: entry.audit.as_ref().map(|head| head.size),
                };
                self.by_key.entry(entry.key.clone()).or_default().push(seen);
            }
            if let Some(evidence) = entry.evidence {
                self.by_evidence.entry(evidence).or_insert(at);
            }
            if let Some(enrolment) = entry.enrolment {
                self.by_enrolment.insert(enrolment, at);
            }
        }
        self.lines.push((number, line));
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Whether a file system left blocks unwritten: no line of ours has a zero byte.
fn has_holes(bytes: &[u8]) -> bool {
    let last = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let last = last.rsplit(|byte| *byte == b'\n').next();
    last.is_some_and(|line| line.contains(&0))
}
