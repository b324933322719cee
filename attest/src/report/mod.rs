//! A verdict written down: plain text for a terminal, JSON for a program.

mod examination;
mod json;
mod printable;
mod text;
mod wrap;

pub use printable::printable;
