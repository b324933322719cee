//! Builds packs, the development release and the image.
//!
//! What it guarantees, to whoever runs a pack: the tree holds exactly the
//! locked packages minus the listed strip, was screened for what must not be
//! in it, and is bound by one signature. What it does not: that Debian's
//! packages are free of faults.
#![forbid(unsafe_code)]

mod base;
pub mod build;
pub mod code;
pub mod diff;
pub mod digest;
mod disk;
pub mod error;
pub mod firmware;
mod initrd;
pub mod keys;
pub mod lock;
pub mod ova;
pub mod ovf;
pub mod pack;
pub mod progress;
pub mod provenance;
pub mod publish;
pub mod release;
pub mod sbom;
pub mod tool;
mod uki;
pub mod vmdk;
