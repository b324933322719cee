//! Evidence: what an auditor takes away.

pub mod chip;
pub mod issue;
