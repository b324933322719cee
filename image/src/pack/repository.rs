//! A flat repository of exactly the locked packages, so that mmdebstrap has
//! nothing to choose and no network to ask.

use std::path::{Path, PathBuf};

use crate::digest;
use crate::error::BuildError;
use crate::lock::Lock;
use crate::tool::Tool;

/// Makes the repository in `dir` (replacing it) from the fetched `debs`, given
/// in the lock's order.
///
/// # Errors
/// `File`, or `Tool` when dpkg-deb cannot read a package.
pub(crate) fn make(
    dir: &Path,
    lock: &Lock,
    debs: &[PathBuf],
    suite: &str,
    architecture: &str,
) -> Result<(), BuildError> {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).map_err(BuildError::file("make", dir))?;
    let mut index = String::new();
    for (package, deb) in lock.packages.iter().zip(debs) {
        let name = format!("{}_{}.deb", package.name, package.arch);
        let link = dir.join(&name);
        std::fs::hard_link(deb, &link).map_err(BuildError::file("link", &link))?;
        let control = Tool::new("dpkg-deb").arg("-f").arg(deb).output()?;
        index.push_str(String::from_utf8_lossy(&control).trim_end());
        index.push_str(&format!(
            "\nFilename: ./{name}\nSize: {}\nSHA256: {}\n\n",
            package.size, package.sha256
        ));
    }
    let release = format!(
        "Suite: {suite}\nCodename: {suite}\nArchitectures: {architecture}\nSHA256:\n {} {} Packages\n",
        hex::encode(digest::of_bytes(index.as_bytes())),
        index.len()
    );
    for (name, text) in [("Packages", index), ("Release", release)] {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(BuildError::file("write", &path))?;
    }
    Ok(())
}
