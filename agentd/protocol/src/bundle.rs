//! A workflow bundle: the script, its files and what it declares it needs.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::codec;
use crate::id::Digest;
use crate::job::{Grants, Limits, OnInterrupt};

/// The only version of [`Bundle`].
pub const VERSION: u32 = 1;

/// A workflow as it is stored, hashed and handed to the interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Bundle {
    /// [`VERSION`].
    #[n(0)]
    pub version: u32,
    /// Its name: `[a-z0-9-]{1,64}`.
    #[n(1)]
    pub name: String,
    /// One line for people.
    #[n(2)]
    pub summary: String,
    /// Source files by relative path, ascending; `main.star` is the entry.
    #[n(3)]
    pub files: Vec<(String, ByteVec)>,
    /// Everything it may do.
    #[n(4)]
    pub grants: Grants,
    /// Everything it may use.
    #[n(5)]
    pub limits: Limits,
    /// What happens when a run is cut off.
    #[n(6)]
    pub on_interrupt: OnInterrupt,
    /// Parameter names with their defaults, ascending.
    #[n(7)]
    pub parameters: Vec<(String, String)>,
}

impl Bundle {
    /// SHA-256 of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&codec::encode(self))
    }

    /// The text of the entry script, if it is there and is UTF-8.
    pub fn main(&self) -> Option<&str> {
        let (_, bytes) = self.files.iter().find(|(path, _)| path == "main.star")?;
        std::str::from_utf8(bytes).ok()
    }
}
