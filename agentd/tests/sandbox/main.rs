//! The confinement, attacked: each attempt is first shown to work outside, then
//! the exact errno or signal is demanded inside. Needs root and erofs-utils.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests and what they stand on: a failure shall say where"
)]

mod denials;
mod exec;
mod ground;
mod layers;
mod lifetime;
mod packs;
#[cfg(feature = "weaken")]
mod weakened;
