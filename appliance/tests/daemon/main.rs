//! A really running casemated, driven by its own CLI, by clients that do not
//! behave, and by a peer that speaks the lease protocol.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that fails does so here and says where"
)]

mod bed;
mod cli;
mod clients;
mod crash;
mod evidence;
mod measure;
mod queue;
mod start;
