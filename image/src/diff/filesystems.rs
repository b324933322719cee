//! File systems: unpacked by their own tools, then compared file by file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::Comparison;
use super::content::Content;
use crate::error::BuildError;
use crate::tool::Tool;

/// An empty folder that goes away again.
pub(super) fn scratch() -> Result<tempfile::TempDir, BuildError> {
    tempfile::tempdir().map_err(BuildError::file("make", &std::env::temp_dir()))
}

/// What a tool unpacked; nothing if it found the content damaged, which is then compared as bytes.
pub(super) fn opened<T>(result: Result<T, BuildError>) -> Result<Option<T>, BuildError> {
    match result {
        Ok(unpacked) => Ok(Some(unpacked)),
        Err(BuildError::Tool { why, .. }) if !why.starts_with("could not be started") => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an unpacking keeps.
#[derive(Debug, Clone, Copy)]
enum Kept {
    AllTimes,
    /// mcopy makes folders anew.
    TimesOfFiles,
}

impl Comparison {
    /// Two FAT file systems.
    pub(super) fn fats(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let dir = scratch()?;
        let unpack = |of: &Content, name: &str| {
            let to = dir.path().join(name);
            std::fs::create_dir(&to).map_err(BuildError::file("make", &to))?;
            let image = format!("{}@@{}", of.path().display(), of.file().1);
            let copied = Tool::new("mcopy")
                .env("MTOOLS_SKIP_CHECK", "1")
                .env("TZ", "UTC")
                .args(["-s", "-m", "-n", "-i", &image, "::/"])
                .arg(&to)
                .run();
            copied.map(|()| to)
        };
        let (Some(left), Some(right)) = (opened(unpack(a, "a"))?, opened(unpack(b, "b"))?) else {
            return Ok(false);
        };
        self.trees(&left, &right, Kept::TimesOfFiles)?;
        Ok(true)
    }

    /// Two erofs, with whatever stands behind them (their hash trees).
    pub(super) fn erofses(&mut self, a: &Content, b: &Content) -> Result<bool, BuildError> {
        let dir = scratch()?;
        let unpack = |of: &Content, name: &str| {
            let to = dir.path().join(name);
            let image = dir.path().join(format!("{name}.erofs"));
            // Only the file system: a partition is larger, and its rest is compared as bytes.
            let copy = of.part(0, erofs_size(of)?).copied()?;
            std::fs::copy(copy.path(), &image).map_err(BuildError::file("copy", &image))?;
            Tool::new("fsck.erofs")
                .arg(format!("--extract={}", to.display()))
                .arg(&image)
                .run()?;
            std::fs::remove_file(&image).map_err(BuildError::file("remove", &image))?;
            Ok::<PathBuf, BuildError>(to)
        };
        let (Some(left), Some(right)) = (opened(unpack(a, "a"))?, opened(unpack(b, "b"))?) else {
            return Ok(false);
        };
        self.trees(&left, &right, Kept::AllTimes)?;
        Ok(true)
    }

    /// Two folders.
    fn trees(&mut self, a: &Path, b: &Path, kept: Kept) -> Result<(), BuildError> {
        let (left, right) = (list(a)?, list(b)?);
        let names = |of: &BTreeMap<String, PathBuf>| of.keys().cloned().collect::<Vec<_>>();
        self.names("file", &names(&left), &names(&right));
        for (name, path) in &left {
            if let Some(other) = right.get(name) {
                self.within(name, |inner| inner.entries(path, other, kept))?;
            }
        }
        Ok(())
    }

    fn entries(&mut self, a: &Path, b: &Path, kept: Kept) -> Result<(), BuildError> {
        let facts = |path: &Path| {
            let metadata = path.symlink_metadata();
            let metadata = metadata.map_err(BuildError::file("read", path))?;
            let target = std::fs::read_link(path).unwrap_or_default();
            let time = match kept {
                Kept::TimesOfFiles if metadata.is_dir() => 0,
                _ => metadata.mtime(),
            };
            // A folder's size and links are the builder's file system's, not the image's.
            Ok::<_, BuildError>([
                ("mode", format!("{:o}", metadata.mode())),
                ("owner", format!("{}:{}", metadata.uid(), metadata.gid())),
                ("target", target.display().to_string()),
                ("time", time.to_string()),
            ])
        };
        for ((fact, x), (_, y)) in facts(a)?.iter().zip(&facts(b)?) {
            if x != y {
                self.note(format!("{fact} is {x} in the first, {y} in the second"));
            }
        }
        let plain = |path: &Path| path.symlink_metadata().is_ok_and(|of| of.is_file());
        if plain(a) && plain(b) {
            let (a, b) = (Content::open(a)?, Content::open(b)?);
            self.contents(&a, &b)?;
        }
        Ok(())
    }
}

/// Everything below a folder, by its name from there.
fn list(root: &Path) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let mut out = BTreeMap::new();
    for entry in WalkDir::new(root).min_depth(1) {
        let entry = entry.map_err(|error| BuildError::file("walk", root)(error.into()))?;
        let name = entry.path().strip_prefix(root).unwrap_or(entry.path());
        out.insert(format!("/{}", name.display()), entry.path().to_path_buf());
    }
    Ok(out)
}

/// Bytes of the file system by its superblock: blocks at 36, the block's size as a power at 12.
fn erofs_size(of: &Content) -> Result<u64, BuildError> {
    let mut superblock = [0; 40];
    of.read(1024, &mut superblock)?;
    let power = superblock.get(12).copied().unwrap_or(12).clamp(9, 16);
    let blocks = superblock
        .get(36..)
        .and_then(|rest| rest.first_chunk::<4>());
    let blocks = blocks.map_or(0, |bytes| u32::from_le_bytes(*bytes));
    Ok(u64::from(blocks) << power)
}
