//! The rows of the index: what the journal says, in the shape in which it is asked for.

use casemate_protocol::event::ArtifactKind;
use casemate_protocol::id::{Digest, JobId, TenantId};
use casemate_protocol::job::JobSpec;
use minicbor::{Decode, Encode};

use crate::artifact::Artifact;
use crate::job::state::{Change, Ending, State};

/// Where and when an entry was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Stamp {
    /// The entry's number in journal and audit log.
    #[n(0)]
    pub entry: u64,
    /// Wall clock, milliseconds since 1970.
    #[n(1)]
    pub wall_ms: u64,
}

/// A stored workflow.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WorkflowRow {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// Canonical bytes of its bundle; `bundle.digest` is the bundle's digest.
    #[n(1)]
    pub bundle: Artifact,
    /// Who added it.
    #[n(2)]
    pub by: String,
    /// When.
    #[n(3)]
    pub added: Stamp,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct JobRow {
    /// What it is.
    #[n(0)]
    pub spec: JobSpec,
    /// Where its inputs are stored, in the order of the specification.
    #[n(1)]
    pub inputs: Vec<Artifact>,
    /// When it was accepted.
    #[n(2)]
    pub accepted: Stamp,
    /// Where it stands.
    #[n(3)]
    pub state: State,
    /// Which start of it this is, from 1.
    #[n(4)]
    pub attempt: u32,
    /// Who asked for its end.
    #[n(5)]
    pub cancel: Option<String>,
    /// How it ended.
    #[n(6)]
    pub ending: Option<Ending>,
    /// When.
    #[n(7)]
    pub ended: Option<Stamp>,
    /// agentd's last number in this attempt.
    #[n(8)]
    pub last_number: u64,
    /// Events so far, over all attempts; the accepting is the first.
    #[n(9)]
    pub events: u64,
    /// Acting steps ended in this attempt.
    #[n(10)]
    pub steps: u64,
    /// Findings in this attempt.
    #[n(11)]
    pub findings: u64,
    /// Rows in this attempt.
    #[n(12)]
    pub rows: u64,
    /// Files stored in this attempt.
    #[n(13)]
    pub files: u64,
    /// The signed list of its files, with the digest that evidence binds.
    #[n(14)]
    pub manifest: Option<(Artifact, Digest)>,
    /// Where the bundle of its workflow is stored.
    #[n(15)]
    pub bundle: Artifact,
}

/// One event of a job.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct EventRow {
    /// Place in the job's sequence, from 1, over all attempts.
    #[n(0)]
    pub number: u64,
    /// The attempt it belongs to.
    #[n(1)]
    pub attempt: u32,
    /// When.
    #[n(2)]
    pub stamp: Stamp,
    /// The change; `None` for the accepting.
    #[n(3)]
    pub change: Option<Change>,
}

/// A stored file and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ArtifactRow {
    /// Where and what.
    #[n(0)]
    pub artifact: Artifact,
    /// Whose.
    #[n(1)]
    pub tenant: TenantId,
    /// The job that made it; `None` for an upload, a bundle or a manifest.
    #[n(2)]
    pub job: Option<JobId>,
    /// The attempt that made it.
    #[n(3)]
    pub attempt: u32,
    /// Its name; empty for what has none.
    #[n(4)]
    pub name: String,
    /// Its kind; `None` for a bundle or a manifest.
    #[n(5)]
    pub kind: Option<ArtifactKind>,
    /// Media type.
    #[n(6)]
    pub media: String,
    /// When it was stored.
    #[n(7)]
    pub stored: Stamp,
}

/// Something that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct FindingRow {
    /// The job.
    #[n(0)]
    pub job: JobId,
    /// The attempt.
    #[n(1)]
    pub attempt: u32,
    /// Which item.
    #[n(2)]
    pub item: String,
    /// What was found.
    #[n(3)]
    pub text: String,
    /// When.
    #[n(4)]
    pub stamp: Stamp,
}

/// Whether jobs are halted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HaltRow {
    /// Whether they are.
    #[n(0)]
    pub halted: bool,
    /// Who said so last.
    #[n(1)]
    pub by: String,
    /// When.
    #[n(2)]
    pub stamp: Stamp,
}
