//! The disk that holds the image, and its partitions by name (docs/formats/image.md).

use std::fs;
use std::path::{Path, PathBuf};

use crate::command_line::Verity;
use crate::failure::Failure;
use crate::kernel::wait_for;

const BLOCKS: &str = "/sys/class/block";

/// A disk, by its folder in the device tree.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// The disk with this image's root. Which of several same-named ones does not matter: the
    /// tree's root decides whether it is used.
    pub(crate) fn with(root: &Verity) -> Result<Self, Failure> {
        let name = partition_name(root);
        let folder = wait_for(&format!("a partition named {name}"), || {
            let mut blocks = fs::read_dir(BLOCKS).ok()?.filter_map(Result::ok);
            let partition = blocks.find(|block| is_named(&block.path(), &name))?;
            let real = partition.path().canonicalize().ok()?;
            real.parent().map(Path::to_path_buf)
        })?;
        Ok(Self { folder })
    }

    /// The device of the partition for a verity image.
    pub(crate) fn verity(&self, image: &Verity) -> Result<PathBuf, Failure> {
        self.partition(&partition_name(image))
    }

    /// The device of a partition of this disk.
    pub(crate) fn partition(&self, name: &str) -> Result<PathBuf, Failure> {
        wait_for(&format!("a partition named {name}"), || {
            let mut entries = fs::read_dir(&self.folder).ok()?.filter_map(Result::ok);
            let found = entries.find(|entry| is_named(&entry.path(), name))?;
            let device = Path::new("/dev").join(found.file_name());
            device.exists().then_some(device)
        })
    }
}

/// The name and the beginning of the tree's root, so that two slots can be told apart.
fn partition_name(image: &Verity) -> String {
    let (start, _) = image.hash.split_at_checked(16).unwrap_or_default();
    format!("{}-{start}", image.name)
}

fn is_named(folder: &Path, name: &str) -> bool {
    fs::read_to_string(folder.join("uevent")).is_ok_and(|text| {
        text.lines()
            .any(|line| line.strip_prefix("PARTNAME=") == Some(name))
    })
}
