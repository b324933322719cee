//! The agent runtime: supervisor, sandboxes, interpreter, eyes and hands.

pub mod code;
pub mod sandbox;
