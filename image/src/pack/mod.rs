//! Packs: what a job's sandbox is made of (docs/formats/pack.md).

mod desktop;
mod erofs;
pub mod manifest;
mod ocr;
mod recipe;
mod repository;
mod screening;
mod stamp;
mod strip;
mod tree;
mod workbook;

use std::path::{Path, PathBuf};

pub use desktop::{pack_desktop, verify_reproducible};
pub use ocr::pack_ocr;
pub use recipe::Recipe;

/// Where a build reads and writes.
#[derive(Debug, Clone)]
pub struct Places {
    /// The committed recipes: `image/packs`.
    pub recipes: PathBuf,
    /// The finished packs.
    pub out: PathBuf,
    /// Kept downloads.
    pub cache: PathBuf,
    /// Trees under construction; emptied after a build.
    pub work: PathBuf,
    /// The key that signs the manifests.
    pub key: PathBuf,
}

impl Places {
    /// The places of a development stand whose packs go to `out`: cache, work
    /// and key are beside it.
    #[must_use]
    pub fn beside(out: &Path, key: Option<&Path>) -> Self {
        let var = out.parent().unwrap_or(Path::new("."));
        Self {
            recipes: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/packs")),
            out: out.to_path_buf(),
            cache: var.join("cache"),
            work: var.join("build"),
            key: key.map_or_else(|| var.join("dev/release.key"), Path::to_path_buf),
        }
    }
}
