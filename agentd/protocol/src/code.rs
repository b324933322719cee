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

/// Every code of this crate.
pub const CODES: &[Code] = &[FRAME_MALFORMED, FRAME_TOO_LARGE];
