//! What every job stands on: the packs that were verified and mounted for us.

use std::fs::File;
use std::os::fd::OwnedFd;

use casemate_protocol::id::Digest;

use super::files::{self, FileError};
use crate::pack::{self, Application, PackError};
use crate::sandbox::enclosure;

/// What every job of this agentd runs on.
#[derive(Debug)]
pub struct Ground {
    /// The mounted desktop pack.
    pub pack: DesktopPack,
    /// The mounted pack of OCR models, in agentd's tree.
    pub models: String,
}

impl Ground {
    /// The packs that `agentd enter` verified and mounted for us.
    ///
    /// # Errors
    /// [`PackError`] when one that every job needs is not there.
    pub fn brought_along() -> Result<Self, PackError> {
        let desktop = pack::brought_along("desktop")?;
        let models = pack::brought_along("ocr")?;
        let mounted = |name: &str| format!("{}/{name}", enclosure::PACKS);
        let place = mounted(&desktop.name);
        let root = File::open(&place).map_err(|source| PackError::Missing {
            path: place.clone().into(),
            source,
        })?;
        let pack = DesktopPack {
            root_hash: Digest(desktop.verity_root),
            applications: desktop.applications,
            mounted: place,
            root: root.into(),
        };
        Ok(Self {
            pack,
            models: mounted(&models.name),
        })
    }
}

/// The mounted desktop pack.
#[derive(Debug)]
pub struct DesktopPack {
    /// Its verity root, as verified before it was mounted.
    pub root_hash: Digest,
    /// Applications it offers.
    pub applications: Vec<Application>,
    /// Where it is mounted in agentd's tree.
    pub mounted: String,
    /// Descriptor of that place.
    pub root: OwnedFd,
}

/// Largest template document of a pack.
const TEMPLATE: u64 = 4 << 20;

impl DesktopPack {
    /// A template document of the pack.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn template(&self, name: &str) -> Result<Vec<u8>, FileError> {
        if !files::is_name(name) {
            return Err(FileError::Name(name.to_owned()));
        }
        files::read_regular(&self.root, &format!("usr/share/casemate/{name}"), TEMPLATE)
    }
}
