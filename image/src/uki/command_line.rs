//! The kernel's command line: what is pinned, and what is switched off, each with its reason.
//! It is signed with the image and measured into PCR 11; with Secure Boot on the stub takes no other.

use crate::digest::Sha;

/// What each word is for; `docs/formats/image.md` says the same.
const HARDENING: [(&str, &str); 17] = [
    ("ro", "nothing of the root is written"),
    (
        "lockdown=confidentiality",
        "not even root reads the kernel's memory, or changes it",
    ),
    (
        "module.sig_enforce=1",
        "only modules signed with the kernel",
    ),
    (
        "init_on_alloc=1",
        "memory begins empty, whoever had it before",
    ),
    ("init_on_free=1", "and is emptied when it is given back"),
    (
        "slab_nomerge",
        "objects of one kind are not beside those of another",
    ),
    (
        "page_alloc.shuffle=1",
        "which page comes next cannot be guessed",
    ),
    (
        "randomize_kstack_offset=on",
        "nor where the kernel's stack begins",
    ),
    ("pti=on", "the kernel is not mapped while a program runs"),
    ("vsyscall=none", "no code at a known address"),
    (
        "ia32_emulation=0",
        "no 32-bit system calls, which no filter of ours looks at",
    ),
    ("debugfs=off", "no way in for debugging"),
    (
        "proc_mem.force_override=never",
        "no write to read-only memory through /proc",
    ),
    ("oops=panic", "a bug in the kernel ends the machine"),
    ("panic=10", "and starts it again"),
    (
        "efi=disable_early_pci_dma",
        "no device writes memory before its driver is there",
    ),
    (
        "random.trust_bootloader=off",
        "seeds of a loader do not count as random",
    ),
];
/// Serial line last: it is `/dev/console`.
const CONSOLES: &str = "console=tty0 console=ttyS0,115200 loglevel=4";

/// A verity image as the line pins it.
#[derive(Debug, Clone)]
pub(crate) struct Pin {
    /// `root`, or a pack's name.
    pub(crate) name: String,
    /// The tree's root.
    pub(crate) root: Sha,
    /// Where the tree begins.
    pub(crate) size: u64,
}

/// The line for this root and these packs.
#[must_use]
pub(crate) fn line(root: &Pin, packs: &[Pin]) -> String {
    let mut words: Vec<String> = HARDENING
        .iter()
        .map(|(word, _)| (*word).to_owned())
        .collect();
    words.push(CONSOLES.to_owned());
    words.push(format!("casemate.root={}", pinned(root)));
    for pack in packs {
        words.push(format!("casemate.pack.{}={}", pack.name, pinned(pack)));
    }
    words.join(" ")
}

fn pinned(pin: &Pin) -> String {
    format!("{}.{}", hex::encode(pin.root), pin.size)
}

/// How a partition with this image is called: two slots differ in it.
#[must_use]
pub(crate) fn partition_name(pin: &Pin) -> String {
    let hash = hex::encode(pin.root);
    format!("{}-{}", pin.name, hash.get(..16).unwrap_or_default())
}
