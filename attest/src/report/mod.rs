//! A verdict written down: plain text for a terminal, JSON and EAR for a program,
//! a page to print and file.

mod ear;
mod examination;
mod html;
mod json;
mod printable;
mod text;
mod wrap;

pub use ear::{Ear, PROFILE};
pub use html::Page;
pub use printable::printable;
