//! The writer's half of the pack manifest, docs/formats/pack.md.
//!
//! agentd has a reader of its own: the two are built from that text and meet
//! only in `docs/formats/vectors/pack-v1.hex`.

use minicbor::Encode;

use crate::digest::{Sha, of_labelled};
use crate::keys::PackKey;

/// The format this writer writes.
pub const FORMAT: u64 = 1;
/// Data and hash blocks of the verity tree.
pub const BLOCK: u64 = 4096;
/// What stands before the manifest in the signed message.
const DOMAIN: &[u8] = b"casemate pack v1\0";

/// What a pack is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The root tree of a sandbox.
    Root,
    /// Data only, such as a model.
    Data,
}

/// An application that a grant may name.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[cbor(array)]
pub struct Application {
    /// What a grant names.
    #[n(0)]
    pub name: String,
    /// Absolute path inside the pack.
    #[n(1)]
    pub exec: String,
    /// Arguments after argv\[0\]; `{file}` stands for the opened file.
    #[n(2)]
    pub args: Vec<String>,
    /// Whether `args` has a `{file}`.
    #[n(3)]
    pub takes_files: bool,
}

/// What is signed: one data file, measured.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[cbor(array)]
pub struct PackManifest {
    #[n(0)]
    format: u64,
    #[n(1)]
    kind: u64,
    #[n(2)]
    name: String,
    #[n(3)]
    version: String,
    #[n(4)]
    data_size: u64,
    #[n(5)]
    hash_offset: u64,
    #[n(6)]
    file_size: u64,
    #[n(7)]
    block_size: u64,
    #[cbor(n(8), with = "minicbor::bytes")]
    salt: [u8; 32],
    #[cbor(n(9), with = "minicbor::bytes")]
    verity_root: [u8; 32],
    #[cbor(n(10), with = "minicbor::bytes")]
    sha256: [u8; 32],
    #[n(11)]
    applications: Vec<Application>,
}

/// The sizes and digests of a finished data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of the erofs part; the hash area follows at once.
    pub data_size: u64,
    /// Bytes in all.
    pub file_size: u64,
    /// Root of the verity tree.
    pub verity_root: Sha,
    /// Digest of the whole file.
    pub sha256: Sha,
}

#[derive(Encode)]
#[cbor(array)]
struct SignedPack<'a> {
    #[cbor(n(0), with = "minicbor::bytes")]
    manifest: &'a [u8],
    #[cbor(n(1), with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl PackManifest {
    /// The manifest of a measured data file. Applications are sorted by name.
    #[must_use]
    pub fn new(
        kind: Kind,
        identity: &Identity,
        measured: Measured,
        mut applications: Vec<Application>,
    ) -> Self {
        applications.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            format: FORMAT,
            kind: match kind {
                Kind::Root => 0,
                Kind::Data => 1,
            },
            name: identity.name.clone(),
            version: identity.version.clone(),
            data_size: measured.data_size,
            hash_offset: measured.data_size,
            file_size: measured.file_size,
            block_size: BLOCK,
            salt: identity.salt(),
            verity_root: measured.verity_root,
            sha256: measured.sha256,
            applications,
        }
    }

    /// The signed file's bytes.
    #[must_use]
    pub fn sign(&self, key: &PackKey) -> Vec<u8> {
        let manifest = encode(self);
        let mut message = DOMAIN.to_vec();
        message.extend_from_slice(&manifest);
        encode(&SignedPack {
            manifest: &manifest,
            signature: key.sign(&message),
        })
    }
}

/// Name and version of a pack, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The stem of both files.
    pub name: String,
    /// The pack's own version.
    pub version: String,
}

impl Identity {
    /// Salt of the verity tree.
    #[must_use]
    pub fn salt(&self) -> Sha {
        of_labelled("casemate pack salt v1", &[&self.name, &self.version])
    }

    /// UUIDs of the erofs and of the hash area.
    #[must_use]
    pub fn uuids(&self) -> (String, String) {
        let digest = of_labelled("casemate pack uuid v1", &[&self.name, &self.version]);
        let (first, second) = digest.split_at(16);
        (uuid(first), uuid(second))
    }
}

/// Text form of 16 bytes as a version-4 UUID (RFC 9562 section 5.4).
fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        let byte = match i {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&hex::encode([byte]));
    }
    text
}

fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec has no error: its `Write::Error` is uninhabited.
    match minicbor::encode(value, &mut bytes) {
        Ok(()) | Err(_) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden vector, also decoded by agentd's reader.
    #[test]
    fn the_committed_vector_is_what_this_writer_writes() {
        let identity = Identity {
            name: "desktop".into(),
            version: "1.2.3".into(),
        };
        let measured = Measured {
            data_size: 8192,
            file_size: 16384,
            verity_root: [0xa1; 32],
            sha256: [0xb2; 32],
        };
        let applications = vec![
            Application {
                name: "mousepad".into(),
                exec: "/usr/bin/mousepad".into(),
                args: vec!["--disable-server".into(), "{file}".into()],
                takes_files: true,
            },
            Application {
                name: "galculator".into(),
                exec: "/usr/bin/galculator".into(),
                args: vec![],
                takes_files: false,
            },
        ];
        let key = PackKey::of_scalar([1; 32]);
        let signed = PackManifest::new(Kind::Root, &identity, measured, applications).sign(&key);
        let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/formats/vectors");
        let expected =
            std::fs::read_to_string(format!("{vectors}/pack-v1.hex")).unwrap_or_default();
        assert_eq!(format!("{}\n", hex::encode(signed)), expected);
        let public = std::fs::read_to_string(format!("{vectors}/pack-v1.pub")).unwrap_or_default();
        assert_eq!(key.public_pem().unwrap(), public);
    }

    #[test]
    fn uuids_have_version_and_variant() {
        let (erofs, verity) = Identity {
            name: "desktop".into(),
            version: "1".into(),
        }
        .uuids();
        for text in [erofs, verity] {
            assert_eq!(text.len(), 36);
            assert_eq!(&text[14..15], "4");
            assert!("89ab".contains(&text[19..20]), "{text}");
        }
    }
}
