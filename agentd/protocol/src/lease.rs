//! Between the control daemon and agentd: leases out, events back.
//!
//! agentd connects; the daemon checks the peer's credentials. Every message of
//! agentd that carries a number is acknowledged when it is durable, and agentd
//! performs an acting step only after its `StepStarted` was acknowledged. If
//! the connection ends, agentd ends every job and the daemon decides by each
//! job's `on_interrupt`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::event::{ArtifactPart, Event, JobEnd};
use crate::id::{Digest, JobId};

/// The only version of this protocol.
pub const VERSION: u32 = 3;

/// A diagnosis of a workflow that was checked without being run.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Diagnosis {
    /// File in the bundle.
    #[n(0)]
    pub file: String,
    /// Line from 1, 0 if unknown.
    #[n(1)]
    pub line: u32,
    /// Column from 1, 0 if unknown.
    #[n(2)]
    pub column: u32,
    /// What is wrong and what to write instead.
    #[n(3)]
    pub message: String,
}

/// An application that the mounted desktop pack offers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PackOffer {
    /// Verity root.
    #[n(0)]
    pub root: Digest,
    /// Pack's name.
    #[n(1)]
    pub name: String,
    /// Applications by name.
    #[n(2)]
    pub applications: Vec<String>,
}

/// From agentd to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToDaemon {
    /// First message.
    #[n(0)]
    Hello {
        /// [`VERSION`].
        #[n(0)]
        version: u32,
        /// Jobs it can hold at once.
        #[n(1)]
        slots: u32,
        /// Mounted packs.
        #[n(2)]
        packs: Vec<PackOffer>,
        /// Of the self-test that it passed before it connected: the daemon states
        /// it in evidence, and cannot check it.
        #[n(3)]
        selftest: Digest,
    },
    /// An event of a leased job.
    #[n(1)]
    Event {
        /// The job.
        #[n(0)]
        job: JobId,
        /// Ascending per connection and job, from 1.
        #[n(1)]
        number: u64,
        /// What happened.
        #[n(2)]
        event: Event,
    },
    /// A piece of an artifact of a leased job.
    #[n(2)]
    Artifact {
        /// The job.
        #[n(0)]
        job: JobId,
        /// Shares the numbering of events.
        #[n(1)]
        number: u64,
        /// The piece.
        #[n(2)]
        part: ArtifactPart,
    },
    /// A leased job ended and everything of it is cleaned up.
    #[n(3)]
    Ended {
        /// The job.
        #[n(0)]
        job: JobId,
        /// Shares the numbering of events.
        #[n(1)]
        number: u64,
        /// How.
        #[n(2)]
        end: JobEnd,
    },
    /// Answer to [`ToAgent::Check`].
    #[n(4)]
    Checked {
        /// The request's number.
        #[n(0)]
        request: u64,
        /// Empty if the workflow is fine.
        #[n(1)]
        diagnoses: Vec<Diagnosis>,
    },
}

/// From the daemon to agentd.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToAgent {
    /// Run this job. The inputs follow as read-only sealed memory descriptors,
    /// in the order of the specification, attached (`SCM_RIGHTS`) one each to
    /// the single zero byte that follows this frame per input.
    #[n(0)]
    Lease {
        /// Canonical bytes of the `JobSpec`.
        #[n(0)]
        spec: ByteVec,
        /// Canonical bytes of the `Bundle`.
        #[n(1)]
        bundle: ByteVec,
    },
    /// The message of that number is durable.
    #[n(1)]
    Ack {
        /// The job.
        #[n(0)]
        job: JobId,
        /// The number.
        #[n(1)]
        number: u64,
    },
    /// Stop this job at once.
    #[n(2)]
    Cancel {
        /// The job.
        #[n(0)]
        job: JobId,
    },
    /// Check a workflow without running it.
    #[n(3)]
    Check {
        /// Comes back in the answer.
        #[n(0)]
        request: u64,
        /// Canonical bytes of the `Bundle`.
        #[n(1)]
        bundle: ByteVec,
    },
}
