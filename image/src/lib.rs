//! Builds packs, the development release and the image.
//!
//! What it guarantees, to whoever runs a pack: the tree holds exactly the
//! locked packages minus the listed strip, was screened for what must not be
//! in it, and is bound by one signature. What it does not: that Debian's
//! packages are free of faults.
#![forbid(unsafe_code)]

pub mod code;
pub mod digest;
pub mod error;
pub mod keys;
pub mod lock;
pub mod pack;
pub mod progress;
pub mod release;
pub mod tool;
