//! The artifact manifest of one job: what it put out, signed by the appliance's log key.

use ed25519_dalek::{SigningKey, VerifyingKey};
use minicbor::{Decode, Encode};

use crate::code::{self, Code};
use crate::codec::{self, CodecError};
use crate::digest::Digest;
use crate::envelope::{Domain, Envelope, EnvelopeError};
use crate::merkle;

/// The name and version of the format.
pub const FORMAT: &str = "casemate.artifacts.1";

/// The most bytes a signed manifest may have.
pub const MAX_MANIFEST: usize = 1 << 20;

const DOMAIN: Domain = Domain("casemate artifact manifest v1");

/// One artifact.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Artifact {
    /// Its name inside the job, such as `out/invoices.xlsx`. Unique in a manifest.
    #[n(0)]
    pub name: String,
    /// Its media type.
    #[n(1)]
    pub media: String,
    /// Bytes of plain content.
    #[n(2)]
    pub size: u64,
    /// SHA-256 of the plain content.
    #[n(3)]
    pub sha256: Digest,
}

/// What one job put out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Manifest {
    #[n(0)]
    format: String,
    /// The job's random id.
    #[cbor(n(1), with = "minicbor::bytes")]
    job: [u8; 16],
    /// The digest of the job's specification, which fixes workflow, inputs, pack and grants.
    #[n(2)]
    spec: Digest,
    /// The artifacts, by name in ascending byte order.
    #[n(3)]
    items: Vec<Artifact>,
    /// The Merkle root over the items' canonical bytes.
    #[n(4)]
    root: Digest,
}

/// Why a manifest is not the appliance's word.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ManifestError {
    /// The bytes are no manifest.
    #[error("the artifact manifest: {0}")]
    Format(#[from] CodecError),
    /// Another key signed, or none did.
    #[error("the artifact manifest: {0}")]
    Signature(#[from] EnvelopeError),
    /// The root is not that of the items.
    #[error("the artifact manifest names the root {found}, its items have {expected}")]
    Root {
        /// Computed.
        expected: Digest,
        /// In the manifest.
        found: Digest,
    },
    /// A name that is no plain relative path.
    #[error("artifact {name:?} has a name that is no plain relative path")]
    Name {
        /// The artifact's name.
        name: String,
    },
    /// The items are out of order, or a name is there twice.
    #[error("artifact {name:?} is out of order or there twice")]
    Order {
        /// The artifact's name.
        name: String,
    },
}

impl ManifestError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Format(_) => &code::ARTIFACTS_MALFORMED,
            Self::Signature(_) => &code::ARTIFACTS_SIGNATURE,
            Self::Root { .. } => &code::ARTIFACTS_ROOT,
            Self::Name { .. } => &code::ARTIFACTS_NAME,
            Self::Order { .. } => &code::ARTIFACTS_ORDER,
        }
    }
}

impl Manifest {
    /// The manifest of a job; puts `items` in order.
    #[must_use]
    pub fn new(job: [u8; 16], spec: Digest, mut items: Vec<Artifact>) -> Self {
        items.sort_by(|left, right| left.name.cmp(&right.name));
        let root = root(&items);
        Self {
            format: FORMAT.to_owned(),
            job,
            spec,
            items,
            root,
        }
    }

    /// The job's random id.
    #[must_use]
    pub const fn job(&self) -> &[u8; 16] {
        &self.job
    }

    /// The digest of the job's specification.
    #[must_use]
    pub const fn spec(&self) -> &Digest {
        &self.spec
    }

    /// The artifacts, by name in ascending byte order.
    #[must_use]
    pub fn items(&self) -> &[Artifact] {
        &self.items
    }

    /// The Merkle root over the items' canonical bytes.
    #[must_use]
    pub const fn root(&self) -> &Digest {
        &self.root
    }

    /// The signed manifest's bytes.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        codec::encode(&Envelope::seal(DOMAIN, codec::encode(self), key))
    }

    /// Reads a signed manifest that must be the word of `key`.
    ///
    /// # Errors
    /// [`ManifestError`]: malformed, another key, root or order wrong.
    pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Self, ManifestError> {
        let envelope: Envelope = codec::decode_canonical(bytes, MAX_MANIFEST)?;
        let manifest: Self = codec::decode_canonical(envelope.open(DOMAIN, key)?, MAX_MANIFEST)?;
        codec::expect_format(&manifest.format, FORMAT)?;
        if let Some(item) = manifest.items.iter().find(|item| !is_name(&item.name)) {
            return Err(ManifestError::Name {
                name: item.name.clone(),
            });
        }
        for pair in manifest.items.windows(2) {
            if let [left, right] = pair
                && left.name >= right.name
            {
                return Err(ManifestError::Order {
                    name: right.name.clone(),
                });
            }
        }
        let expected = root(&manifest.items);
        if expected != manifest.root {
            return Err(ManifestError::Root {
                expected,
                found: manifest.root,
            });
        }
        Ok(manifest)
    }
}

/// A relative path of at most 512 bytes that leads nowhere but down, without control characters:
/// whoever writes artifacts to disk may rely on it.
fn is_name(name: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    name.len() <= 512 && !name.contains(char::is_control) && name.split('/').all(plain)
}

fn root(items: &[Artifact]) -> Digest {
    let leaves: Vec<Digest> = items
        .iter()
        .map(|item| merkle::leaf_hash(&codec::encode(item)))
        .collect();
    merkle::root(&leaves)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    fn artifact(name: &str) -> Artifact {
        Artifact {
            name: name.to_owned(),
            media: "text/plain".to_owned(),
            size: 3,
            sha256: Digest::of(b"abc"),
        }
    }

    #[test]
    fn only_the_signed_ordered_manifest_is_read() {
        let manifest = Manifest::new(
            [1; 16],
            Digest::of(b"spec"),
            vec![artifact("b"), artifact("a")],
        );
        let key = key();
        let trusted = key.verifying_key();
        assert_eq!(
            Manifest::verify(&manifest.sign(&key), &trusted)
                .unwrap()
                .items()[0]
                .name,
            "a"
        );
        let mut twice = manifest.clone();
        twice.items[1].name = "a".to_owned();
        twice.root = root(&twice.items);
        assert!(matches!(
            Manifest::verify(&twice.sign(&key), &trusted),
            Err(ManifestError::Order { .. })
        ));
        let mut other = manifest.clone();
        other.items[1].size = 4;
        assert!(matches!(
            Manifest::verify(&other.sign(&key), &trusted),
            Err(ManifestError::Root { .. })
        ));
        for name in [
            "",
            "/etc/passwd",
            "out/../../x",
            "out//x",
            "./x",
            "a\nb",
            "a\u{1b}[2J",
        ] {
            let hostile = Manifest::new([1; 16], Digest::of(b"spec"), vec![artifact(name)]);
            assert!(matches!(
                Manifest::verify(&hostile.sign(&key), &trusted),
                Err(ManifestError::Name { .. })
            ));
        }
        let bytes = manifest.sign(&key);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Manifest::verify(&changed, &trusted).is_err(), "byte {at}");
        }
    }
}
