//! No event of a passing log can be dropped, moved, retyped, repeated or edited: the log is
//! changed, a TPM of a lying system quotes what the changed log leads to, and the verdict fails.
//! Of a recorded log and of the log of a machine with real firmware; the auditor has the log of
//! the enrolment, without which a platform's event types are nobody's word.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod stand;

use std::fs;
use std::path::Path;

use casemate_attest::eventlog::{EventLog, bank_digest};
use casemate_attest::evidence::POLICY_PCRS;
use casemate_attest::verdict::Decision;
use casemate_attest::verify::Verifier;
use proptest::prelude::*;
use stand::{Auditor, Stand};

const NO_ACTION: u32 = 3;

/// A log that can be edited: its header as it is, its events in parts.
#[derive(Clone, PartialEq)]
struct Log {
    header: Vec<u8>,
    events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq)]
struct Event {
    pcr: u8,
    event_type: u32,
    digests: Vec<(u16, Vec<u8>)>,
    data: Vec<u8>,
}

impl Log {
    fn read(bytes: &[u8]) -> Self {
        let log = EventLog::parse(bytes).unwrap();
        let header = bytes[..log.events()[0].offset].to_vec();
        let events = log.events().iter().map(|event| Event {
            pcr: event.pcr,
            event_type: event.event_type,
            digests: event
                .digests
                .iter()
                .map(|(bank, digest)| (*bank, digest.to_vec()))
                .collect(),
            data: event.data.to_vec(),
        });
        Self {
            header,
            events: events.collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.clone();
        for event in &self.events {
            bytes.extend(u32::from(event.pcr).to_le_bytes());
            bytes.extend(event.event_type.to_le_bytes());
            bytes.extend(u32::try_from(event.digests.len()).unwrap().to_le_bytes());
            for (bank, digest) in &event.digests {
                bytes.extend(bank.to_le_bytes());
                bytes.extend(digest);
            }
            bytes.extend(u32::try_from(event.data.len()).unwrap().to_le_bytes());
            bytes.extend(&event.data);
        }
        bytes
    }

    /// The events that the quote is about: those that extend a register of the policy.
    fn judged(&self) -> Vec<usize> {
        let judged =
            |event: &Event| event.event_type != NO_ACTION && POLICY_PCRS.contains(&event.pcr);
        let all = self.events.iter().enumerate();
        all.filter(|(_, event)| judged(event))
            .map(|(at, _)| at)
            .collect()
    }

    /// The next event of the same register.
    fn next(&self, at: usize) -> Option<usize> {
        let pcr = self.events[at].pcr;
        let mut later = self.events.iter().enumerate().skip(at + 1);
        later
            .find(|(_, event)| event.pcr == pcr && event.event_type != NO_ACTION)
            .map(|(later, _)| later)
    }
}

impl Event {
    /// Other data, its digests made over it.
    fn measure(&mut self, data: Vec<u8>) {
        for (bank, digest) in &mut self.digests {
            *digest = bank_digest(*bank, &[&data]).unwrap().as_bytes().to_vec();
        }
        self.data = data;
    }
}

/// An appliance that booted as the genuine log says.
struct Case {
    stand: Stand,
    auditor: Auditor,
    genuine: Log,
}

impl Case {
    fn new(log: &[u8]) -> Self {
        let stand = Stand {
            firmware: log.to_vec(),
            blessed_log: Some(log.to_vec()),
            ..Stand::default()
        };
        let auditor = stand.auditor();
        let genuine = Log::read(log);
        assert!(genuine.bytes() == log, "written as it was read");
        Self {
            stand,
            auditor,
            genuine,
        }
    }

    fn recorded() -> Self {
        Self::new(&Stand::default().firmware)
    }

    /// A machine with OVMF under Secure Boot, systemd-stub and Debian's kernel.
    fn booted() -> Self {
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
        Self::new(&fs::read(vectors.join("ovmf-secboot/firmware.log")).unwrap())
    }

    /// Whether evidence with this log passes, its quote over what the log leads to.
    fn passes(&self, log: &Log) -> bool {
        let bytes = log.bytes();
        if EventLog::parse(&bytes).is_err() {
            return false;
        }
        let stand = Stand {
            firmware: bytes,
            blessed_log: self.stand.blessed_log.clone(),
            ..Stand::default()
        };
        let evidence = stand.evidence(&self.auditor.challenge).to_bytes();
        let mut verifier = Verifier::new(stand.inputs(&self.auditor)).unwrap();
        assert!(verifier.keep_log(self.genuine.bytes()).unwrap());
        verifier.judge(&evidence).unwrap().decision() == Decision::Pass
    }

    fn refuses(&self, what: &str, at: usize, log: &Log) {
        let event = &self.genuine.events[at];
        assert!(!self.passes(log), "{what} event {}: {event:?}", at + 1);
    }
}

fn cases() -> [Case; 2] {
    [Case::recorded(), Case::booted()]
}

#[test]
fn the_genuine_logs_pass() {
    for case in cases() {
        assert!(case.passes(&case.genuine));
    }
}

#[test]
fn no_event_can_be_dropped() {
    for case in cases() {
        for at in case.genuine.judged() {
            let mut log = case.genuine.clone();
            log.events.remove(at);
            case.refuses("without", at, &log);
        }
    }
}

#[test]
fn no_event_can_be_repeated() {
    for case in cases() {
        for at in case.genuine.judged() {
            let mut log = case.genuine.clone();
            log.events.insert(at, log.events[at].clone());
            case.refuses("twice", at, &log);
        }
    }
}

#[test]
fn no_two_events_of_a_register_can_change_places() {
    for case in cases() {
        for at in case.genuine.judged() {
            let Some(next) = case.genuine.next(at) else {
                continue;
            };
            let mut log = case.genuine.clone();
            log.events.swap(at, next);
            if log != case.genuine {
                case.refuses("moved", at, &log);
            }
        }
    }
}

/// The type is under no digest.
#[test]
fn no_event_can_be_retyped() {
    let types = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x0c, 0x0d, 0x77];
    let types = types.into_iter().chain(0x8000_0001..=0x8000_000d);
    let types: Vec<u32> = types.chain([0x8000_00e0, 0xdead_beef]).collect();
    for case in cases() {
        for at in case.genuine.judged() {
            for event_type in &types {
                let mut log = case.genuine.clone();
                log.events[at].event_type = *event_type;
                if log != case.genuine {
                    case.refuses(&format!("as {event_type:#x}"), at, &log);
                }
            }
        }
    }
}

/// Another payload, honestly digested; and another digest.
#[test]
fn no_event_can_be_edited() {
    for case in cases() {
        for at in case.genuine.judged() {
            let mut log = case.genuine.clone();
            let mut data = log.events[at].data.clone();
            data.push(0);
            log.events[at].measure(data);
            case.refuses("longer", at, &log);
            let mut log = case.genuine.clone();
            let digests = log.events[at].digests.iter_mut();
            digests.for_each(|(_, digest)| digest[0] ^= 1);
            case.refuses("digest of", at, &log);
        }
    }
}

/// A payload edited and its digest kept: where the digest covers it the log is refused; where it
/// does not, the verdict rests on nothing of it.
#[test]
fn a_payload_edited_under_its_digest_is_refused_where_it_is_covered() {
    for case in cases() {
        for at in case.genuine.judged() {
            let covered = {
                let bytes = case.genuine.bytes();
                let log = EventLog::parse(&bytes).unwrap();
                let event = &log.events()[at];
                event.coverage().range(event.data.len())
            };
            for byte in 0..case.genuine.events[at].data.len().min(64) {
                let mut log = case.genuine.clone();
                log.events[at].data[byte] ^= 0x10;
                if covered.contains(&byte) {
                    case.refuses("payload of", at, &log);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Several edits at once do not make up for each other.
    #[test]
    fn no_series_of_edits_passes(
        edits in prop::collection::vec((0_usize..5, any::<prop::sample::Index>(), any::<u32>()), 1..4)
    ) {
        let case = Case::recorded();
        let mut log = case.genuine.clone();
        for (kind, at, number) in edits {
            let judged = log.judged();
            if judged.is_empty() {
                continue;
            }
            let at = judged[at.index(judged.len())];
            match kind {
                0 => drop(log.events.remove(at)),
                1 => log.events.insert(at, log.events[at].clone()),
                2 => if let Some(next) = log.next(at) {
                    log.events.swap(at, next);
                },
                3 => log.events[at].event_type = number,
                _ => log.events[at].measure(number.to_le_bytes().to_vec()),
            }
        }
        // The order of events of different registers is nobody's word.
        let of = |log: &Log, pcr: u8| -> Vec<Event> {
            log.events.iter().filter(|event| event.pcr == pcr).cloned().collect()
        };
        let same = (0..24).all(|pcr| of(&log, pcr) == of(&case.genuine, pcr));
        prop_assert!(same || !case.passes(&log));
    }
}
