//! agentd's side of the audit reader: who is watched, and what was seen of them.
//!
//! Without a reader agentd works the same: enforcement does not hang on it. What is
//! missing is said wherever denials are reported, never left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use casemate_protocol::codec;
use rustix::net::{RecvFlags, SendFlags};

use super::fact::{FRAME, Fact, FromReader, ToReader};

/// Different denials kept of one job; what comes after is only counted.
pub const DISTINCT: usize = 256;
/// How long the reader may take to be up to date.
const CURRENT: Duration = Duration::from_secs(2);
/// How long it may take to start, on a loaded machine.
const READY: Duration = Duration::from_secs(30);

/// What is seen of all jobs.
#[derive(Debug)]
pub struct Watch {
    channel: Option<OwnedFd>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Why nobody watches, if nobody does.
    off: Option<String>,
    started: bool,
    ready: bool,
    asked: u64,
    flushed: u64,
    lost: u64,
    /// By the first user of a block.
    blocks: BTreeMap<u32, Block>,
}

#[derive(Debug)]
struct Block {
    uids: Range<u32>,
    facts: BTreeMap<(u32, Fact), (u64, Instant)>,
    /// Denials beyond those kept.
    rest: u64,
    /// Denials that the kernel counted and nobody saw.
    unseen: u64,
    /// The count of lost records when it began.
    lost: u64,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whose.
    pub uid: u32,
    /// What.
    pub fact: Fact,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: Instant,
}

/// All that was seen of one block of users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// In the order of the first time.
    pub seen: Vec<Seen>,
    /// What is not among them, in sentences.
    pub missing: Vec<String>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // What is behind this lock is whole between any two statements.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Nobody watches, for this reason.
    pub fn nobody(why: &str) -> Arc<Self> {
        Arc::new(Self {
            channel: None,
            state: Mutex::new(State {
                off: Some(why.to_owned()),
                ..State::default()
            }),
            changed: Condvar::new(),
        })
    }

    /// For the reader at the other end of `channel`; it is listened to from the first
    /// [`Watch::open`] on, so that a process that is still to be cloned has no thread.
    pub fn of(channel: OwnedFd) -> Arc<Self> {
        Arc::new(Self {
            channel: Some(channel),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Returns when the reader listens to the kernel, or will not.
    fn start(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if !state.started && state.off.is_none() {
            state.started = true;
            let listening = Arc::clone(self);
            let thread = std::thread::Builder::new()
                .name("denials".to_owned())
                .stack_size(256 << 10)
                .spawn(move || listening.listen());
            if let Err(e) = thread {
                state.off = Some(format!("no thread for them: {e}"));
            }
        }
        let end = Instant::now() + READY;
        while !state.ready && state.off.is_none() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.off = Some("the audit reader does not answer".to_owned());
            }
            state = self.wait(state, left);
        }
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>, left: Duration) -> MutexGuard<'s, State> {
        self.changed
            .wait_timeout(state, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// Why nobody watches, if so.
    pub fn off(&self) -> Option<String> {
        lock(&self.state).off.clone()
    }

    /// Keeps from now on what is denied to these users.
    pub fn open(self: &Arc<Self>, uids: Range<u32>) {
        self.start();
        let mut state = lock(&self.state);
        let block = Block {
            facts: BTreeMap::new(),
            rest: 0,
            unseen: 0,
            lost: state.lost,
            uids,
        };
        state.blocks.insert(block.uids.start, block);
    }

    /// What was denied so far to the block that begins with `first`, all of it that
    /// was denied before this call.
    pub fn so_far(&self, first: u32) -> Account {
        let current = self.flush();
        let state = lock(&self.state);
        state
            .blocks
            .get(&first)
            .map_or_else(Account::default, |block| block.account(&state, current))
    }

    /// The same, and keeps no more of it.
    pub fn close(&self, first: u32) -> Account {
        let account = self.so_far(first);
        lock(&self.state).blocks.remove(&first);
        account
    }

    /// Waits until the reader has told everything up to now.
    fn flush(&self) -> bool {
        let end = Instant::now() + CURRENT;
        let mut state = lock(&self.state);
        let Some(channel) = self.channel.as_ref().filter(|_| state.off.is_none()) else {
            return false;
        };
        state.asked = state.asked.saturating_add(1);
        let number = state.asked;
        let request = codec::encode(&ToReader::Flush { number });
        // Does not wait: a reader that does not take it is not up to date either.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        if rustix::net::send(channel, &request, flags).is_err() {
            return false;
        }
        while state.flushed < number && state.off.is_none() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.wait(state, left);
        }
        state.flushed >= number
    }

    fn listen(&self) {
        let Some(channel) = &self.channel else { return };
        let mut bytes = [0; FRAME];
        let why = loop {
            let flags = RecvFlags::empty();
            let length = match rustix::net::recv(channel, bytes.as_mut_slice(), flags) {
                Ok((0, _)) => break "the audit reader has ended",
                Ok((length, _)) => length,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => break "the audit reader cannot be heard",
            };
            match codec::decode_canonical(bytes.get(..length).unwrap_or_default()) {
                Ok(message) => lock(&self.state).take(message),
                Err(_) => break "the audit reader said something malformed",
            }
            self.changed.notify_all();
        };
        self.end(why);
    }

    fn end(&self, why: &str) {
        lock(&self.state).off.get_or_insert(why.to_owned());
        self.changed.notify_all();
    }
}

impl State {
    fn take(&mut self, message: FromReader) {
        match message {
            FromReader::Ready => self.ready = true,
            FromReader::Flushed { number } => self.flushed = self.flushed.max(number),
            FromReader::Lost { count } => self.lost = self.lost.saturating_add(count),
            FromReader::Unseen { uid, count } => {
                if let Some(block) = self.block(uid) {
                    block.unseen = block.unseen.saturating_add(count);
                }
            }
            FromReader::Seen { uid, fact, count } => {
                if let Some(block) = self.block(uid) {
                    block.take(uid, fact, count);
                }
            }
        }
    }

    fn block(&mut self, uid: u32) -> Option<&mut Block> {
        let (_, block) = self.blocks.range_mut(..=uid).next_back()?;
        block.uids.contains(&uid).then_some(block)
    }
}

impl Block {
    fn take(&mut self, uid: u32, fact: Fact, count: u64) {
        let full = self.facts.len() >= DISTINCT;
        match self.facts.entry((uid, fact)) {
            std::collections::btree_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.0 = known.0.saturating_add(count);
            }
            std::collections::btree_map::Entry::Vacant(_) if full => {
                self.rest = self.rest.saturating_add(count);
            }
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert((count, Instant::now()));
            }
        }
    }

    fn account(&self, state: &State, current: bool) -> Account {
        let mut seen: Vec<Seen> = self
            .facts
            .iter()
            .map(|((uid, fact), (count, first))| Seen {
                uid: *uid,
                fact: fact.clone(),
                count: *count,
                first: *first,
            })
            .collect();
        seen.sort_by_key(|one| one.first);
        let mut missing = BTreeSet::new();
        let lost = state.lost.saturating_sub(self.lost);
        if let Some(why) = &state.off {
            missing.insert(format!("denials are not explained: {why}"));
        } else if !current {
            missing.insert("denials may be missing: the audit reader is behind".to_owned());
        }
        if self.rest > 0 {
            let rest = self.rest;
            missing.insert(format!(
                "{rest} more denials, beyond {DISTINCT} different ones"
            ));
        }
        if self.unseen > 0 {
            let unseen = self.unseen;
            missing.insert(format!("{unseen} more denials, of which no record came"));
        }
        if lost > 0 {
            missing.insert(format!(
                "at least {lost} records were lost, of whichever process"
            ));
        }
        Account {
            seen,
            missing: missing.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact::What;
    use super::*;

    fn fact(path: &str) -> Fact {
        Fact {
            program: "sh".into(),
            what: What::Path {
                path: path.into(),
                rights: vec!["fs.read_file".into()],
            },
        }
    }

    fn pair() -> (Arc<Watch>, OwnedFd) {
        let (ours, theirs) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        tell(&theirs, &FromReader::Ready);
        (Watch::of(ours), theirs)
    }

    fn tell(reader: &OwnedFd, message: &FromReader) {
        rustix::io::write(reader, &codec::encode(message)).unwrap();
    }

    /// Answers the next request, as the reader does.
    fn answer(reader: &OwnedFd) {
        let mut bytes = [0; FRAME];
        let length = rustix::io::read(reader, &mut bytes).unwrap();
        let ToReader::Flush { number } = codec::decode_canonical(&bytes[..length]).unwrap();
        tell(reader, &FromReader::Flushed { number });
    }

    #[test]
    fn a_flood_is_bounded_and_counted_and_another_job_sees_none_of_it() {
        let (watch, reader) = pair();
        watch.open(1024..1032);
        watch.open(1032..1040);
        for number in 0..100_000u64 {
            let uid = if number == 500 { 1033 } else { 1024 };
            let fact = fact(&format!("/x/{number}"));
            tell(
                &reader,
                &FromReader::Seen {
                    uid,
                    fact,
                    count: 1,
                },
            );
        }
        tell(&reader, &FromReader::Lost { count: 3 });
        tell(
            &reader,
            &FromReader::Unseen {
                uid: 1024,
                count: 9,
            },
        );
        let asking = std::thread::spawn({
            let watch = Arc::clone(&watch);
            move || (watch.close(1024), watch.close(1032))
        });
        answer(&reader);
        answer(&reader);
        let (one, two) = asking.join().unwrap();
        assert_eq!(one.seen.len(), DISTINCT);
        assert_eq!(one.seen[0].fact, fact("/x/0"));
        assert_eq!(
            one.missing,
            [
                "9 more denials, of which no record came".to_owned(),
                format!("{} more denials, beyond 256 different ones", 99_999 - 256),
                "at least 3 records were lost, of whichever process".to_owned(),
            ]
        );
        assert_eq!(two.seen.len(), 1);
    }

    #[test]
    fn without_a_reader_it_is_said() {
        let watch = Watch::nobody("no audit reader was started");
        watch.open(1..2);
        assert_eq!(
            watch.close(1).missing,
            ["denials are not explained: no audit reader was started"]
        );
        let (watch, reader) = pair();
        watch.open(1..2);
        // Nonsense ends it as well as an end does.
        rustix::io::write(&reader, b"\xff").unwrap();
        while watch.off().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(
            watch.close(1).missing,
            ["denials are not explained: the audit reader said something malformed"]
        );
    }
}
