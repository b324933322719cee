//! What the API says and takes, as JSON; the daemon and the CLI share it.
//!
//! Everything a client sends refuses unknown keys. Everything the daemon sends
//! is a claim of the daemon: an auditor takes evidence, not these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The answer to every request that was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Stable code, explained in docs/errors.md.
    pub code: String,
    /// What was wrong, one sentence.
    pub message: String,
    /// What to do next, one sentence.
    pub next: String,
}

/// `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the appliance.
    pub version: String,
    /// Whether the root of trust is a development one.
    pub development: bool,
    /// Seconds since 1970 when the daemon started.
    pub started: u64,
    /// Who halted all jobs, if they are halted.
    pub halted: Option<String>,
    /// The agent, if it is connected.
    pub agent: Option<AgentView>,
    /// Number of jobs by state.
    pub jobs: BTreeMap<String, u64>,
    /// The audit log's head.
    pub audit: HeadView,
    /// The TPM as last sampled.
    pub tpm: TpmView,
}

/// The connected agentd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentView {
    /// Jobs it can hold.
    pub slots: u32,
    /// Jobs it holds.
    pub busy: u32,
    /// Mounted packs.
    pub packs: Vec<PackView>,
}

/// A mounted pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackView {
    /// Its name.
    pub name: String,
    /// Its verity root, hexadecimal.
    pub root: String,
    /// Applications it offers.
    pub applications: Vec<String>,
}

/// Head of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadView {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree, hexadecimal.
    pub root: String,
    /// Entries covered by the last checkpoint that the TPM cosigned.
    pub cosigned: u64,
}

/// What the TPM thread last saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TpmView {
    /// Milliseconds of the TPM's clock.
    pub clock_ms: u64,
    /// How often the TPM was reset.
    pub resets: u32,
    /// How often it was restarted.
    pub restarts: u32,
    /// The rollback counter.
    pub counter: u64,
}

/// `GET /v1/tpm`: what the TPM says of itself, and what the root is sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TpmReport {
    /// Its manufacturer's letters.
    pub manufacturer: String,
    /// Its vendor's words for it.
    pub model: String,
    /// Version of its firmware.
    pub firmware: String,
    /// Revision of the specification that it follows.
    pub revision: String,
    /// The dictionary-attack state.
    pub lockout: LockoutView,
    /// Its clock.
    pub clock: ClockView,
    /// PCR banks in use.
    pub banks: Vec<String>,
    /// Owner and lockout authorisation are set.
    pub owned: bool,
    /// SHA-256 of the endorsement key's public area, hexadecimal: the enrolment's name.
    pub ek: String,
    /// The TPM holds a certificate of that key.
    pub ek_certificate: bool,
    /// The TPM holds a certificate of an RSA endorsement key, which is not used.
    pub ek_certificate_rsa: bool,
    /// Name of the attestation key, hexadecimal.
    pub ak: String,
    /// The rollback counter in the TPM's NV memory.
    pub counter: u64,
    /// The oldest release, by number, that the root still opens to.
    pub floor: u64,
    /// The release, by number, that opened it.
    pub release: u64,
    /// What it is sealed to; none if the record is not where the daemon looks.
    pub sealed: Option<SealedView>,
}

/// The dictionary-attack state of a TPM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutView {
    /// Protected objects are locked.
    pub locked: bool,
    /// Wrong authorisations counted.
    pub counter: u32,
    /// How many lock.
    pub max: u32,
    /// Seconds until one is forgotten.
    pub interval_s: u32,
    /// Seconds for which a wrong lockout authorisation bars the lockout hierarchy.
    pub recovery_s: u32,
}

/// A TPM's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockView {
    /// Milliseconds it has run in its life.
    pub ms: u64,
    /// Milliseconds since it was powered.
    pub powered_ms: u64,
    /// How often it was reset.
    pub resets: u32,
    /// How often it was restarted.
    pub restarts: u32,
    /// It was not set back and is not ahead of what was saved.
    pub safe: bool,
}

/// What the root is sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedView {
    /// PCR 7, hexadecimal.
    pub pcr7: String,
    /// PCR 11 of the release at provisioning, hexadecimal.
    pub pcr11: String,
    /// Generation of the derived keys.
    pub epoch: u64,
    /// A change that the site approved.
    pub approval: Option<ApprovalView>,
}

/// A change that the site approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalView {
    /// PCR 7 after it, hexadecimal.
    pub pcr7: String,
    /// PCR 11 after it, hexadecimal.
    pub pcr11: String,
    /// Number of the release after it.
    pub number: u64,
}

/// A stored workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowView {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// SHA-256 of the bundle, hexadecimal.
    pub digest: String,
    /// Seconds since 1970 when it was added.
    pub added: u64,
    /// Who added it.
    pub by: String,
    /// Files with their length.
    pub files: BTreeMap<String, u64>,
    /// Kinds of action it may perform.
    pub verbs: Vec<String>,
    /// Applications it may open.
    pub applications: Vec<String>,
    /// Files it may make.
    pub outputs: Vec<String>,
    /// Parameters with their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Longest run, in seconds.
    pub seconds: u32,
    /// Most actions.
    pub steps: u32,
    /// `requeue` or `fail`.
    pub on_interrupt: String,
}

/// A fault in a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosisView {
    /// File in the bundle.
    pub file: String,
    /// Line from 1, 0 if unknown.
    pub line: u32,
    /// Column from 1, 0 if unknown.
    pub column: u32,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// `POST /v1/workflows/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// Name of the workflow.
    pub name: String,
    /// Empty if it is fine.
    pub diagnoses: Vec<DiagnosisView>,
}

/// `POST /v1/inputs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputView {
    /// Where it is stored.
    pub artifact: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
}

/// Body of `POST /v1/jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// Name of a stored workflow.
    pub workflow: String,
    /// Input names with the artifacts that hold them.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Parameters that differ from the workflow's defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id, hexadecimal.
    pub job: String,
    /// Name of its workflow.
    pub workflow: String,
    /// Where it stands.
    pub state: String,
    /// Which start of it this is, from 1.
    pub attempt: u32,
    /// Who asked for it.
    pub requester: String,
    /// Seconds since 1970 when it was accepted.
    pub accepted: u64,
    /// Seconds since 1970 when it ended.
    pub ended: Option<u64>,
    /// Stable code of its failure.
    pub code: Option<String>,
    /// One sentence on how it ended or what it waits for.
    pub message: Option<String>,
    /// Digest of its specification, hexadecimal.
    pub spec: String,
    /// Digest of the workflow bundle, hexadecimal.
    pub bundle: String,
    /// Verity root of its desktop pack, hexadecimal.
    pub pack: String,
    /// Inputs by name with their digest.
    pub inputs: BTreeMap<String, String>,
    /// Parameters.
    pub parameters: BTreeMap<String, String>,
    /// Sequence number of its last event.
    pub events: u64,
    /// Acting steps ended so far in this attempt.
    pub steps: u64,
    /// Findings so far in this attempt.
    pub findings: u64,
    /// Rows so far in this attempt.
    pub rows: u64,
    /// Files stored so far in this attempt.
    pub artifacts: u64,
}

/// One event of a job. Which fields are there depends on `kind`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Place in the job's sequence, from 1, over all attempts.
    pub seq: u64,
    /// The attempt it belongs to.
    pub attempt: u32,
    /// Seconds since 1970 when it was recorded.
    pub time: u64,
    /// `accepted`, `leased`, `phase`, `step-started`, `step`, `log`, `finding`,
    /// `row`, `verified`, `artifact`, `cancel-asked`, `requeued`, `succeeded`,
    /// `failed`, `cancelled`, `denied`, `denials-missing`.
    pub kind: String,
    /// Number of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The verb's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    /// What a step was about, which item, path or file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `ok`, `failed` or `refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Stable code of a failure or refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One sentence, or a log line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Milliseconds since the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// How long the step took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Name of the screenshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screenshot: Option<String>,
    /// Id of a stored artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Digest of a file, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// A row's columns and values, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<(String, String)>,
    /// What a layer held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<DenialView>,
}

/// What a layer held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenialView {
    /// The compartment.
    pub compartment: String,
    /// The program's name, its own choice; may be empty.
    pub program: String,
    /// The layer.
    pub layer: String,
    /// What was denied, after "wanted to".
    pub what: String,
    /// What the layer goes by.
    pub why: String,
    /// What would allow it, if anything may.
    pub rule: Option<String>,
    /// How often.
    pub count: u64,
}

/// `GET /v1/jobs/{id}/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsView {
    /// The job's state after these events.
    pub state: String,
    /// Whether there will never be more than `last` events.
    pub ended: bool,
    /// Sequence number of the last event of the job.
    pub last: u64,
    /// The events after the one that was asked for, at most a page.
    pub events: Vec<EventView>,
}

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactView {
    /// Its id, hexadecimal.
    pub artifact: String,
    /// The job it belongs to, hexadecimal.
    pub job: Option<String>,
    /// The attempt it belongs to.
    pub attempt: Option<u32>,
    /// Its name.
    pub name: String,
    /// `input`, `output`, `screenshot` or `log`.
    pub kind: String,
    /// Media type.
    pub media: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
}

/// One audit entry, as far as it can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    /// Its number in the log, from 0.
    pub number: u64,
    /// Seconds since 1970 by the appliance's wall clock.
    pub time: u64,
    /// What kind of entry it is.
    pub kind: String,
    /// What it is about.
    pub text: String,
}

/// `GET /v1/audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// The log's head.
    pub head: HeadView,
    /// The entries after the one that was asked for, at most a page.
    pub entries: Vec<AuditView>,
}

/// `GET /v1/audit/verify`: the daemon's own check, which proves nothing to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCheck {
    /// The log's head.
    pub head: HeadView,
    /// Entries read and hashed.
    pub checked: u64,
}

/// Body of `POST /v1/halt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltRequest {
    /// Whether jobs are to be halted.
    pub halted: bool,
}

/// Answer to `POST /v1/halt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaltView {
    /// Whether jobs are halted now.
    pub halted: bool,
    /// How many jobs were told to stop.
    pub stopped: u64,
}
