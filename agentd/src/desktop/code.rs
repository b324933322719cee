//! Stable error codes of the desktop.

use casemate_protocol::Code;

/// The session could not bring the desktop up.
pub const START: Code = Code {
    id: "desktop.start",
    what: "The display, the window manager or the accessibility bus of a job did not come up.",
    next: "The message names the program; check that the desktop pack is the one of this release and that the job's memory limit is not too low.",
};
/// An application could not be started.
pub const OPEN: Code = Code {
    id: "desktop.open",
    what: "An application of the desktop pack could not be started.",
    next: "Check the application's path in the pack's manifest.",
};
/// An application did not go away.
pub const CLOSE: Code = Code {
    id: "desktop.close",
    what: "Processes of an application were still there after they were killed, or the application was not open.",
    next: "The job is ended with its sandbox; run it again.",
};
/// The display or the accessibility bus went away.
pub const LOST: Code = Code {
    id: "desktop.lost",
    what: "The connection to the job's display or accessibility bus failed or was never there.",
    next: "The job is ended; run it again, and look at its last screenshot if it happens at the same step.",
};
/// Nothing on the screen matches.
pub const NOT_FOUND: Code = Code {
    id: "desktop.not-found",
    what: "What a step refers to was not on the screen.",
    next: "Compare the step's screenshot with the name, role, window or text that the workflow gives; wait for it first.",
};
/// More than one thing matches.
pub const AMBIGUOUS: Code = Code {
    id: "desktop.ambiguous",
    what: "More than one thing on the screen matches what a step refers to, so nothing was done.",
    next: "Give the role or the window as well, or the part of the screen.",
};
/// The target moves, changes or is covered.
pub const UNSTABLE: Code = Code {
    id: "desktop.unstable",
    what: "What a step wants to use was found, but it moved, was covered by another window, or was not ready for use until the time was over.",
    next: "Wait in the workflow for the state that the step needs, such as a dialog being gone.",
};
/// What was typed did not arrive as it was typed.
pub const READBACK: Code = Code {
    id: "desktop.readback",
    what: "An application did not take typed text as it was typed, or a cell does not hold what was put into it.",
    next: "Look at the step's screenshot; the field may reformat or complete what is typed.",
};
/// The time of a step was over.
pub const TIMEOUT: Code = Code {
    id: "desktop.timeout",
    what: "What a step waits for did not come within its time.",
    next: "Look at the step's screenshot; give the step more time if the application was still busy.",
};
/// A step that cannot be performed as it is written.
pub const INVALID: Code = Code {
    id: "desktop.invalid",
    what: "A step has a key, a cell, an area or a text that does not exist or cannot be typed.",
    next: "Correct the step; docs/formats/workflow.md lists keys, cells and limits.",
};
/// No sheet.
pub const SHEET: Code = Code {
    id: "desktop.sheet",
    what: "The spreadsheet's name box or entry line was not found.",
    next: "Open the spreadsheet and wait for its window before cells are used; close its dialogs.",
};

/// Every code of this room.
pub const CODES: &[Code] = &[
    START, OPEN, CLOSE, LOST, NOT_FOUND, AMBIGUOUS, UNSTABLE, READBACK, TIMEOUT, INVALID, SHEET,
];
