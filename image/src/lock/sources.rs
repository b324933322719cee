//! Where the sources of a lock's packages are: `NAME.sources` beside `NAME.lock`.
//!
//! What the licences of many packages ask a distributor for, and what lets a release be built again
//! when the mirror has moved on: each file of each source package by name and digest, in the form
//! that every archive and every snapshot of Debian keeps. The files themselves are fetched by who
//! wants them.

use std::collections::BTreeSet;
use std::path::Path;

use super::refresh::PrivateApt;
use super::{Lock, Mirror};
use crate::error::BuildError;
use crate::pack::Recipe;
use crate::progress::Progress;

const HEADER: &str = "# Written by `image lock sources`; one file of a source package a line:\n\
                      # sha256 bytes archive path\n";
/// The lists whose packages are in the image.
const LISTS: [&str; 2] = ["image/base/base.sources", "image/packs/desktop.sources"];

/// Asks the mirror for the sources of exactly the locked versions. Returns the file's text.
///
/// # Errors
/// `NoMirror`, `Tool` when apt fails or a source is gone, `Recipe` when its answer is not
/// understood.
pub fn resolve(
    recipe: &Recipe,
    lock: &Lock,
    work: &Path,
    progress: &Progress,
) -> Result<String, BuildError> {
    let mirror = Mirror::of_this_machine()?;
    let apt = PrivateApt::new(work, recipe, &mirror, &["deb", "deb-src"])?;
    progress.say("reading the mirror's indexes, sources among them");
    apt.get().arg("update").run()?;
    progress.say("resolving the sources of the locked packages");
    let packages = lock.packages.iter();
    let printed = apt
        .get()
        .args(["source", "--print-uris", "-qq"])
        .args(["-o", "Acquire::ForceHash=SHA256"])
        .args(packages.map(|package| format!("{}={}", package.name, package.version)))
        .output()?;
    let mut lines = BTreeSet::new();
    for line in String::from_utf8_lossy(&printed).lines() {
        if !line.starts_with('\'') {
            // "Picking 'x' as source package instead of 'y'"
            continue;
        }
        let file = file(line, &mirror).ok_or_else(|| {
            let why = format!("apt printed a line that is not understood: {line}");
            BuildError::recipe(work, why)
        })?;
        lines.insert(file);
    }
    let mut text = HEADER.to_owned();
    for (path, rest) in lines {
        text.push_str(&format!("{rest} {path}\n"));
    }
    Ok(text)
}

/// `'URI' file size SHA256:hex`: the path, and what stands before it.
fn file(line: &str, mirror: &Mirror) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let uri = words.next()?.trim_matches('\'');
    let size: u64 = words.nth(1)?.parse().ok()?;
    let sha256 = words.next()?.strip_prefix("SHA256:")?;
    let (archive, path) = mirror.split(uri)?;
    Some((path.to_owned(), format!("{sha256} {size} {archive}")))
}

/// The lists of a checkout as one.
///
/// # Errors
/// `File`, `Recipe` for a line that is none of ours.
pub fn of_checkout(checkout: &Path) -> Result<String, BuildError> {
    let mut lines = BTreeSet::new();
    for list in LISTS {
        let path = checkout.join(list);
        let text = std::fs::read_to_string(&path).map_err(BuildError::file("read", &path))?;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let [sha256, _, _, place] = words.as_slice() else {
                return Err(BuildError::recipe(&path, format!("not a source: {line}")));
            };
            if sha256.len() != 64 || place.starts_with('/') {
                return Err(BuildError::recipe(&path, format!("not a source: {line}")));
            }
            lines.insert(((*place).to_owned(), line.to_owned()));
        }
    }
    let mut text = HEADER.to_owned();
    for (_, line) in lines {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}
