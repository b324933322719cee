//! The initrd: our init, `unseal`, and the kernel modules that reach the stick.

use std::fs;
use std::path::{Path, PathBuf};

/// What the guest needs that Debian's kernel does not have built in.
const MODULES: [&str; 4] = ["virtio_pci", "virtio_blk", "vfat", "nls_ascii"];
/// Asked for by name at run time, so no module depends on it: vfat's code page.
const CODE_PAGE: &str = "nls_cp437";

/// A cpio archive in the `newc` form (the kernel's buffer-format.rst).
pub(crate) fn build(guest: &Path, unseal: &Path, modules: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    let mut files = vec![
        ("init".to_owned(), 0o100_755, fs::read(guest).unwrap()),
        ("unseal".to_owned(), 0o100_755, fs::read(unseal).unwrap()),
        ("dev".to_owned(), 0o040_755, Vec::new()),
        ("modules".to_owned(), 0o040_755, Vec::new()),
    ];
    let mut order = Vec::new();
    for name in [CODE_PAGE].iter().chain(&MODULES) {
        add(name, modules, &mut order);
    }
    for (index, path) in order.iter().enumerate() {
        let name = path.file_name().unwrap().to_str().unwrap();
        files.push((
            format!("modules/{index:02}-{name}"),
            0o100_644,
            fs::read(path).unwrap(),
        ));
    }
    for (index, (name, mode, content)) in files.iter().enumerate() {
        entry(&mut out, index + 1, name, *mode, content);
    }
    entry(&mut out, 0, "TRAILER!!!", 0, &[]);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn entry(out: &mut Vec<u8>, inode: usize, name: &str, mode: u32, content: &[u8]) {
    let size = content.len();
    out.extend(
        format!(
            "070701{inode:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}",
            0, 0, 1, 0, 0, 0, 0, 0, name.len() + 1, 0
        )
        .as_bytes(),
    );
    out.extend(name.as_bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(content);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// A module after those that it says it depends on.
fn add(name: &str, modules: &Path, order: &mut Vec<PathBuf>) {
    let path = find(modules, &format!("{name}.ko"))
        .unwrap_or_else(|| panic!("the kernel has no module {name}"));
    if order.contains(&path) {
        return;
    }
    let bytes = fs::read(&path).unwrap();
    // `.modinfo` is a sequence of zero-terminated `key=value`.
    let needs = bytes
        .split(|byte| *byte == 0)
        .find_map(|text| text.strip_prefix(b"depends="))
        .unwrap_or_default();
    for needed in std::str::from_utf8(needs).unwrap().split(',') {
        if !needed.is_empty() {
            add(needed, modules, order);
        }
    }
    order.push(path);
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = find(&path, name) {
                return Some(found);
            }
        } else if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .replace('-', "_")
            == name
        {
            return Some(path);
        }
    }
    None
}
