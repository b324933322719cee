//! The supervisor: leases jobs, builds their compartments, mediates every action.
//!
//! One thread reads the daemon's messages ([`link`]); one thread per job owns
//! that job from lease to clean-up ([`run`]). A compartment's sandbox dies with
//! the thread that made it, so a job thread that ends, however it ends, leaves
//! nothing running. Inside a job the only way from the interpreter to the
//! desktop is [`mediator::Mediator`], which checks every action against the
//! grants of the job's specification before anything else happens.
//!
//! Not promised: what happens on the desktop is what the script believes. What
//! a window says is a claim; only the pack, the processes and the grants are
//! facts.

pub mod channel;
pub mod check;
pub mod code;
pub mod compartments;
pub mod denials;
pub mod files;
pub mod ground;
pub mod link;
pub mod mediator;
pub mod run;
pub mod serve;
pub mod stop;
mod words;
pub mod workspace;
