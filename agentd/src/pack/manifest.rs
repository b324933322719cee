//! The signed manifest, decoded strictly.

use casemate_protocol::codec;
use minicbor::{Decode, Encode};

/// The file `NAME.pack`: bytes that are signed, and the claim that they are.
#[derive(Debug, Encode, Decode)]
pub(super) struct Signed {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) manifest: Vec<u8>,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) signature: [u8; 64],
}

impl Signed {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        codec::decode_canonical(bytes).map_err(|e| e.to_string())
    }
}

/// What a pack is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Manifest {
    #[n(0)]
    format: u64,
    #[n(1)]
    kind: u64,
    /// Its name, which is its file's stem.
    #[n(2)]
    pub name: String,
    /// Its version.
    #[n(3)]
    pub version: String,
    /// Bytes of the erofs image.
    #[n(4)]
    pub data_size: u64,
    #[n(5)]
    hash_offset: u64,
    /// Bytes of the data file in all.
    #[n(6)]
    pub file_size: u64,
    #[n(7)]
    block_size: u64,
    /// Salt of every digest in the hash tree.
    #[n(8)]
    #[cbor(with = "minicbor::bytes")]
    pub salt: [u8; 32],
    /// Root of the hash tree: the pack's identity.
    #[n(9)]
    #[cbor(with = "minicbor::bytes")]
    pub verity_root: [u8; 32],
    /// SHA-256 of the whole data file.
    #[n(10)]
    #[cbor(with = "minicbor::bytes")]
    pub sha256: [u8; 32],
    /// The applications a grant may name.
    #[n(11)]
    pub applications: Vec<Application>,
}

/// One application of a root pack.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Application {
    /// What a grant names.
    #[n(0)]
    pub name: String,
    /// Absolute path inside the pack.
    #[n(1)]
    pub exec: String,
    /// Arguments; one of them is `{file}` if files are taken.
    #[n(2)]
    pub args: Vec<String>,
    /// Whether it opens a file.
    #[n(3)]
    pub takes_files: bool,
}

/// What a pack is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The root of a sandbox.
    Root,
    /// Data only, such as a model.
    Data,
}

impl Manifest {
    /// Decodes the bytes that were signed and checks every rule of the format that
    /// does not need the data.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = codec::decode_canonical(bytes).map_err(|e| e.to_string())?;
        manifest.check().map(|()| manifest)
    }

    /// What the pack is for.
    pub fn kind(&self) -> Kind {
        if self.kind == 0 {
            Kind::Root
        } else {
            Kind::Data
        }
    }

    fn check(&self) -> Result<(), String> {
        let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        demand(self.format == 1, "its format is not 1")?;
        demand(self.kind <= 1, "its kind is not 0 or 1")?;
        demand(is_name(&self.name), "its name is not one")?;
        demand(
            (1..=32).contains(&self.version.len())
                && self
                    .version
                    .chars()
                    .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-')),
            "its version is not one",
        )?;
        demand(self.block_size == 4096, "its block size is not 4096")?;
        demand(
            self.data_size > 0 && self.data_size.is_multiple_of(4096),
            "its data is not whole blocks",
        )?;
        demand(
            self.hash_offset == self.data_size && self.file_size > self.hash_offset,
            "its hash area does not follow its data",
        )?;
        demand(self.applications.len() <= 64, "it has over 64 applications")?;
        demand(
            self.kind == 0 || self.applications.is_empty(),
            "it is data and has applications",
        )?;
        demand(
            self.applications.is_sorted_by(|a, b| a.name < b.name),
            "its applications are not in order",
        )?;
        self.applications.iter().try_for_each(Application::check)
    }
}

impl Application {
    fn check(&self) -> Result<(), String> {
        let fine = is_name(&self.name)
            && crate::sandbox::profile::is_plain(&self.exec)
            && self.args.len() <= 16
            && self
                .args
                .iter()
                .all(|arg| arg.len() <= 256 && !arg.contains('\0'))
            && self.args.iter().filter(|arg| *arg == "{file}").count()
                == usize::from(self.takes_files);
        if fine {
            Ok(())
        } else {
            Err("one of its applications is not well-formed".to_owned())
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector() -> Vec<u8> {
        let text = include_str!("../../../docs/formats/vectors/pack-v1.hex");
        hex::decode(text.trim()).unwrap()
    }

    #[test]
    fn the_documented_vector_decodes() {
        let signed = Signed::decode(&vector()).unwrap();
        let manifest = Manifest::decode(&signed.manifest).unwrap();
        assert_eq!(codec::encode(&manifest), signed.manifest);
    }

    #[test]
    fn every_shortened_or_lengthened_form_is_refused() {
        let good = vector();
        for end in 0..good.len() {
            assert!(
                Signed::decode(&good[..end]).is_err(),
                "{end} bytes were accepted"
            );
        }
        let mut long = good.clone();
        long.push(0);
        assert!(Signed::decode(&long).is_err());
        let inner = Signed::decode(&good).unwrap().manifest;
        for end in 0..inner.len() {
            assert!(
                Manifest::decode(&inner[..end]).is_err(),
                "{end} bytes were accepted"
            );
        }
    }

    #[test]
    fn each_rule_of_the_format_is_demanded() {
        let inner = Signed::decode(&vector()).unwrap().manifest;
        let good = Manifest::decode(&inner).unwrap();
        let refused = |change: &dyn Fn(&mut Manifest)| {
            let mut bad = good.clone();
            change(&mut bad);
            assert_ne!(bad, good, "the change changed nothing");
            assert!(
                Manifest::decode(&codec::encode(&bad)).is_err(),
                "accepted: {bad:?}"
            );
        };
        refused(&|m| m.format = 2);
        refused(&|m| m.kind = 2);
        refused(&|m| m.name = "../desktop".into());
        refused(&|m| m.name = "1desktop".into());
        refused(&|m| m.version = String::new());
        refused(&|m| m.data_size = 0);
        refused(&|m| m.data_size += 1);
        refused(&|m| m.hash_offset += 4096);
        refused(&|m| m.file_size = m.data_size);
        refused(&|m| m.block_size = 512);
        refused(&|m| {
            m.applications.push(Application {
                name: "a".into(),
                exec: "/usr/bin/../../x".into(),
                args: vec![],
                takes_files: false,
            });
        });
    }
}
