//! Packs: what a job's sandbox is made of (docs/formats/pack.md).

pub(crate) mod erofs;
pub mod manifest;
mod ocr;
mod recipe;
pub(crate) mod repository;
pub(crate) mod root;
pub(crate) mod screening;
mod stamp;
pub(crate) mod strip;
pub(crate) mod tree;
mod workbook;

use std::path::{Path, PathBuf};

use crate::digest::Sha;
use crate::error::BuildError;
use crate::keys::PackKey;
use crate::pack::manifest::{Application, Identity, Kind, Measured, PackManifest};
use crate::progress::Progress;

pub use ocr::pack_ocr;
pub use recipe::Recipe;
pub use root::{pack_root, verify_reproducible};

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
    pub fn beside(out: &Path, key: Option<&Path>, recipes: Option<&Path>) -> Self {
        let var = out.parent().unwrap_or(Path::new("."));
        Self {
            recipes: recipes.map_or_else(committed_recipes, Path::to_path_buf),
            out: out.to_path_buf(),
            cache: var.join("cache"),
            work: var.join("build"),
            key: key.map_or_else(|| var.join("dev/release.key"), Path::to_path_buf),
        }
    }
}

/// The recipes of the checkout that this program was built from.
fn committed_recipes() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/packs"))
}

/// What a manifest says beside the measure, and the digest of what it was made from.
struct Contents {
    kind: Kind,
    identity: Identity,
    applications: Vec<Application>,
    inputs: Sha,
}

/// Puts a pack under its name: `build` writes the data file to the path that it
/// is given, unless the data file of these inputs is there already; the signed
/// manifest is written anew each time, since the key may be another one.
fn publish(
    places: &Places,
    contents: &Contents,
    progress: &Progress,
    build: impl FnOnce(&Path) -> Result<Measured, BuildError>,
) -> Result<(), BuildError> {
    let key = PackKey::read(&places.key)?;
    std::fs::create_dir_all(&places.out).map_err(BuildError::file("make", &places.out))?;
    let at = |ending: &str| {
        places
            .out
            .join(format!("{}.{ending}", contents.identity.name))
    };
    let (data, part, signed) = (at("erofs"), at("part"), at("pack"));
    let measured = match stamp::built(&data, &contents.inputs)? {
        Some(measured) => {
            progress.say("already built from these inputs");
            measured
        }
        None => {
            let measured = build(&part)?;
            std::fs::rename(&part, &data).map_err(BuildError::file("write", &data))?;
            stamp::note(&data, &contents.inputs, &measured)?;
            measured
        }
    };
    let applications = contents.applications.clone();
    let manifest = PackManifest::new(contents.kind, &contents.identity, measured, applications);
    std::fs::write(&part, manifest.sign(&key)).map_err(BuildError::file("write", &part))?;
    std::fs::rename(&part, &signed).map_err(BuildError::file("write", &signed))?;
    progress.say(&format!(
        "{} MB, verity root {}",
        measured.file_size / 1_000_000,
        hex::encode(measured.verity_root)
    ));
    Ok(())
}

/// What is known of a finished data file, if its stamp is there and says this file.
///
/// # Errors
/// `File` when the data file cannot be read.
pub(crate) fn measured(data: &Path) -> Result<Option<Measured>, BuildError> {
    stamp::whole(data)
}

/// Removes a directory if it is there.
pub(crate) fn remove(dir: &Path) -> Result<(), BuildError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BuildError::file("remove", dir)(error))
        }
        _ => Ok(()),
    }
}
