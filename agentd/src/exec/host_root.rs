//! `--host-root`: the host's own tree as a root, for tests on a build host.
//!
//! It is no pack: what it holds is whatever the host has. The profile's rights on the
//! pack are the rights on it, so `/usr` and `/etc` may be read where the profile says
//! so and nothing else may be opened. `/proc`, `/sys`, `/dev`, `/run`, `/boot` and
//! `/tmp` are left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

use rustix::mount::MountAttrFlags;

use super::refuse;
use crate::sandbox::enclosure::Extra;
use crate::sandbox::profile::is_plain;
use crate::sandbox::{Profile, Refusal, mounts};

/// What of the host's root is not taken along.
const APART: [&str; 7] = ["proc", "sys", "dev", "run", "boot", "tmp", "lost+found"];
/// Kinds of file systems that hold files of the host; others are the kernel's own.
const KINDS: [&str; 9] = [
    "ext4", "xfs", "btrfs", "f2fs", "overlay", "zfs", "erofs", "squashfs", "virtiofs",
];

/// Brings the host's tree along, read-only, at `root`.
pub(super) fn gather(root: &str, profile: &Profile, extra: &mut Vec<Extra>) -> Result<(), Refusal> {
    let failed = |e: std::io::Error| refuse(format!("the host's tree: {e}"));
    let base = mounts::make(
        "tmpfs",
        &[("mode", "755"), ("size", "64k")],
        MountAttrFlags::empty(),
    )?;
    // Directories of the base itself: places for mounts that the host does not have.
    let mut places: BTreeSet<String> = profile.places().filter_map(top).collect();
    places.extend(["proc", "dev"].map(str::to_owned));
    let mut taken = Vec::new();
    for entry in fs::read_dir("/").map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(failed)?;
        if APART.contains(&name.as_str()) {
            continue;
        }
        let at = format!("{root}/{name}");
        if kind.is_dir() {
            places.remove(&name);
            taken.push(Extra::read_only(entry.path(), at));
        } else if kind.is_symlink() {
            places.remove(&name);
            let target = fs::read_link(entry.path()).map_err(failed)?;
            taken.push(Extra::link(target, at));
        }
    }
    for name in places {
        rustix::fs::mkdirat(&base, &name, rustix::fs::Mode::from_raw_mode(0o755))
            .map_err(|e| failed(e.into()))?;
    }
    extra.push(Extra::mount(base, root.to_owned()));
    extra.extend(taken);
    for place in mounted_below() {
        extra.push(Extra::read_only(
            place.clone().into(),
            format!("{root}{place}"),
        ));
    }
    Ok(())
}

/// The place of the workspace inside: where it is on the host.
pub(super) fn own_path(workspace: &Path) -> Result<String, Refusal> {
    let path = workspace
        .canonicalize()
        .map_err(|e| refuse(format!("{}: {e}", workspace.display())))?;
    path.to_str()
        .filter(|path| is_plain(path))
        .map(str::to_owned)
        .ok_or_else(|| refuse(format!("{} cannot be a place inside", path.display())))
}

fn top(path: &str) -> Option<String> {
    Path::new(path).components().find_map(|part| match part {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    })
}

/// Directories on which the host has mounted more files of its own, parents first.
fn mounted_below() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    places_of(&table)
}

fn places_of(table: &str) -> Vec<String> {
    let mut places: Vec<String> = table
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let place = left.split(' ').nth(4)?;
            let kind = right.split(' ').next()?;
            let apart = top(place).is_none_or(|top| APART.contains(&top.as_str()));
            let plain = is_plain(place) && !place.contains('\\');
            (plain && !apart && KINDS.contains(&kind) && Path::new(place).is_dir())
                .then(|| place.to_owned())
        })
        .collect();
    places.sort();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_that_hold_files_of_the_host_are_taken_along() {
        let table = "22 1 8:1 / / rw - ext4 /dev/vda rw\n\
            23 22 0:5 / /usr rw - proc proc rw\n\
            24 22 8:2 / /usr rw,relatime shared:1 - xfs /dev/vdb rw\n\
            25 22 8:3 / /tmp rw - ext4 /dev/vdc rw\n\
            26 22 8:3 / /no\\040place rw - ext4 /dev/vdc rw\n";
        assert_eq!(places_of(table), ["/usr"]);
    }
}
