//! The agent runtime: supervisor, sandboxes, interpreter, eyes and hands.
