//! The audit log: every journal entry is a leaf of one Merkle tree, whose head is signed.
//!
//! The formats and their verification belong to `casemate-attest`, so that an auditor's machine
//! checks with the same code and without trust in this crate. Here is the writing side ([`log`])
//! and what the TPM does for it ([`witness`]).

pub mod log;
pub mod witness;
