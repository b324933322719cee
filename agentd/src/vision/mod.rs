//! Reading the screen: text from pixels, in pure Rust, without the network.
//!
//! Guaranteed to the caller: work and memory are bounded by the size of the
//! region asked for, whatever the pixels are; a model file that is not what it
//! should be is an error with a code, never a wrong read. *Not* guaranteed: that
//! a read is right. A line carries its lowest character confidence, spaces are
//! unreliable, characters that the recogniser's list lacks come out as others
//! (PP-OCRv4's lacks ß, ö, ç, ñ and € among others), and text upside down or
//! running upwards is not read.
//!
//! [`frame`] pixels and regions; [`charset`] the characters of a recogniser;
//! [`blank`], [`detector`] and [`boxes`] where lines stand; [`strip`] and [`recogniser`]
//! what a line says; [`reader`] both together, remembering what was read before.

pub mod blank;
pub mod boxes;
pub mod charset;
pub mod code;
pub mod detector;
pub mod failure;
pub mod frame;
pub mod reader;
pub mod recogniser;
pub mod strip;

pub use failure::VisionError;
pub use frame::{Frame, Region};
pub use reader::Reader;
