//! What a running job reports, step by step.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::action::Area;
use crate::denial::Denial;
use crate::id::Digest;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum StepResult {
    /// It did what was asked.
    #[n(0)]
    Ok,
    /// It did not; nothing was guessed.
    #[n(1)]
    Failed {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
    /// It was outside the grants and was not tried.
    #[n(2)]
    Refused {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence naming the missing grant.
        #[n(1)]
        message: String,
    },
}

/// One event of a job, in the order they happened.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// A phase was reached: `leased`, `desktop`, `script`, `collect`.
    #[n(0)]
    Phase {
        /// The phase.
        #[n(0)]
        name: String,
        /// Milliseconds since the lease.
        #[n(1)]
        at_ms: u64,
    },
    /// An acting step is about to be performed; acknowledged before it is.
    #[n(1)]
    StepStarted {
        /// Number of the step, from 1.
        #[n(0)]
        step: u32,
        /// The verb's word.
        #[n(1)]
        verb: String,
        /// What it is about, for people; typed text is included, secrets never.
        #[n(2)]
        target: String,
        /// Milliseconds since the lease.
        #[n(3)]
        at_ms: u64,
    },
    /// A step ended.
    #[n(2)]
    StepDone {
        /// Number of the step.
        #[n(0)]
        step: u32,
        /// The verb's word.
        #[n(1)]
        verb: String,
        /// What it was about.
        #[n(2)]
        target: String,
        /// How it ended.
        #[n(3)]
        result: StepResult,
        /// Milliseconds since the lease.
        #[n(4)]
        at_ms: u64,
        /// How long it took, in milliseconds.
        #[n(5)]
        took_ms: u64,
        /// Where on the screen, if somewhere.
        #[n(6)]
        area: Option<Area>,
        /// Name of the screenshot artifact, sent before this event.
        #[n(7)]
        screenshot: Option<String>,
    },
    /// A log line of the workflow.
    #[n(3)]
    Log {
        /// The line.
        #[n(0)]
        text: String,
    },
    /// Something that a person must look at.
    #[n(4)]
    Finding {
        /// Which item.
        #[n(0)]
        item: String,
        /// What was found.
        #[n(1)]
        text: String,
    },
    /// A row of the job's result.
    #[n(5)]
    Row {
        /// Column names and values.
        #[n(0)]
        cells: Vec<(String, String)>,
    },
    /// A saved file was checked outside the GUI in a fresh strict sandbox.
    #[n(6)]
    Verified {
        /// Workspace-relative path.
        #[n(0)]
        path: String,
        /// SHA-256 of the file that was checked.
        #[n(1)]
        digest: Digest,
        /// Rows compared.
        #[n(2)]
        rows: u32,
    },
    /// Something of a connection to the outside, through the job's proxy.
    #[n(7)]
    Connection {
        /// Number of the connection, from 1.
        #[n(0)]
        number: u32,
        /// The host and port, as the program asked; empty if it did not get that far.
        #[n(1)]
        host: String,
        /// See `host`; 0 if there is none.
        #[n(2)]
        port: u16,
        /// What.
        #[n(3)]
        what: ConnectionEvent,
    },
    /// More connections were refused than are named.
    #[n(8)]
    MoreRefused {
        /// How many are not named.
        #[n(0)]
        count: u64,
    },
    /// A layer held something; reported when the job has ended.
    #[n(9)]
    Denied {
        /// What, by which layer, and what would allow it.
        #[n(0)]
        denial: Denial,
        /// Milliseconds from the lease to the first time.
        #[n(1)]
        at_ms: u64,
    },
    /// Not everything that was denied was reported.
    #[n(10)]
    DenialsMissing {
        /// One sentence.
        #[n(0)]
        text: String,
    },
}

/// What happened to a connection.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ConnectionEvent {
    /// It stands and will be used once this is durable.
    #[n(0)]
    Opened {
        /// The address that the name had, which was checked.
        #[n(0)]
        address: String,
    },
    /// It ended.
    #[n(1)]
    Closed {
        /// Bytes that left, as the job's proxy counted them.
        #[n(0)]
        sent: u64,
        /// Bytes that came in, likewise.
        #[n(1)]
        received: u64,
        /// Stable code of the bound that ended it, if one did.
        #[n(2)]
        code: Option<String>,
    },
    /// It was not made.
    #[n(2)]
    Refused {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
}

/// What kind of file an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ArtifactKind {
    /// A document that the job was given.
    #[n(0)]
    Input,
    /// A document that the job made.
    #[n(1)]
    Output,
    /// A picture of the desktop.
    #[n(2)]
    Screenshot,
    /// Standard error of a compartment.
    #[n(3)]
    Log,
}

/// A piece of an artifact; the pieces of one come in order and unmixed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ArtifactPart {
    /// Name, unique within the job.
    #[n(0)]
    pub name: String,
    /// Its kind.
    #[n(1)]
    pub kind: ArtifactKind,
    /// Media type.
    #[n(2)]
    pub media: String,
    /// The bytes of this piece, at most 1 MiB.
    #[n(3)]
    pub bytes: ByteVec,
    /// Whether it is the last piece.
    #[n(4)]
    pub last: bool,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum JobEnd {
    /// The workflow came to its end.
    #[n(0)]
    Succeeded,
    /// The workflow, a limit or a check ended it.
    #[n(1)]
    Failed {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
    /// It was told to stop.
    #[n(2)]
    Cancelled,
    /// It was cut off through no doing of its own; `on_interrupt` decides.
    #[n(3)]
    Interrupted {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
}
