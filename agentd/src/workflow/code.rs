//! The stable codes of the interpreter and of the sheet check.

use casemate_protocol::Code;

/// The script does not parse, names something unknown or does something undefined.
pub const ERROR: Code = Code {
    id: "script.error",
    what: "The workflow's script does not parse, or came upon an error of its own such as a missing name or index.",
    next: "Correct the named file, line and column; `casemate workflow check` finds most such errors without a run.",
};
/// The workflow itself ended the job.
pub const FAILED: Code = Code {
    id: "script.failed",
    what: "The workflow ended its job because of something it saw.",
    next: "Read the sentence that the workflow gave and look at the last screenshots of the job.",
};
/// A document could not be opened or is not what it should be.
pub const DOCUMENT: Code = Code {
    id: "script.document",
    what: "The workflow could not open a document, or the document is not of the expected kind.",
    next: "Open the named input on a workstation; replace it if it is damaged, then run the job again.",
};
/// The workflow could not read something with certainty.
pub const UNSURE: Code = Code {
    id: "script.unsure",
    what: "Two independent readings of the screen did not agree, so the workflow stopped instead of guessing.",
    next: "Look at the job's screenshots of the named document; enter that document by hand or have it scanned again.",
};
/// The interpreter panicked.
pub const PANIC: Code = Code {
    id: "script.panic",
    what: "The interpreter broke down while it ran the script, for instance over a list of a thousand million items.",
    next: "Look for huge ranges, lists or numbers in the script.",
};
/// The script's time is over.
pub const DEADLINE: Code = Code {
    id: "script.deadline",
    what: "The script did not come to its end within the time that the workflow declares.",
    next: "Look at the last step of the job; raise limits.seconds if the work really takes longer.",
};
/// The script holds more memory than it may.
pub const MEMORY: Code = Code {
    id: "script.memory",
    what: "The script's values take more memory than the workflow declares for it.",
    next: "Look for lists or strings that grow without end; raise limits.script_mib if the script really needs more.",
};
/// One message would be larger than the border allows.
pub const TOO_LARGE: Code = Code {
    id: "script.too-large",
    what: "The script asked for one action of more than 1 MiB.",
    next: "Write less text at once.",
};
/// A verb was called with something that it cannot take.
pub const ARGUMENT: Code = Code {
    id: "script.argument",
    what: "The script called a verb with arguments that do not make one action.",
    next: "Compare the call with the table in docs/formats/workflow.md.",
};
/// The file that was to be checked is not a readable workbook.
pub const SHEET_UNREADABLE: Code = Code {
    id: "sheet.unreadable",
    what: "The saved file is not a workbook that the checker can read, or it is larger than the checker's bounds.",
    next: "Look at how the workflow saves the file; an .xlsx begins with the letters PK.",
};
/// The workbook does not hold what was expected.
pub const SHEET_DIFFERENT: Code = Code {
    id: "sheet.different",
    what: "The saved workbook differs from the rows that the workflow expects in it.",
    next: "The message names the first cell that differs; compare it with the screenshot of the step that typed it.",
};

/// Every code of this module.
pub const CODES: &[Code] = &[
    ERROR,
    FAILED,
    DOCUMENT,
    UNSURE,
    PANIC,
    DEADLINE,
    MEMORY,
    TOO_LARGE,
    ARGUMENT,
    SHEET_UNREADABLE,
    SHEET_DIFFERENT,
];

/// The codes with which a script may end its job.
pub const FOR_SCRIPTS: &[Code] = &[FAILED, DOCUMENT, UNSURE];
