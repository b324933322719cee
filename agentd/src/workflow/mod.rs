//! The interpreter: a workflow's script, run where nothing else is.
//!
//! The process that runs this module ([`serve`]) has one descriptor, the socket
//! to agentd. A script can compute, and it can ask agentd for one action at a
//! time through a verb ([`verbs`]); there is no clock, no randomness, no
//! environment, no file and no module from outside its bundle.
//!
//! Promised to the operator: a script that does not parse, loops, panics or
//! asks for too much ends with a code and a place ([`failure`]). Not promised:
//! that the interpreter stops by itself in every case. Some built-ins of the
//! language cannot be interrupted (`sorted(range(300000000))`), so agentd's kill
//! at the deadline and the memory limit of the process are the real bounds.

pub mod agent;
pub mod answer;
pub mod check;
pub mod code;
pub mod decimal;
pub mod failure;
pub mod files;
pub mod interpreter;
pub mod reference;
pub mod report;
pub mod screen;
pub mod serve;
pub mod sheet;
pub mod verbs;

pub use serve::serve;
