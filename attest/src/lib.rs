//! The verifier: judges an evidence file offline, trusting nothing of the appliance.
//!
//! Pure: bytes, keys and the time come in as arguments; nothing here opens a TPM, a file or a
//! socket, or reads a clock. Bytes from outside have types that say so ([`evidence::Evidence`],
//! [`evidence::RawQuote`]); only a check turns them into what may be relied on.
#![forbid(unsafe_code)]

pub mod appraisal;
pub mod artifacts;
pub mod challenge;
pub mod checkpoint;
pub mod code;
pub mod codec;
pub mod credential;
pub mod digest;
pub mod endorsement;
pub mod enrolment;
pub mod envelope;
pub mod eventlog;
pub mod evidence;
pub mod export;
pub mod leaf;
pub mod ledger;
pub mod merkle;
pub mod messages;
pub mod predict;
pub mod quote;
pub mod release;
pub mod report;
pub mod revocations;
pub mod roots;
pub mod sealing;
pub mod selftest;
pub mod time;
pub mod tpm;
pub mod verdict;
pub mod verify;
pub mod x509;
