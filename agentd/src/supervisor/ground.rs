//! What every job stands on: the packs that were verified and mounted for us.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use casemate_protocol::id::Digest;
use casemate_protocol::job::JobSpec;

use super::files::{self, FileError};
use crate::denial::Watch;
use crate::denial::start::CHANNEL;
use crate::egress::outlet::{Outlet, Plan, Record};
use crate::egress::{Connector, Site, code, site};
use crate::pack::{self, Application, PackError};
use crate::sandbox::{Refusal, Running, enclosure, sys};

/// What every job of this agentd runs on.
#[derive(Debug)]
pub struct Ground {
    /// The mounted desktop pack.
    pub pack: DesktopPack,
    /// The mounted pack of OCR models, in agentd's tree.
    pub models: String,
    /// The site's grants and who connects, if there is anything that a job may reach.
    pub egress: Option<(Site, Connector)>,
    /// What is denied to its sandboxes.
    pub watch: Arc<Watch>,
}

impl Ground {
    /// The packs that `agentd enter` verified and mounted for us.
    ///
    /// # Errors
    /// [`GroundError`] when a pack that every job needs is not there.
    pub fn brought_along() -> Result<Self, GroundError> {
        // First, before its number can be another's.
        let watch = match sys::adopt(CHANNEL) {
            Ok(channel) => Watch::of(channel),
            Err(_) => Watch::nobody("no audit reader was started"),
        };
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
            egress: egress()?,
            watch,
        })
    }

    /// The way out of a job's desktop, by a proxy of the id `uid`.
    ///
    /// # Errors
    /// [`Refusal`] when there is none, or its proxy cannot be started.
    pub fn outlet(
        &self,
        spec: &JobSpec,
        uid: u32,
        desktop: &Running,
        record: Record,
    ) -> Result<Outlet, Refusal> {
        let none = |code, why: &str| Refusal::new(code, "the job has no way out", why);
        let (site, connector) = self
            .egress
            .as_ref()
            .ok_or_else(|| none(&code::NOT_SITE, "this site grants nothing"))?;
        let listening = desktop
            .take_listening()
            .ok_or_else(|| none(&code::LOST, "its desktop has no port for it"))?;
        Outlet::open(Plan {
            root: self.pack.mounted.clone(),
            name: format!("{}-proxy", spec.job),
            uid,
            listening,
            grants: spec.grants.egress().to_vec(),
            bounds: site.bounds(),
            connector: connector.clone(),
            record,
        })
    }
}

/// The site's file and the connector, which `agentd enter` gives together or not at all.
fn egress() -> Result<Option<(Site, Connector)>, GroundError> {
    let text = match std::fs::read_to_string(site::PLACE) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(GroundError::Connector(e)),
    };
    let connector = Connector::adopt(enclosure::CONNECTOR).map_err(GroundError::Connector)?;
    Ok(Some((Site::parse(&text)?, connector)))
}

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// A pack.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The site's grants are not well-formed.
    #[error(transparent)]
    Site(#[from] Refusal),
    /// The way to the connector, where there are grants.
    #[error("the way to the connector was not passed on: {0}")]
    Connector(std::io::Error),
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

/// Where a pack has its template documents.
const TEMPLATES: &str = "usr/share/casemate";
/// Largest template document of a pack.
const TEMPLATE: u64 = 4 << 20;

impl DesktopPack {
    /// Where its template documents are, in agentd's tree.
    pub fn templates(&self) -> String {
        format!("{}/{TEMPLATES}", self.mounted)
    }

    /// A template document of the pack.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn template(&self, name: &str) -> Result<Vec<u8>, FileError> {
        if !files::is_name(name) {
            return Err(FileError::Name(name.to_owned()));
        }
        files::read_regular(&self.root, &format!("{TEMPLATES}/{name}"), TEMPLATE)
    }
}
