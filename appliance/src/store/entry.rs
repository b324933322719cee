//! What the journal records: one [`Entry`] for each thing that was done.
//!
//! An entry is durable before the thing it records has effect. Its details are
//! sealed under the key of its subject, so that they can be erased; only
//! [`Entry::kind`] is readable in the audit log. Format: docs/formats/journal.md.

use casemate_attest::leaf::TpmClock;
use casemate_protocol::id::{Digest, JobId, TenantId};
use casemate_protocol::job::JobSpec;
use minicbor::{Decode, Encode};

use crate::artifact::Artifact;
use crate::job::state::Change;
use crate::keys::SubjectId;

/// One thing that was done, or is about to be.
#[expect(
    clippy::large_enum_variant,
    reason = "an entry lives for one commit; a box would only hide the specification"
)]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Entry {
    /// The journal begins.
    #[n(0)]
    StateCreated {
        /// The appliance, 128 random bits.
        #[cbor(n(0), with = "minicbor::bytes")]
        appliance: [u8; 16],
        /// The log's Ed25519 public key.
        #[cbor(n(1), with = "minicbor::bytes")]
        audit_key: [u8; 32],
        /// The TPM counter at that time.
        #[n(2)]
        counter: u64,
    },
    /// A daemon opened the state.
    #[n(1)]
    Opened {
        /// Whether the daemon before had closed it.
        #[n(0)]
        clean: bool,
        /// Bytes of unacknowledged records that were cut away.
        #[n(1)]
        cut: u64,
    },
    /// The daemon closed the state.
    #[n(2)]
    Closed,
    /// A subject has a key now.
    #[n(3)]
    KeyCreated {
        /// Whose.
        #[n(0)]
        tenant: TenantId,
        /// The subject.
        #[n(1)]
        subject: SubjectId,
    },
    /// A subject's key is to be destroyed; its entries and files cannot be read any more.
    #[n(4)]
    KeyErased {
        /// The subject.
        #[n(0)]
        subject: SubjectId,
        /// Who asked for it.
        #[n(1)]
        by: String,
    },
    /// The TPM vouched for the log up to here.
    #[n(5)]
    Checkpoint {
        /// Number of entries covered; this one is not.
        #[n(0)]
        size: u64,
        /// Root over them.
        #[n(1)]
        root: Digest,
        /// The TPM counter's value once this is durable and the counter advanced.
        #[n(2)]
        counter: u64,
        /// Wall clock in the cosignature, milliseconds since 1970.
        #[n(3)]
        wall_ms: u64,
        /// The TPM's clock at that time.
        #[n(4)]
        clock: TpmClock,
        /// The TPM log key's signature, as the TPM gave it.
        #[cbor(n(5), with = "minicbor::bytes")]
        cosignature: Vec<u8>,
    },
    /// A workflow was added or replaced.
    #[n(6)]
    WorkflowAdded {
        /// Its name.
        #[n(0)]
        name: String,
        /// The canonical bytes of its bundle, stored under [`SubjectId::SYSTEM`].
        #[n(1)]
        bundle: Artifact,
        /// Who added it.
        #[n(2)]
        by: String,
    },
    /// A document was uploaded for jobs to come.
    #[n(7)]
    InputStored {
        /// The document.
        #[n(0)]
        artifact: Artifact,
        /// Its name, as a job's input would carry it.
        #[n(1)]
        name: String,
        /// Media type.
        #[n(2)]
        media: String,
        /// Who uploaded it.
        #[n(3)]
        by: String,
    },
    /// A job was accepted. Its subject is [`SubjectId::of_job`]; committing this makes its key.
    #[n(8)]
    JobAccepted {
        /// What it is.
        #[n(0)]
        spec: JobSpec,
        /// Where its inputs are stored, in the order of the specification.
        #[n(1)]
        inputs: Vec<Artifact>,
        /// Where the bundle of its workflow is stored: the workflow may be replaced later.
        #[n(2)]
        bundle: Artifact,
    },
    /// A job changed.
    #[n(9)]
    JobChanged {
        /// The job.
        #[n(0)]
        job: JobId,
        /// The change.
        #[n(1)]
        change: Change,
    },
    /// The list of a job's files was signed.
    #[n(10)]
    ManifestIssued {
        /// The job.
        #[n(0)]
        job: JobId,
        /// The signed manifest's bytes, stored under the job.
        #[n(1)]
        manifest: Artifact,
        /// The digest that the manifest binds; goes into evidence.
        #[n(2)]
        root: Digest,
    },
    /// All jobs were halted or let go again.
    #[n(11)]
    HaltSet {
        /// Whether jobs are halted from now on.
        #[n(0)]
        halted: bool,
        /// Who asked for it.
        #[n(1)]
        by: String,
    },
    /// Evidence was issued.
    #[n(12)]
    EvidenceIssued {
        /// Digest of the challenge.
        #[n(0)]
        challenge: Digest,
        /// The job it is about, if one.
        #[n(1)]
        job: Option<JobId>,
        /// Who asked for it.
        #[n(2)]
        by: String,
    },
    /// agentd connected.
    #[n(13)]
    AgentConnected {
        /// Its user id, from the socket.
        #[n(0)]
        uid: u32,
        /// Its process id, from the socket.
        #[n(1)]
        pid: u32,
        /// Verity roots of its packs with their names.
        #[n(2)]
        packs: Vec<(String, Digest)>,
    },
    /// agentd went away.
    #[n(14)]
    AgentLost {
        /// Stable code.
        #[n(0)]
        code: String,
        /// One sentence.
        #[n(1)]
        message: String,
    },
    /// A request was refused.
    #[n(15)]
    Denied {
        /// Who asked.
        #[n(0)]
        by: String,
        /// For what.
        #[n(1)]
        what: String,
        /// Stable code.
        #[n(2)]
        code: String,
    },
    /// A recovery key brought the state to another TPM: its counter is the one from here on.
    #[n(18)]
    TpmMoved {
        /// The last value that the journal had of the TPM before.
        #[n(0)]
        journal: u64,
        /// This TPM's.
        #[n(1)]
        counter: u64,
    },
}

impl Entry {
    /// The coarse word that the audit log shows to everyone.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::StateCreated { .. } => "state.created",
            Self::Opened { .. } => "state.opened",
            Self::Closed => "state.closed",
            Self::KeyCreated { .. } => "key.created",
            Self::KeyErased { .. } => "key.erased",
            Self::Checkpoint { .. } => "checkpoint",
            Self::WorkflowAdded { .. } => "workflow.added",
            Self::InputStored { .. } => "input.stored",
            Self::JobAccepted { .. } => "job.accepted",
            Self::JobChanged { .. } => "job.changed",
            Self::ManifestIssued { .. } => "job.manifest",
            Self::HaltSet { .. } => "halt",
            Self::EvidenceIssued { .. } => "evidence",
            Self::AgentConnected { .. } => "agent.connected",
            Self::AgentLost { .. } => "agent.lost",
            Self::Denied { .. } => "denied",
            Self::TpmMoved { .. } => "tpm.moved",
        }
    }

    /// Whose key seals the details.
    pub fn subject(&self) -> SubjectId {
        match self {
            Self::InputStored { artifact, .. } => artifact.subject,
            Self::JobAccepted { spec, .. } => SubjectId::of_job(spec.job),
            Self::JobChanged { job, .. } | Self::ManifestIssued { job, .. } => {
                SubjectId::of_job(*job)
            }
            _ => SubjectId::SYSTEM,
        }
    }
}
