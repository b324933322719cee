//! Which kernel modules the image has, each after those it needs. There are no others: the root
//! has none, and the init shuts the door when these are loaded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::BuildError;
use crate::tool::Tool;

/// What the image needs of Debian's kernel that is not built in.
const WANTED: [&str; 25] = [
    // Disks: QEMU and libvirt, VMware, VirtualBox, plain machines.
    "virtio_blk",
    "virtio_scsi",
    "vmw_pvscsi",
    "mptspi",
    "ahci",
    "nvme",
    "sd_mod",
    // The stick, and the partition with the release manifest.
    "usb-storage",
    "uas",
    "xhci-pci",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    // Verified and encrypted volumes, and what is on them. Ciphers are named because nothing
    // answers the kernel when it asks for one.
    "dm-verity",
    "dm-crypt",
    "xts",
    "aesni-intel",
    "erofs",
    "ext4",
    // The packet filter.
    "nf_tables",
    // Keyboard of the console; randomness; the watchdogs of QEMU and of Intel's chip sets.
    "usbhid",
    "hid-generic",
    "virtio-rng",
    "i6300esb",
    "iTCO_wdt",
];

/// A module, unpacked.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The kernel's own folder below an unpacked tree, which is named for its release.
///
/// # Errors
/// `File`, or `Recipe` when there is not exactly one.
pub(crate) fn kernel(unpacked: &Path) -> Result<PathBuf, BuildError> {
    let folder = unpacked.join("usr/lib/modules");
    let found = crate::pack::root::list(&folder)?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(BuildError::recipe(
            &folder,
            "does not hold exactly one kernel",
        )),
    }
}

/// Every wanted module and what it needs, in the order of loading.
///
/// # Errors
/// `Recipe` when the kernel lacks one, `Tool` when one cannot be unpacked.
pub(super) fn in_order(unpacked: &Path) -> Result<Vec<Module>, BuildError> {
    let folder = kernel(unpacked)?.join("kernel");
    let mut files = BTreeMap::new();
    for entry in WalkDir::new(&folder) {
        let entry = entry.map_err(|error| BuildError::file("walk", &folder)(error.into()))?;
        let name = entry.file_name().to_string_lossy();
        if let Some((name, _)) = name.split_once(".ko") {
            files.insert(plain(name), entry.path().to_path_buf());
        }
    }
    let mut order = Vec::new();
    for name in WANTED {
        add(name, &files, &mut order, &folder)?;
    }
    Ok(order)
}

/// The kernel takes `-` and `_` for the same.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

fn add(
    name: &str,
    files: &BTreeMap<String, PathBuf>,
    order: &mut Vec<Module>,
    folder: &Path,
) -> Result<(), BuildError> {
    let name = plain(name);
    if order.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let path = files
        .get(&name)
        .ok_or_else(|| BuildError::recipe(folder, format!("has no module {name}")))?;
    let bytes = match path.extension().is_some_and(|ending| ending == "xz") {
        true => Tool::new("xz").args(["-d", "-c"]).arg(path).output()?,
        false => std::fs::read(path).map_err(BuildError::file("read", path))?,
    };
    for needed in needs(&bytes) {
        add(&needed, files, order, folder)?;
    }
    order.push(Module { name, bytes });
    Ok(())
}

/// `.modinfo` is a sequence of zero-terminated `key=value`.
fn needs(bytes: &[u8]) -> Vec<String> {
    bytes
        .split(|byte| *byte == 0)
        .find_map(|text| text.strip_prefix(b"depends="))
        .map(|names| String::from_utf8_lossy(names).into_owned())
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
