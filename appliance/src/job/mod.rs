//! Jobs: what may happen to one, the queue of them, and who runs them.
//!
//! [`state`] and [`queue`] decide and do nothing; [`dispatcher`] records and
//! acts; [`agent`] is its side towards agentd, [`link`] the wire to it, and
//! `lease`, `check` and `listing` are what it does there.

pub mod agent;
mod check;
pub mod dispatcher;
pub mod error;
mod lease;
pub mod link;
mod listing;
pub mod memory;
pub mod order;
pub mod queue;
pub mod state;
