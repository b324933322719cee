//! What crosses the borders of the agent runtime, and nothing that acts.
//!
//! Four borders meet here: the control daemon and agentd ([`lease`]), agentd
//! and a job's compartments ([`compartment`]), agentd and what connects for a job
//! ([`egress`]), and the immutable description of a job that both sides hash ([`job`]). Every message is one [`frame`] holding
//! one canonical CBOR item ([`codec`]): there is exactly one byte string for a
//! value, so a digest of a message is a digest of its meaning.
//!
//! Nothing here checks a grant or performs an action; [`job::Grants`] says what
//! may be done and agentd decides.

#![forbid(unsafe_code)]

pub mod action;
pub mod bundle;
pub mod code;
pub mod codec;
pub mod compartment;
pub mod denial;
pub mod egress;
pub mod event;
pub mod frame;
pub mod id;
pub mod job;
pub mod lease;
pub mod source;

pub use code::Code;
