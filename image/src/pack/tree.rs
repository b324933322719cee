//! A pack's tree while it is a directory of the build host.

use std::fs::{File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use walkdir::WalkDir;

use crate::error::BuildError;

/// One entry of the tree.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where it is on the host.
    pub(crate) path: PathBuf,
    /// Where it is in the pack, beginning with `/`.
    pub(crate) inside: String,
    /// Its own metadata, links not followed.
    pub(crate) metadata: std::fs::Metadata,
    /// Whether it is a directory.
    pub(crate) is_dir: bool,
}

/// Every entry below `tree` but the root itself, children before parents.
///
/// # Errors
/// `File` when the tree cannot be walked, `Tool` when a name is not UTF-8.
pub(crate) fn entries_deepest_first(tree: &Path) -> Result<Vec<Entry>, BuildError> {
    let mut entries = Vec::new();
    for entry in WalkDir::new(tree)
        .min_depth(1)
        .contents_first(true)
        .sort_by_file_name()
    {
        let entry = entry.map_err(|e| BuildError::file("walk", tree)(e.into()))?;
        let path = entry.path().to_path_buf();
        let metadata = entry
            .metadata()
            .map_err(|e| BuildError::file("read", &path)(e.into()))?;
        let inside = path.strip_prefix(tree).ok().and_then(Path::to_str);
        let inside = inside.ok_or_else(|| BuildError::recipe(&path, "its name is not UTF-8"))?;
        let inside = format!("/{inside}");
        entries.push(Entry {
            is_dir: metadata.is_dir(),
            path,
            inside,
            metadata,
        });
    }
    Ok(entries)
}

/// Sets the time of every file and directory; links keep theirs (mkfs.erofs
/// writes one time for all).
///
/// # Errors
/// `File`.
pub(crate) fn set_times(tree: &Path, epoch: u64) -> Result<(), BuildError> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    for entry in entries_deepest_first(tree)? {
        if entry.is_dir || entry.metadata.is_file() {
            let file = File::open(&entry.path).map_err(BuildError::file("open", &entry.path))?;
            file.set_times(times)
                .map_err(BuildError::file("set time of", &entry.path))?;
        }
    }
    Ok(())
}

/// Gives everything to root and makes it readable by all and writable by no
/// other, keeping only whether it is executable. Runs after the screening,
/// which must see the modes that the packages brought.
///
/// # Errors
/// `File`.
pub(crate) fn normalise(tree: &Path) -> Result<(), BuildError> {
    for entry in entries_deepest_first(tree)? {
        std::os::unix::fs::lchown(&entry.path, Some(0), Some(0))
            .map_err(BuildError::file("own", &entry.path))?;
        if entry.metadata.is_symlink() {
            continue;
        }
        let executable = entry.is_dir || entry.metadata.permissions().mode() & 0o111 != 0;
        let mode = if executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&entry.path, Permissions::from_mode(mode))
            .map_err(BuildError::file("set mode of", &entry.path))?;
    }
    Ok(())
}

/// Removes links that lead nowhere and executable scripts whose interpreter is
/// gone, until none is left. Returns how many of each went.
///
/// # Errors
/// `File`.
pub(crate) fn prune(tree: &Path) -> Result<(usize, usize), BuildError> {
    let (mut links, mut scripts) = (0, 0);
    loop {
        let before = links + scripts;
        for entry in entries_deepest_first(tree)? {
            let gone = if entry.metadata.is_symlink() {
                let dangling = resolve(tree, &entry.path).is_none();
                links += usize::from(dangling);
                dangling
            } else if entry.metadata.is_file() && entry.metadata.permissions().mode() & 0o111 != 0 {
                let dead = interpreter(&entry.path)?
                    .is_some_and(|inside| resolve(tree, &in_tree(tree, &inside)).is_none());
                scripts += usize::from(dead);
                dead
            } else {
                false
            };
            if gone {
                std::fs::remove_file(&entry.path)
                    .map_err(BuildError::file("remove", &entry.path))?;
            }
        }
        if links + scripts == before {
            return Ok((links, scripts));
        }
    }
}

/// The interpreter that a script names in its first line.
///
/// # Errors
/// `File`.
pub(crate) fn interpreter(path: &Path) -> Result<Option<PathBuf>, BuildError> {
    use std::io::Read;
    let mut head = Vec::new();
    let file = File::open(path).map_err(BuildError::file("read", path))?;
    file.take(256)
        .read_to_end(&mut head)
        .map_err(BuildError::file("read", path))?;
    let Some(rest) = head.strip_prefix(b"#!") else {
        return Ok(None);
    };
    let line = String::from_utf8_lossy(rest);
    Ok(line.split_whitespace().next().map(PathBuf::from))
}

/// The host's path of a path inside the tree.
#[must_use]
pub(crate) fn in_tree(tree: &Path, inside: &Path) -> PathBuf {
    tree.join(inside.strip_prefix("/").unwrap_or(inside))
}

/// Follows links inside the tree as they would be followed with the tree as
/// root. `None` when the path leads nowhere, or in a circle.
#[must_use]
pub(crate) fn resolve(tree: &Path, path: &Path) -> Option<PathBuf> {
    let mut waiting: Vec<std::ffi::OsString> = components(path.strip_prefix(tree).ok()?);
    let mut done = PathBuf::new();
    let mut followed = 0;
    while let Some(next) = waiting.pop() {
        if next == ".." {
            done.pop();
            continue;
        }
        let here = tree.join(&done).join(&next);
        if std::fs::symlink_metadata(&here).ok()?.is_symlink() {
            followed += 1;
            if followed > 40 {
                return None;
            }
            let target = std::fs::read_link(&here).ok()?;
            if target.is_absolute() {
                done = PathBuf::new();
            }
            waiting.extend(components(&target));
        } else {
            done.push(next);
        }
    }
    Some(tree.join(done))
}

/// The names of a path, last first.
fn components(path: &Path) -> Vec<std::ffi::OsString> {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_inside_the_tree_only() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        std::fs::create_dir_all(tree.join("usr/bin")).unwrap();
        std::fs::write(tree.join("usr/bin/dash"), "x").unwrap();
        symlink("usr/bin", tree.join("bin")).unwrap();
        symlink("/bin/dash", tree.join("usr/bin/sh")).unwrap();
        symlink("/etc/passwd", tree.join("usr/bin/out")).unwrap();
        symlink("loop", tree.join("usr/bin/loop")).unwrap();
        assert_eq!(
            resolve(tree, &tree.join("bin/sh")),
            Some(tree.join("usr/bin/dash"))
        );
        assert_eq!(resolve(tree, &tree.join("usr/bin/out")), None);
        assert_eq!(resolve(tree, &tree.join("usr/bin/loop")), None);
    }

    #[test]
    fn a_script_whose_interpreter_is_gone_goes_too() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        std::fs::create_dir_all(tree.join("bin")).unwrap();
        for (name, text) in [
            ("a", "#!/bin/perl -w\n"),
            ("b", "#! /bin/sh\n"),
            ("sh", "\x7fELF"),
        ] {
            std::fs::write(tree.join("bin").join(name), text).unwrap();
            let mode = Permissions::from_mode(0o755);
            std::fs::set_permissions(tree.join("bin").join(name), mode).unwrap();
        }
        symlink("a", tree.join("bin/to-a")).unwrap();
        assert_eq!(prune(tree).unwrap(), (1, 1));
        assert!(tree.join("bin/b").exists());
    }
}
