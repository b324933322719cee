//! Packs: the read-only trees that jobs run in, verified before they are mounted.
//!
//! Each step consumes the one before: [`SignedPack`] has a manifest that the
//! release key signed, [`VerifiedPack`] also has data whose hash tree was computed
//! and is the signed one, [`MountedPack`] is that very descriptor, mounted. On the
//! appliance device-mapper checks every block as it is read; a host without it
//! trusts that nobody writes the file after the check, so a file that others may
//! write is refused.
//!
//! The format is docs/formats/pack.md.

mod manifest;
mod verity;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use casemate_protocol::Code;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
use thiserror::Error;

pub use manifest::{Application, Kind, Manifest};
pub use verity::root as verity_root;

use crate::code;
use crate::sandbox::enclosure::PACKS;
use manifest::Signed;

/// What is signed begins with this, so that a signature means nothing else.
const DOMAIN: &[u8] = b"casemate pack v1\0";
/// Largest manifest file.
const LARGEST_MANIFEST: u64 = 65_536;

/// Why a pack is not used.
#[derive(Debug, Error)]
pub enum PackError {
    /// A file is not there.
    #[error("{} cannot be read: {source}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifest is malformed.
    #[error("{} is not a pack manifest: {why}", path.display())]
    Format {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key file is not a P-256 public key.
    #[error("{} is not a P-256 public key in PEM", .0.display())]
    Key(PathBuf),
    /// The signature does not hold.
    #[error("{} is not signed by the given key", .0.display())]
    Signature(PathBuf),
    /// The data is not what was signed.
    #[error("{} was changed: {why}", path.display())]
    Changed {
        /// The data file.
        path: PathBuf,
        /// Expected and found.
        why: String,
    },
    /// Others could change the data.
    #[error("{} could be changed by others: {why}", path.display())]
    Exposed {
        /// The data file.
        path: PathBuf,
        /// Who.
        why: String,
    },
    /// The kernel does not mount it.
    #[error("{} cannot be mounted: {source}", path.display())]
    Mount {
        /// The data file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PackError {
    /// The stable code.
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Missing { .. } | Self::Key(_) => &code::PACK_MISSING,
            Self::Format { .. } => &code::PACK_FORMAT,
            Self::Signature(_) => &code::PACK_SIGNATURE,
            Self::Changed { .. } => &code::PACK_CHANGED,
            Self::Exposed { .. } => &code::PACK_EXPOSED,
            Self::Mount { .. } => &code::PACK_MOUNT,
        }
    }
}

/// The one key whose packs are used.
#[derive(Debug, Clone)]
pub struct ReleaseKey(VerifyingKey);

impl ReleaseKey {
    /// Reads an SPKI PEM file.
    ///
    /// # Errors
    /// [`PackError::Missing`] or [`PackError::Key`].
    pub fn read(path: &Path) -> Result<Self, PackError> {
        let text = std::fs::read_to_string(path).map_err(|source| PackError::Missing {
            path: path.to_owned(),
            source,
        })?;
        VerifyingKey::from_public_key_pem(&text)
            .map(Self)
            .map_err(|_| PackError::Key(path.to_owned()))
    }
}

/// A manifest that the key signed, and where its data is claimed to be.
#[derive(Debug)]
pub struct SignedPack {
    manifest: Manifest,
    bytes: Vec<u8>,
    data: PathBuf,
}

impl SignedPack {
    /// Reads `NAME.pack` and checks its signature; the data file is `NAME.erofs`
    /// beside it.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn read(path: &Path, key: &ReleaseKey) -> Result<Self, PackError> {
        let missing = |source| PackError::Missing {
            path: path.to_owned(),
            source,
        };
        let format = |why: String| PackError::Format {
            path: path.to_owned(),
            why,
        };
        let mut file = Vec::new();
        File::open(path)
            .and_then(|open| open.take(LARGEST_MANIFEST + 1).read_to_end(&mut file))
            .map_err(missing)?;
        if u64::try_from(file.len()).unwrap_or(u64::MAX) > LARGEST_MANIFEST {
            return Err(format(format!(
                "it is larger than {LARGEST_MANIFEST} bytes"
            )));
        }
        let signed = Signed::decode(&file).map_err(format)?;
        let signature = Signature::from_slice(&signed.signature)
            .map_err(|_| PackError::Signature(path.to_owned()))?;
        key.0
            .verify(&[DOMAIN, &signed.manifest].concat(), &signature)
            .map_err(|_| PackError::Signature(path.to_owned()))?;
        // Only now is what it says looked at.
        let manifest = Manifest::decode(&signed.manifest).map_err(format)?;
        if path.file_stem().and_then(|stem| stem.to_str()) != Some(&manifest.name) {
            return Err(format(format!("it is the manifest of {}", manifest.name)));
        }
        Ok(Self {
            data: path.with_extension("erofs"),
            bytes: signed.manifest,
            manifest,
        })
    }

    /// Reads the data file once, computes its hash tree and compares the root.
    ///
    /// # Errors
    /// [`PackError::Changed`], [`PackError::Exposed`], [`PackError::Missing`].
    pub fn verify(self) -> Result<VerifiedPack, PackError> {
        let Self {
            manifest,
            bytes,
            data,
        } = self;
        let missing = |source: io::Error| PackError::Missing {
            path: data.clone(),
            source,
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file: File = rustix::fs::open(&data, flags, Mode::empty())
            .map_err(|e| missing(e.into()))?
            .into();
        let found = file.metadata().map_err(missing)?;
        if let Some(why) = exposure(&found) {
            return Err(PackError::Exposed { path: data, why });
        }
        let changed = |why| PackError::Changed {
            path: data.clone(),
            why,
        };
        // In the image the data is a verity device as long as its partition, which has more room.
        let device = found.file_type().is_block_device();
        if !device && found.len() != manifest.file_size {
            let why = format!("it has {} bytes, not {}", found.len(), manifest.file_size);
            return Err(changed(why));
        }
        let root = verity::root(&file, manifest.data_size, &manifest.salt).map_err(missing)?;
        if root != manifest.verity_root {
            let why = format!(
                "its root is {}, not {}",
                hex::encode(root),
                hex::encode(manifest.verity_root)
            );
            return Err(changed(why));
        }
        Ok(VerifiedPack {
            manifest,
            bytes,
            data,
            file,
        })
    }
}

/// Who else could write the file, if anybody. A block device is root's, or it is refused like a
/// file of a stranger's; it is read and hashed like one, whatever is below it.
fn exposure(found: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    if !found.is_file() && !found.file_type().is_block_device() {
        Some("it is neither a regular file nor a block device".to_owned())
    } else if found.uid() != own && found.uid() != 0 {
        Some(format!("it belongs to uid {}", found.uid()))
    } else if found.mode() & 0o022 != 0 {
        Some(format!("its mode is {:o}", found.mode() & 0o7777))
    } else {
        None
    }
}

/// Data whose every block is under the signed root, held open.
#[derive(Debug)]
pub struct VerifiedPack {
    manifest: Manifest,
    bytes: Vec<u8>,
    data: PathBuf,
    file: File,
}

impl VerifiedPack {
    /// Mounts the descriptor that was verified, read-only, attached nowhere yet.
    /// Needs root: erofs cannot be mounted in a user namespace.
    ///
    /// # Errors
    /// [`PackError::Mount`].
    pub fn mount(self) -> Result<MountedPack, PackError> {
        let source = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let mount = || -> rustix::io::Result<OwnedFd> {
            let context = rustix::mount::fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            rustix::mount::fsconfig_set_string(&context, "source", &source)?;
            rustix::mount::fsconfig_create(&context)?;
            rustix::mount::fsmount(
                &context,
                FsMountFlags::FSMOUNT_CLOEXEC,
                MountAttrFlags::MOUNT_ATTR_RDONLY
                    | MountAttrFlags::MOUNT_ATTR_NOSUID
                    | MountAttrFlags::MOUNT_ATTR_NODEV,
            )
        };
        match mount() {
            Ok(mount) => Ok(MountedPack {
                manifest: self.manifest,
                bytes: self.bytes,
                mount,
            }),
            Err(e) => Err(PackError::Mount {
                path: self.data,
                source: e.into(),
            }),
        }
    }
}

/// A verified pack, mounted and attached nowhere.
#[derive(Debug)]
pub struct MountedPack {
    /// What was signed.
    pub manifest: Manifest,
    /// The signed bytes of it.
    pub bytes: Vec<u8>,
    /// The mount.
    pub mount: OwnedFd,
}

/// What agentd, in its rooms, knows of a pack that was mounted for it: the outer
/// side checked the signature and left the manifest's bytes there.
///
/// # Errors
/// [`PackError::Missing`] if no such pack was brought along.
pub fn brought_along(name: &str) -> Result<Manifest, PackError> {
    let path = Path::new(PACKS).join(format!("{name}.pack"));
    let bytes = std::fs::read(&path).map_err(|source| PackError::Missing {
        path: path.clone(),
        source,
    })?;
    Manifest::decode(&bytes).map_err(|why| PackError::Format { path, why })
}
