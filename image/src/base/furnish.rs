//! What Debian does not bring: our programs, the units of `systemd/`, places to mount.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::BuildError;
use crate::tool::Tool;

/// Our programs in the root.
const PROGRAMS: [&str; 5] = [
    "casemated",
    "casemate",
    "agentd",
    "agent-script",
    "agent-hands",
];
const OURS: &str = "usr/lib/casemate";
/// Where something is mounted, or what a program looks for.
const EMPTY: [&str; 8] = [
    "dev",
    "proc",
    "run",
    "sys",
    "tmp",
    "var",
    "root",
    "usr/share/empty",
];

/// What is put into the root besides Debian's files.
pub(crate) struct Furniture<'a> {
    /// Our programs, and `casemate-stick`.
    pub(crate) programs: &'a Path,
    /// The folder `systemd/` of the checkout.
    pub(crate) units: &'a Path,
    /// The signed manifests of the packs.
    pub(crate) packs: &'a [PathBuf],
    /// The public key under which packs are used.
    pub(crate) release_key: &'a Path,
    /// `os-release`.
    pub(crate) os_release: &'a str,
}

/// Puts all of it in its place.
///
/// # Errors
/// `File`, `Recipe` when `links` is malformed, `Tool` when a program cannot be stripped.
pub(crate) fn furnish(tree: &Path, with: &Furniture<'_>) -> Result<(), BuildError> {
    for name in EMPTY {
        make(&tree.join(name))?;
    }
    let ours = tree.join(OURS);
    make(&ours.join("packs"))?;
    for name in PROGRAMS {
        program(&with.programs.join(name), &ours.join(name))?;
    }
    for pack in with.packs {
        let Some(name) = pack.file_name() else {
            continue;
        };
        let at = ours.join("packs").join(name);
        copy(pack, &at)?;
        // The pack's device is bound over this file.
        put(&at.with_extension("erofs"), "")?;
    }
    copy(with.release_key, &ours.join("release.pub"))?;
    copy_below(
        &with.units.join("system"),
        &tree.join("usr/lib/systemd/system"),
    )?;
    copy_below(&with.units.join("etc"), &tree.join("etc"))?;
    links(&with.units.join("links"), tree)?;
    put(&tree.join("usr/lib/os-release"), with.os_release)
}

/// A program without its symbols: they would make it five times as large.
pub(crate) fn program(from: &Path, to: &Path) -> Result<(), BuildError> {
    shipped(from)?;
    if let Some(folder) = to.parent() {
        make(folder)?;
    }
    Tool::new("strip")
        .args(["--strip-all", "--enable-deterministic-archives", "-o"])
        .arg(to)
        .arg(from)
        .run()?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755))
        .map_err(BuildError::file("set mode of", to))
}

/// Refuses a program that was built with features for tests, which take protection away:
/// agentd/src/build.rs marks it.
fn shipped(program: &Path) -> Result<(), BuildError> {
    const MARK: &[u8] = b"casemate-test-build";
    let bytes = std::fs::read(program).map_err(BuildError::file("read", program))?;
    if bytes.windows(MARK.len()).any(|part| part == MARK) {
        let why = std::io::Error::other("it was built for tests: build it without those features");
        return Err(BuildError::file("ship", program)(why));
    }
    Ok(())
}

fn make(dir: &Path) -> Result<(), BuildError> {
    std::fs::create_dir_all(dir).map_err(BuildError::file("make", dir))
}

fn put(path: &Path, text: &str) -> Result<(), BuildError> {
    std::fs::write(path, text).map_err(BuildError::file("write", path))
}

fn copy(from: &Path, to: &Path) -> Result<(), BuildError> {
    std::fs::copy(from, to)
        .map(drop)
        .map_err(BuildError::file("copy", from))
}

fn copy_below(from: &Path, to: &Path) -> Result<(), BuildError> {
    for entry in WalkDir::new(from).sort_by_file_name() {
        let entry = entry.map_err(|error| BuildError::file("walk", from)(error.into()))?;
        let inside = entry.path().strip_prefix(from).unwrap_or(Path::new(""));
        let target = to.join(inside);
        match entry.file_type().is_dir() {
            true => make(&target)?,
            false => copy(entry.path(), &target)?,
        }
    }
    Ok(())
}

/// `links`: where a link stands and what it points to, one a line.
fn links(list: &Path, tree: &Path) -> Result<(), BuildError> {
    let text = std::fs::read_to_string(list).map_err(BuildError::file("read", list))?;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((at, to)) = line.split_once(' ') else {
            return Err(BuildError::recipe(list, format!("not a link: {line}")));
        };
        let at = tree.join(at);
        if let Some(folder) = at.parent() {
            make(folder)?;
        }
        symlink(to, &at).map_err(BuildError::file("link", &at))?;
    }
    Ok(())
}

/// What not everyone reads, after the modes were made plain.
///
/// # Errors
/// `File`.
pub(crate) fn close(tree: &Path) -> Result<(), BuildError> {
    for (name, mode) in [("etc/shadow", 0o600), ("root", 0o700)] {
        let path = tree.join(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
            .map_err(BuildError::file("set mode of", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_for_tests_is_not_shipped() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("agentd"), folder.path().join("shipped"));
        std::fs::write(&from, b"\0\x01 0.1.0 casemate-test-build\0").unwrap();
        let error = program(&from, &to).unwrap_err();
        assert!(error.to_string().contains("built for tests"), "{error}");
        assert!(!to.exists());
        std::fs::write(&from, b"\0\x01 0.1.0\0").unwrap();
        assert!(shipped(&from).is_ok());
        assert!(shipped(&folder.path().join("none")).is_err());
    }
}
