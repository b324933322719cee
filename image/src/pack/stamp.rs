//! Knowing that a pack is already built from these inputs.
//!
//! The stamp is beside the data file. It is trusted no further than to skip
//! work: what it says of the data file is checked against the file's bytes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::{self, Sha};
use crate::error::BuildError;
use crate::pack::manifest::Measured;

/// The builder's own text, so that a changed builder builds again.
const BUILDER: &[&str] = &[
    include_str!("root.rs"),
    include_str!("erofs.rs"),
    include_str!("manifest.rs"),
    include_str!("ocr.rs"),
    include_str!("strip.rs"),
    include_str!("tree.rs"),
    include_str!("workbook.rs"),
];

#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    inputs: String,
    data_size: u64,
    file_size: u64,
    verity_root: String,
    sha256: String,
}

/// Digest of a pack's inputs: its committed files and the builder.
///
/// # Errors
/// `File`.
pub(crate) fn inputs(files: &[&Path]) -> Result<Sha, BuildError> {
    let mut texts: Vec<String> = BUILDER.iter().map(|text| (*text).to_owned()).collect();
    for file in files {
        texts.push(hex::encode(digest::of_file(file)?));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(digest::of_labelled("casemate pack inputs v1", &texts))
}

/// The measure of the data file if it was built from `inputs` and is whole.
///
/// # Errors
/// `File` when the data file is there but cannot be read.
pub(crate) fn built(data: &Path, inputs: &Sha) -> Result<Option<Measured>, BuildError> {
    match read(&beside(data)) {
        Some(stamp) if stamp.inputs == hex::encode(inputs) => whole(data),
        _ => Ok(None),
    }
}

/// The measure of the data file if its stamp is there and says these bytes.
///
/// # Errors
/// `File` when the data file is there but cannot be read.
pub(crate) fn whole(data: &Path) -> Result<Option<Measured>, BuildError> {
    let Some(stamp) = read(&beside(data)) else {
        return Ok(None);
    };
    if !data.exists() {
        return Ok(None);
    }
    let found = digest::of_file(data)?;
    let root: Option<Sha> = hex::decode(&stamp.verity_root)
        .ok()
        .and_then(|b| b.try_into().ok());
    let (Some(verity_root), true) = (root, stamp.sha256 == hex::encode(found)) else {
        return Ok(None);
    };
    let Stamp {
        data_size,
        file_size,
        ..
    } = stamp;
    Ok(Some(Measured {
        data_size,
        file_size,
        verity_root,
        sha256: found,
    }))
}

/// Notes that the data file was built from `inputs`.
///
/// # Errors
/// `File`.
pub(crate) fn note(data: &Path, inputs: &Sha, measured: &Measured) -> Result<(), BuildError> {
    let stamp = Stamp {
        inputs: hex::encode(inputs),
        data_size: measured.data_size,
        file_size: measured.file_size,
        verity_root: hex::encode(measured.verity_root),
        sha256: hex::encode(measured.sha256),
    };
    let path = beside(data);
    let text = toml::to_string(&stamp).map_err(|e| BuildError::recipe(&path, e.to_string()))?;
    std::fs::write(&path, text).map_err(BuildError::file("write", &path))
}

fn beside(data: &Path) -> PathBuf {
    data.with_extension("stamp")
}

fn read(path: &Path) -> Option<Stamp> {
    toml::from_str(&std::fs::read_to_string(path).ok()?).ok()
}
