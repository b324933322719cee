//! The initrd: our init and `unseal`, three programs of Debian's that make and open volumes, the
//! kernel's modules, the public keys that the image trusts. Nothing else: no shell, no udev.

mod archive;
mod modules;

use std::path::{Path, PathBuf};

use crate::error::BuildError;
use crate::initrd::archive::Archive;
use crate::pack::tree;
use crate::progress::Progress;
use crate::tool::Tool;

pub(crate) use modules::kernel;

/// What makes and opens volumes.
const TOOLS: [&str; 3] = [
    "usr/sbin/veritysetup",
    "usr/sbin/cryptsetup",
    "usr/sbin/mke2fs",
];
const LIBRARIES: [&str; 2] = [
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu/systemd",
];
/// Where the init mounts and makes things.
const FOLDERS: [&str; 14] = [
    "dev", "esp", "etc", "keys", "modules", "proc", "run", "sealed", "state", "sys", "sysroot",
    "tmp", "usr", "usr/sbin",
];

/// What an initrd is made of.
pub(crate) struct Parts<'a> {
    /// Debian's root, before anything was removed from it.
    pub(crate) installed: &'a Path,
    /// The unpacked kernel.
    pub(crate) unpacked: &'a Path,
    /// Where `init` and `unseal` are, linked statically.
    pub(crate) programs: &'a Path,
    /// `release.pub` and `site.pub`.
    pub(crate) keys: [&'a Path; 2],
}

/// Writes the compressed archive to `out`.
///
/// # Errors
/// `File`, `Tool`, `Recipe` when a tool's library or a module is missing.
pub(crate) fn write(parts: &Parts<'_>, out: &Path, progress: &Progress) -> Result<(), BuildError> {
    let mut archive = Archive::default();
    for folder in FOLDERS {
        archive.folder(folder);
    }
    for program in ["init", "unseal"] {
        archive.program(program, read(&parts.programs.join(program))?);
    }
    for (key, name) in parts.keys.iter().zip(["release.pub", "site.pub"]) {
        archive.file(&format!("keys/{name}"), read(key)?);
    }
    for name in TOOLS {
        archive.program(name, read(&parts.installed.join(name))?);
    }
    // mke2fs reads its defaults, which say what a plain ext4 is.
    archive.file(
        "etc/mke2fs.conf",
        read(&parts.installed.join("etc/mke2fs.conf"))?,
    );
    libraries(parts.installed, &mut archive)?;
    let order = modules::in_order(parts.unpacked)?;
    progress.say(&format!("initrd: {} kernel modules", order.len()));
    for (index, module) in order.iter().enumerate() {
        archive.file(
            &format!("modules/{index:02}-{}.ko", module.name),
            module.bytes.clone(),
        );
    }
    let plain = out.with_extension("cpio");
    std::fs::write(&plain, archive.finish()).map_err(BuildError::file("write", &plain))?;
    Tool::new("zstd")
        .args([
            "-19",
            "--no-check",
            "--single-thread",
            "--force",
            "--quiet",
            "-o",
        ])
        .arg(out)
        .arg(&plain)
        .run()?;
    std::fs::remove_file(&plain).map_err(BuildError::file("remove", &plain))
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(BuildError::file("read", path))
}

/// The libraries that the tools are linked with, all in one folder, and the loader where the
/// programs say that it is.
fn libraries(installed: &Path, archive: &mut Archive) -> Result<(), BuildError> {
    for folder in ["lib64", "usr/lib", "usr/lib/x86_64-linux-gnu"] {
        archive.folder(folder);
    }
    let mut waiting: Vec<PathBuf> = TOOLS.iter().map(|name| installed.join(name)).collect();
    let mut done = std::collections::BTreeSet::new();
    while let Some(file) = waiting.pop() {
        for name in needed(&file)? {
            if !done.insert(name.clone()) {
                continue;
            }
            let found = LIBRARIES
                .iter()
                .map(|folder| installed.join(folder).join(&name))
                .find_map(|path| tree::resolve(installed, &path))
                .ok_or_else(|| {
                    BuildError::recipe(&file, format!("needs {name}, which is missing"))
                })?;
            let to = match name.starts_with("ld-linux") {
                true => format!("lib64/{name}"),
                false => format!("usr/lib/x86_64-linux-gnu/{name}"),
            };
            archive.program(&to, read(&found)?);
            waiting.push(found);
        }
    }
    // The loader looks in /lib and /usr/lib and, as built by Debian, in their folders of this
    // architecture: no cache is needed.
    Ok(())
}

/// What an ELF file names as NEEDED.
fn needed(file: &Path) -> Result<Vec<String>, BuildError> {
    let printed = Tool::new("readelf").arg("-d").arg(file).output()?;
    let printed = String::from_utf8_lossy(&printed);
    Ok(printed
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split_once('[')?.1.split_once(']'))
        .map(|(name, _)| name.to_owned())
        .collect())
}
