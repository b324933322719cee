//! Attempts to get out, one file each, in every profile. Each is first shown to
//! succeed outside; inside the exact error or signal is demanded, and the verdict
//! is the host's: what it finds in its files, sockets and processes. Needs root
//! and erofs-utils.

#![allow(
    unsafe_code,
    dead_code,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests and what they stand on: a failure shall say where"
)]

mod asked;
mod attack;
mod attempts;
mod between;
mod build;
mod deeds;
#[path = "../sandbox/ground.rs"]
mod ground;
#[cfg(feature = "weaken")]
mod layers;
mod place;
mod profiles;
mod resources;
mod selftest;
#[cfg(not(any(feature = "weaken", feature = "host-root")))]
mod served;
mod supervisor;
mod world;
