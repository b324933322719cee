//! The stable codes of the supervisor.

use casemate_protocol::Code;

/// An action outside the job's grants.
pub const JOB_NOT_GRANTED: Code = Code {
    id: "job.not-granted",
    what: "The workflow asked for an action that the job's grants do not cover; it was not tried.",
    next: "If the workflow needs it, add the grant to its workflow.toml, have it reviewed and add it again; if not, find out who changed the script.",
};
/// The lease does not hang together.
pub const JOB_REFUSED: Code = Code {
    id: "job.refused",
    what: "agentd refused a job whose parts do not fit its specification or this machine's packs.",
    next: "Run the job again; if it happens again, compare the desktop pack that is mounted (`casemate status`) with the one the job was made for.",
};
/// No sandbox.
pub const JOB_NO_SANDBOX: Code = Code {
    id: "job.no-sandbox",
    what: "A compartment of the job could not be confined, so the job did not start.",
    next: "The sentence names the layer; the kernel must offer it. The job follows its on_interrupt policy.",
};
/// No workspace.
pub const JOB_NO_WORKSPACE: Code = Code {
    id: "job.no-workspace",
    what: "The job's folders could not be made or its inputs did not fit.",
    next: "Raise workspace_mib in the workflow's limits, or give smaller inputs.",
};
/// The time limit.
pub const JOB_TIMEOUT: Code = Code {
    id: "job.timeout",
    what: "The job reached its time limit and was ended.",
    next: "Look at its last steps (`casemate job events ID`); raise limits.seconds if the work really takes longer.",
};
/// The limit of steps.
pub const JOB_STEPS: Code = Code {
    id: "job.steps",
    what: "The job reached its limit of steps and was ended.",
    next: "Look for a loop in the workflow; raise limits.steps if the work really needs more.",
};
/// The memory limit.
pub const JOB_MEMORY: Code = Code {
    id: "job.memory",
    what: "A compartment of the job used up its memory limit and was ended by the kernel.",
    next: "Look for a loop that collects data; raise the compartment's limit in workflow.toml if the work needs it.",
};
/// The interpreter crashed.
pub const JOB_CRASHED: Code = Code {
    id: "job.crashed",
    what: "The workflow made the interpreter crash; the job was ended.",
    next: "Look at the job's script.log; if the script is not meant to attack the interpreter, report it.",
};
/// A compartment broke the protocol.
pub const JOB_HOSTILE: Code = Code {
    id: "job.hostile",
    what: "A compartment sent something that a shipped program never sends; the job was ended.",
    next: "Treat the job's inputs and script as hostile: keep the evidence, do not run them again unchanged.",
};
/// A compartment died.
pub const JOB_COMPARTMENT_LOST: Code = Code {
    id: "job.compartment-lost",
    what: "A compartment ended or stopped answering, through no doing of the workflow.",
    next: "The job follows its on_interrupt policy; its log artifacts hold the compartment's last words.",
};
/// No such application.
pub const JOB_NO_APPLICATION: Code = Code {
    id: "job.no-application",
    what: "The desktop pack has no such application, or it cannot be opened with these files.",
    next: "Use a name from `casemate status`; give at most one file.",
};
/// A workspace file is missing.
pub const FILE_MISSING: Code = Code {
    id: "file.missing",
    what: "A file that the workflow named is not in its workspace.",
    next: "Check the name; inputs are under in/, results under out/.",
};
/// A workspace file was refused.
pub const FILE_REFUSED: Code = Code {
    id: "file.refused",
    what: "A name is not a plain file of the workspace, or the file is a link, too large, or not text.",
    next: "Use in/NAME or out/NAME; look at the step's message for the bound.",
};
/// A sheet differs.
pub const VERIFY_DIFFERENT: Code = Code {
    id: "verify.different",
    what: "A saved spreadsheet does not hold what the workflow says it typed.",
    next: "Nothing was reported as done; look at the step's screenshot and the first difference.",
};
/// A sheet was not checked.
pub const VERIFY_FAILED: Code = Code {
    id: "verify.failed",
    what: "A saved spreadsheet could not be read by the strict checker.",
    next: "Check that it was saved as .xlsx; treat it as hostile if the checker was ended.",
};

/// The mounted packs do not do.
pub const AGENTD_GROUND: Code = Code {
    id: "agentd.packs",
    what: "agentd was started without the packs that every job needs.",
    next: "Start it with the desktop pack and the ocr pack of one release.",
};
/// The daemon ended the connection.
pub const AGENTD_DAEMON_GONE: Code = Code {
    id: "agentd.daemon-gone",
    what: "The control daemon ended the connection; without a journal nothing may act, so every job was ended.",
    next: "Look why casemated stopped; it requeues or fails each job by its policy when agentd is back.",
};
/// The daemon broke the protocol.
pub const AGENTD_DAEMON_STRANGE: Code = Code {
    id: "agentd.daemon-strange",
    what: "The control daemon sent something that agentd does not understand; every job was ended.",
    next: "Check that casemated and agentd are of one release.",
};
/// No thread.
pub const AGENTD_NO_THREAD: Code = Code {
    id: "agentd.no-thread",
    what: "agentd could not start a thread for a job.",
    next: "Look at the machine's memory and process limits.",
};

/// Every code of the supervisor.
pub const CODES: &[Code] = &[
    JOB_NOT_GRANTED,
    JOB_REFUSED,
    JOB_NO_SANDBOX,
    JOB_NO_WORKSPACE,
    JOB_TIMEOUT,
    JOB_STEPS,
    JOB_MEMORY,
    JOB_CRASHED,
    JOB_HOSTILE,
    JOB_COMPARTMENT_LOST,
    JOB_NO_APPLICATION,
    FILE_MISSING,
    FILE_REFUSED,
    VERIFY_DIFFERENT,
    VERIFY_FAILED,
    AGENTD_GROUND,
    AGENTD_DAEMON_GONE,
    AGENTD_DAEMON_STRANGE,
    AGENTD_NO_THREAD,
];
