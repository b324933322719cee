//! Jobs: what may happen to one, the queue of them, and who runs them.
//!
//! [`state`] and [`queue`] decide and do nothing; [`dispatcher`] records and
//! acts; [`agent`] is its side towards agentd, [`link`] the wire to it.

pub mod agent;
pub mod dispatcher;
pub mod error;
pub mod link;
pub mod memory;
pub mod order;
pub mod queue;
pub mod state;
