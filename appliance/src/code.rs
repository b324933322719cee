//! The stable error codes of this crate.

use casemate_protocol::Code;

/// Another daemon has the state.
pub const STATE_LOCKED: Code = Code {
    id: "state.locked",
    what: "Another daemon has this state directory open.",
    next: "Stop the other daemon first; if none runs, a process that it started still holds the lock.",
};
/// The disk has no room.
pub const STATE_FULL: Code = Code {
    id: "state.full",
    what: "The state's disk has no room, so nothing can be recorded and nothing was done.",
    next: "Make room on the state volume; the daemon goes on by itself.",
};
/// The state belongs to another key.
pub const STATE_OTHER_KEY: Code = Code {
    id: "state.other-key",
    what: "The state was made under another key: another TPM, another appliance, or a provisioning since.",
    next: "Move the disk back to its machine, or restore the appliance with its recovery key.",
};
/// The disk fails.
pub const STATE_IO: Code = Code {
    id: "state.io",
    what: "The state's disk or file system failed.",
    next: "Look at the message and at the kernel's log; check the disk before the next start.",
};
/// The journal is damaged.
pub const JOURNAL_DAMAGED: Code = Code {
    id: "journal.damaged",
    what: "A record that was acknowledged is missing or changed; the message names it.",
    next: "Keep the state directory as it is for an investigation and restore a backup; nothing was cut or repaired.",
};
/// The journal is gone.
pub const JOURNAL_MISSING: Code = Code {
    id: "journal.missing",
    what: "The state directory has keys or a head but no journal.",
    next: "Restore the journal from a backup; a new state is only begun in an empty directory.",
};
/// An old copy of the state.
pub const JOURNAL_ROLLED_BACK: Code = Code {
    id: "journal.rolled-back",
    what: "The journal is older than the TPM's counter: an old copy of the state was put in place.",
    next: "Put the newest state back; if there is none, the entries since are lost and the appliance must be enrolled again.",
};
/// The journal cannot go on.
pub const JOURNAL_FAILED: Code = Code {
    id: "journal.failed",
    what: "The disk failed while a record was being made durable, so no further record is taken.",
    next: "Check the disk and restart the daemon; it reads back what is durable.",
};
/// Another TPM.
pub const TPM_OTHER: Code = Code {
    id: "tpm.other",
    what: "The state was made with another TPM, or this TPM was cleared since.",
    next: "Move the disk back to its machine, or restore the appliance with its recovery key.",
};
/// An entry is too long.
pub const ENTRY_TOO_LARGE: Code = Code {
    id: "entry.too-large",
    what: "A record is longer than an audit leaf may be.",
    next: "Store large content as a file of the job; this is a fault of the program that made the record.",
};
/// An entry cannot be read.
pub const ENTRY_UNREADABLE: Code = Code {
    id: "entry.unreadable",
    what: "A record opens but does not hold an entry that this version knows.",
    next: "Start the version that wrote it, or a later one.",
};
/// There is no such entry.
pub const ENTRY_UNKNOWN: Code = Code {
    id: "entry.unknown",
    what: "There is no record of that number.",
    next: "Ask for a number below the log's size.",
};
/// The index cannot be used.
pub const INDEX_FAILED: Code = Code {
    id: "index.failed",
    what: "The index could not be read or written.",
    next: "It is rebuilt at the next commit or start; look for a full or failing disk.",
};
/// The kernel has no random bytes.
pub const KEYS_RANDOM: Code = Code {
    id: "keys.random",
    what: "The kernel gave no random bytes.",
    next: "This does not happen on a supported kernel; report it.",
};
/// A key file is damaged.
pub const KEYS_DAMAGED: Code = Code {
    id: "keys.damaged",
    what: "A key file is missing or changed.",
    next: "Restore the file from a backup; what was sealed under this key cannot be read without it.",
};
/// A key was erased.
pub const KEYS_ERASED: Code = Code {
    id: "keys.erased",
    what: "The subject's key was erased; its records and files cannot be read any more.",
    next: "Nothing; the audit log shows who erased it and its proofs still hold.",
};
/// The own key cannot be erased.
pub const KEYS_SYSTEM: Code = Code {
    id: "keys.system",
    what: "The appliance's own key cannot be erased.",
    next: "Name a job or an upload.",
};
/// An artifact is damaged.
pub const ARTIFACT_DAMAGED: Code = Code {
    id: "artifact.damaged",
    what: "A stored file is missing a chunk or a chunk was changed; the message names both.",
    next: "Restore the named chunk from a backup; other files are not concerned.",
};
/// The TPM did not answer.
pub const WITNESS_FAILED: Code = Code {
    id: "witness.failed",
    what: "The TPM did not vouch for the log.",
    next: "Look at the message; the log goes on and the next checkpoint tries again.",
};

/// A request cannot be read.
pub const REQUEST_MALFORMED: Code = Code {
    id: "request.malformed",
    what: "A request is not what the API expects.",
    next: "Use the casemate command of the same version, or read docs/formats/api.md.",
};
/// A body is too long.
pub const REQUEST_TOO_LARGE: Code = Code {
    id: "request.too-large",
    what: "The body of a request is longer than this request may be.",
    next: "Send less; a document may have at most 256 MiB.",
};
/// A client stalls.
pub const REQUEST_STALLED: Code = Code {
    id: "request.stalled",
    what: "A client stopped sending in the middle of a request and was cut off.",
    next: "Send the request again; if it happens again, look at what the client waits for.",
};
/// There is no such call.
pub const REQUEST_UNKNOWN: Code = Code {
    id: "request.unknown",
    what: "The API has no such path or method.",
    next: "Use the casemate command of the same version as the daemon.",
};
/// A peer is not admitted.
pub const ACCESS_REFUSED: Code = Code {
    id: "access.refused",
    what: "The kernel says that you are a user whom this appliance does not admit.",
    next: "Run the command as root or as a member of the daemon's group.",
};
/// There is no such workflow.
pub const WORKFLOW_UNKNOWN: Code = Code {
    id: "workflow.unknown",
    what: "There is no workflow of that name.",
    next: "See `casemate workflow list`; add it with `casemate workflow add`.",
};
/// There is no such job.
pub const JOB_UNKNOWN: Code = Code {
    id: "job.unknown",
    what: "There is no job of that id.",
    next: "See `casemate job list`.",
};
/// The job has ended.
pub const JOB_ENDED: Code = Code {
    id: "job.ended",
    what: "The job has already ended.",
    next: "Nothing; see `casemate job show`.",
};
/// An input cannot be used.
pub const JOB_INPUT: Code = Code {
    id: "job.input",
    what: "An input's name or artifact cannot be used.",
    next: "Give plain file names of at most 128 bytes, and upload each input first.",
};
/// A parameter cannot be used.
pub const JOB_PARAMETER: Code = Code {
    id: "job.parameter",
    what: "A parameter is not one that the workflow declares, or its value is too long.",
    next: "See `casemate workflow show` for the parameters.",
};
/// An application is missing.
pub const JOB_APPLICATION: Code = Code {
    id: "job.application",
    what: "The workflow needs an application that the mounted desktop pack does not offer.",
    next: "See `casemate status` for what the pack offers; mount a pack that has the application.",
};
/// A run was cut off.
pub const JOB_INTERRUPTED: Code = Code {
    id: "job.interrupted",
    what: "The job's run was cut off through no doing of its own.",
    next: "See the job's events; a workflow that may start again says so with on_interrupt.",
};
/// The queue is full.
pub const QUEUE_FULL: Code = Code {
    id: "queue.full",
    what: "The queue holds as many jobs as it may.",
    next: "Wait for jobs to end, or cancel some.",
};
/// Jobs are halted.
pub const HALTED: Code = Code {
    id: "halt.in-force",
    what: "All jobs are halted; no job is accepted or started.",
    next: "Lift the halt with `casemate halt --lift` once its reason is gone.",
};
/// There is no such artifact.
pub const ARTIFACT_UNKNOWN: Code = Code {
    id: "artifact.unknown",
    what: "There is no artifact of that id.",
    next: "See `casemate artifact list --job ID`.",
};
/// agentd is not there.
pub const AGENT_ABSENT: Code = Code {
    id: "agent.absent",
    what: "The agent runtime is not connected, so nothing can be checked or started.",
    next: "Look whether agentd runs and what it says; `casemate status` shows when it is there.",
};
/// agentd broke the protocol.
pub const AGENT_MALFORMED: Code = Code {
    id: "agent.malformed",
    what: "The agent runtime sent something that the protocol does not allow; it was cut off.",
    next: "Its jobs are handled as interrupted; restart agentd, and report it if agentd is a shipped one.",
};
/// agentd went away.
pub const AGENT_LOST: Code = Code {
    id: "agent.lost",
    what: "The agent runtime went away.",
    next: "Its jobs are handled as interrupted; restart agentd if it does not come back.",
};
/// agentd holds a job too long.
pub const AGENT_OVERDUE: Code = Code {
    id: "agent.overdue",
    what: "The agent runtime held a job for longer than the job may run, and was cut off.",
    next: "Its jobs are handled as interrupted; look at what agentd does.",
};
/// A stranger on the agent's socket.
pub const AGENT_REFUSED: Code = Code {
    id: "agent.refused",
    what: "A process that may not be the agent runtime connected to its socket.",
    next: "Start agentd as the user that --agent-uid names; only one may be connected.",
};
/// A challenge cannot be answered.
pub const EVIDENCE_CHALLENGE: Code = Code {
    id: "evidence.challenge",
    what: "The challenge is not one of this version, or its credential is for another appliance.",
    next: "Make a challenge with `attest challenge` for this appliance's enrolment.",
};
/// Evidence cannot be made.
pub const EVIDENCE_UNAVAILABLE: Code = Code {
    id: "evidence.unavailable",
    what: "Evidence could not be made.",
    next: "Look at the message; check that the TPM answers with `casemate status`.",
};
/// The TPM does not answer.
pub const TPM_UNAVAILABLE: Code = Code {
    id: "tpm.unavailable",
    what: "The TPM did not answer.",
    next: "Check that the TPM is there and that no other program has it; restart the daemon.",
};
/// A flag cannot be used.
pub const START_CONFIG: Code = Code {
    id: "start.config",
    what: "A file or value that the daemon was started with cannot be used.",
    next: "Correct the flag that the message names.",
};
/// A socket cannot be made.
pub const START_SOCKET: Code = Code {
    id: "start.socket",
    what: "A socket could not be made.",
    next: "Look at the message; the run directory must belong to the daemon.",
};
/// The handover cannot be read.
pub const START_HANDOVER: Code = Code {
    id: "start.handover",
    what: "The handover of unseal is not there or not whole.",
    next: "Start the daemon through the unit or the stand, which pass the descriptor that unseal made.",
};
/// The daemon is ending.
pub const STOPPING: Code = Code {
    id: "daemon.stopping",
    what: "The daemon is about to end and takes nothing new.",
    next: "Send the request again when it runs.",
};
/// There is no daemon.
pub const DAEMON_ABSENT: Code = Code {
    id: "daemon.absent",
    what: "No daemon answers at the socket.",
    next: "Start the appliance, or name its socket with --socket.",
};
/// The daemon is silent.
pub const DAEMON_SILENT: Code = Code {
    id: "daemon.silent",
    what: "The daemon did not answer in time.",
    next: "Look at the daemon's log and at the disk.",
};
/// The daemon speaks otherwise.
pub const DAEMON_FOREIGN: Code = Code {
    id: "daemon.foreign",
    what: "The daemon's answer is not one of this version.",
    next: "Use the casemate command of the same version as the daemon.",
};
/// A command line is wrong.
pub const CLI_USAGE: Code = Code {
    id: "cli.usage",
    what: "The command line cannot be carried out as it stands.",
    next: "See --help of the command.",
};
/// A local file fails.
pub const CLI_FILE: Code = Code {
    id: "cli.file",
    what: "A file on this machine could not be read or made.",
    next: "Check the path; a file to make must not exist.",
};
/// Standard output fails.
pub const CLI_OUTPUT: Code = Code {
    id: "cli.output",
    what: "The answer could not be written to standard output.",
    next: "Check where standard output goes.",
};
/// Ctrl-C.
pub const CLI_INTERRUPTED: Code = Code {
    id: "cli.interrupted",
    what: "You interrupted the command; the job, if there is one, goes on.",
    next: "See `casemate job list`; stop the job with `casemate job cancel`.",
};
/// A fault.
pub const INTERNAL: Code = Code {
    id: "internal.fault",
    what: "The program did something that it should never do.",
    next: "Report it with the message.",
};

/// Every code of this crate.
pub const CODES: &[Code] = &[
    STATE_LOCKED,
    STATE_FULL,
    STATE_OTHER_KEY,
    STATE_IO,
    JOURNAL_DAMAGED,
    JOURNAL_MISSING,
    JOURNAL_ROLLED_BACK,
    JOURNAL_FAILED,
    TPM_OTHER,
    ENTRY_TOO_LARGE,
    ENTRY_UNREADABLE,
    ENTRY_UNKNOWN,
    INDEX_FAILED,
    KEYS_RANDOM,
    KEYS_DAMAGED,
    KEYS_ERASED,
    KEYS_SYSTEM,
    ARTIFACT_DAMAGED,
    WITNESS_FAILED,
    REQUEST_MALFORMED,
    REQUEST_TOO_LARGE,
    REQUEST_STALLED,
    REQUEST_UNKNOWN,
    ACCESS_REFUSED,
    WORKFLOW_UNKNOWN,
    JOB_UNKNOWN,
    JOB_ENDED,
    JOB_INPUT,
    JOB_PARAMETER,
    JOB_APPLICATION,
    JOB_INTERRUPTED,
    QUEUE_FULL,
    HALTED,
    ARTIFACT_UNKNOWN,
    AGENT_ABSENT,
    AGENT_MALFORMED,
    AGENT_LOST,
    AGENT_OVERDUE,
    AGENT_REFUSED,
    EVIDENCE_CHALLENGE,
    EVIDENCE_UNAVAILABLE,
    TPM_UNAVAILABLE,
    START_CONFIG,
    START_SOCKET,
    START_HANDOVER,
    STOPPING,
    DAEMON_ABSENT,
    DAEMON_SILENT,
    DAEMON_FOREIGN,
    CLI_USAGE,
    CLI_FILE,
    CLI_OUTPUT,
    CLI_INTERRUPTED,
    INTERNAL,
];

/// The code of a file system error: a full disk has its own.
pub fn of_io(error: &std::io::Error) -> &'static Code {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => &STATE_FULL,
        _ => &STATE_IO,
    }
}
