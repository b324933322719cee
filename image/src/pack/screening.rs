//! The last look at a tree before it becomes a pack. It does not trust the
//! strip list: it looks for what must not be there, whoever brought it.
//!
//! What it does not promise: that a program which stays cannot be made to
//! interpret something (a spreadsheet has formulas). The sandbox is for that.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use crate::error::BuildError;
use crate::pack::strip::Strip;
use crate::pack::tree::{self, Entry};

/// Programs that make programs.
const COMPILERS: &[&str] = &[
    "as", "c++", "c89", "c99", "cargo", "cc", "clang", "cpp", "csc", "g++", "gcc", "gdb",
    "gfortran", "go", "gold", "ghc", "javac", "ld", "ld.bfd", "ld.gold", "ld.lld", "llc", "lld",
    "make", "mcs", "nasm", "objcopy", "opt", "ocaml", "rustc", "strace", "swiftc", "tcc", "yasm",
];

/// Programs that run what they are given, by the beginning of their names. One
/// may stay if the strip list keeps it by its full path, with the reason.
const INTERPRETERS: &[&str] = &[
    "awk",
    "bash",
    "busybox",
    "csh",
    "dash",
    "deno",
    "emacs",
    "fish",
    "gawk",
    "gjs",
    "guile",
    "java",
    "ksh",
    "lua",
    "mawk",
    "mono",
    "nawk",
    "node",
    "original-awk",
    "perl",
    "php",
    "pwsh",
    "python",
    "qjs",
    "rbash",
    "ruby",
    "sed",
    "sh",
    "tclsh",
    "vim",
    "wish",
    "zsh",
];

/// Programs that install or escalate.
const ADMINISTRATION: &[&str] = &[
    "apt",
    "apt-get",
    "aptitude",
    "bwrap",
    "chroot",
    "dpkg",
    "mount",
    "newgidmap",
    "newuidmap",
    "nsenter",
    "pip",
    "pip3",
    "pkexec",
    "rpm",
    "snap",
    "su",
    "sudo",
    "systemctl",
    "umount",
    "unshare",
];

/// What a unit of systemd is reported as.
const UNIT: &str = "service unit";

/// Looks at every entry of `tree`.
///
/// # Errors
/// `Forbidden` with every finding, or `File` when the tree cannot be read.
pub(crate) fn screen(tree: &Path, strip: &Strip) -> Result<(), BuildError> {
    let mut findings = Vec::new();
    for entry in tree::entries_deepest_first(tree)? {
        for reason in reasons(&entry, strip)? {
            findings.push(format!("{reason}: {}", entry.inside));
        }
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(BuildError::Forbidden { findings })
    }
}

/// The same for the image's root, which has units of systemd and nothing else that a pack must
/// not have.
///
/// # Errors
/// As [`screen`].
pub(crate) fn screen_base(tree: &Path, strip: &Strip) -> Result<(), BuildError> {
    match screen(tree, strip) {
        Err(BuildError::Forbidden { mut findings }) => {
            findings.retain(|finding| !finding.starts_with(UNIT));
            match findings.is_empty() {
                true => Ok(()),
                false => Err(BuildError::Forbidden { findings }),
            }
        }
        other => other,
    }
}

/// Why this entry must not be in a pack; empty when it may.
fn reasons(entry: &Entry, strip: &Strip) -> Result<Vec<&'static str>, BuildError> {
    let mut reasons = Vec::new();
    let kind = entry.metadata.file_type();
    let mode = entry.metadata.permissions().mode();
    if kind.is_block_device() || kind.is_char_device() {
        reasons.push("device node");
    } else if kind.is_socket() || kind.is_fifo() {
        reasons.push("socket or pipe");
    }
    if kind.is_symlink() {
        return Ok(reasons);
    }
    if mode & 0o6000 != 0 {
        reasons.push("set-id");
    }
    if mode & 0o002 != 0 {
        reasons.push("writable by everyone");
    }
    let attributes = xattr::list(&entry.path).map_err(BuildError::file("read", &entry.path))?;
    for name in attributes {
        if name == "security.capability" {
            reasons.push("file capability");
        } else if name.to_string_lossy().starts_with("system.posix_acl") {
            reasons.push("access list");
        }
    }
    if kind.is_file() {
        reasons.extend(unit(entry)?);
        if mode & 0o111 != 0 {
            reasons.extend(program(&entry.inside, strip));
        }
    }
    Ok(reasons)
}

fn program(inside: &str, strip: &Strip) -> Option<&'static str> {
    let name = inside.rsplit('/').next().unwrap_or(inside);
    if COMPILERS.contains(&name) || is_cross(name) {
        return Some("compiler, assembler, linker or debugger");
    }
    if ADMINISTRATION.contains(&name) {
        return Some("administration program");
    }
    let interpreter = INTERPRETERS.iter().any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.chars()
                .all(|c| c.is_ascii_digit() || c == '.' || c == '-')
        })
    });
    (interpreter && !strip.names(inside)).then_some("interpreter that the strip list does not keep")
}

/// `x86_64-linux-gnu-gcc-14` and the like.
fn is_cross(name: &str) -> bool {
    name.split_once("-linux-gnu-").is_some_and(|(_, tool)| {
        COMPILERS
            .iter()
            .any(|compiler| tool == *compiler || tool.starts_with(&format!("{compiler}-")))
    })
}

/// A unit of systemd, wherever it lies. A D-Bus service file, which has the
/// same ending, has another section.
fn unit(entry: &Entry) -> Result<Option<&'static str>, BuildError> {
    let ending = [
        ".service", ".socket", ".timer", ".path", ".mount", ".target",
    ];
    if !ending.iter().any(|ending| entry.inside.ends_with(ending)) {
        return Ok(None);
    }
    let text = std::fs::read(&entry.path).map_err(BuildError::file("read", &entry.path))?;
    let text = String::from_utf8_lossy(&text);
    let systemd = ["[Unit]", "[Service]", "[Socket]", "[Timer]", "[Install]"];
    let found = text.lines().any(|line| systemd.contains(&line.trim()));
    Ok(found.then_some(UNIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    /// Each thing that must stop a build, planted in an otherwise clean tree.
    #[test]
    fn each_forbidden_thing_is_found_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("usr/bin")).unwrap();
        let list = dir.path().join("t.strip");
        std::fs::write(&list, "# Xvnc starts xkbcomp through it\n!/usr/bin/dash\n").unwrap();
        let strip = Strip::read(&list).unwrap();
        let put = |name: &str, mode: u32, text: &str| {
            let path = tree.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        put("usr/bin/evince", 0o755, "\x7fELF");
        put("usr/bin/dash", 0o755, "\x7fELF");
        put("usr/bin/shape-viewer", 0o755, "\x7fELF");
        put("usr/org.a11y.service", 0o644, "[D-BUS Service]\nExec=/x\n");
        screen(&tree, &strip).unwrap();

        put("usr/bin/pw", 0o4755, "\x7fELF");
        put("usr/bin/x86_64-linux-gnu-gcc-14", 0o755, "\x7fELF");
        put("usr/bin/python3.13", 0o755, "\x7fELF");
        put("usr/bin/su", 0o755, "\x7fELF");
        put("usr/open", 0o666, "x");
        put(
            "usr/x.service",
            0o644,
            "[Unit]\nDescription=x\n[Service]\nExecStart=/x\n",
        );
        drop(std::os::unix::net::UnixListener::bind(tree.join("usr/sock")).unwrap());
        let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let capable = tree.join("usr/bin/evince");
        xattr::set(&capable, "security.capability", &capability).expect("this test needs root");
        let BuildError::Forbidden { mut findings } = screen(&tree, &strip).unwrap_err() else {
            panic!("not a screening error");
        };
        findings.sort();
        let expected = [
            "administration program: /usr/bin/su",
            "compiler, assembler, linker or debugger: /usr/bin/x86_64-linux-gnu-gcc-14",
            "file capability: /usr/bin/evince",
            "interpreter that the strip list does not keep: /usr/bin/python3.13",
            "service unit: /usr/x.service",
            "set-id: /usr/bin/pw",
            "socket or pipe: /usr/sock",
            "writable by everyone: /usr/open",
        ];
        assert_eq!(findings, expected);
    }
}
