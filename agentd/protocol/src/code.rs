//! The shape of a stable error code, and the codes of this crate.

/// One stable error code: what an operator can look up in `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `area.reason`, never reused for another meaning.
    pub id: &'static str,
    /// One sentence: what it means.
    pub what: &'static str,
    /// One sentence: what to do next.
    pub next: &'static str,
}

/// A frame or message from another process was not well-formed.
pub const FRAME_MALFORMED: Code = Code {
    id: "frame.malformed",
    what: "A message from another process was not exactly one canonical CBOR item of the expected shape.",
    next: "The sender is ended and its job is treated as failed; if the sender is a shipped program, keep the log and report it.",
};

/// A frame announced more bytes than its border allows.
pub const FRAME_TOO_LARGE: Code = Code {
    id: "frame.too-large",
    what: "A message from another process announced more bytes than this border allows.",
    next: "The sender is ended; split the data, or use a workspace file.",
};

/// A workflow's declaration is not acceptable.
pub const WORKFLOW_DECLARATION: Code = Code {
    id: "workflow.declaration",
    what: "The file workflow.toml is missing, is not TOML, or holds an unknown key or a value out of range.",
    next: "Correct the named key; docs/formats/workflow.md lists every key with its range.",
};

/// A file of a workflow is not acceptable.
pub const WORKFLOW_FILES: Code = Code {
    id: "workflow.files",
    what: "A workflow's folder lacks main.star or holds a file that is not a small UTF-8 script by a plain path.",
    next: "Keep only workflow.toml and .star files in the folder; docs/formats/workflow.md states the limits.",
};

/// Every code of this crate.
pub const CODES: &[Code] = &[
    FRAME_MALFORMED,
    FRAME_TOO_LARGE,
    WORKFLOW_DECLARATION,
    WORKFLOW_FILES,
];
