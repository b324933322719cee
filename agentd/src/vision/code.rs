//! Stable error codes of reading the screen.

use casemate_protocol::code::Code;

/// A model file is missing, damaged or of another make.
pub const MODEL: Code = Code {
    id: "vision.model",
    what: "A model file of the OCR pack is missing, damaged, or not of the expected inputs and outputs.",
    next: "Restore the signed pack `ocr` of this release; `agentd enter` checks its hash when it mounts it.",
};

/// A region to read is empty or larger than any screen served.
pub const REGION: Code = Code {
    id: "vision.region",
    what: "The part of the screen to be read is empty, off the screen, or larger than 16 million pixels.",
    next: "Give an area inside the screen; its size is in the job's first event.",
};

/// Every code of this room.
pub const CODES: &[Code] = &[MODEL, REGION];
