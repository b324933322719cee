//! What the daemon is started with: the handover of unseal, the release manifest.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use casemate_attest::release::MAX_RELEASE;
use casemate_device::Handover;
use casemate_protocol::Code;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::statfs::{FsType, fstatfs};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::code;

/// `RAMFS_MAGIC` of linux/magic.h.
const RAMFS: FsType = FsType(0x8584_58f6);
/// More bytes than any handover has.
const LIMIT: usize = 1024;

/// Reads the handover from the descriptor of this number and lets it go. Whoever
/// started the daemon keeps its own, for a restart.
pub(super) fn take(fd: i32) -> Result<Handover, Failure> {
    let failed = |why: String| {
        let what = format!("reading the handover from descriptor {fd}");
        Failure::new(what, why, &code::START_HANDOVER, Exit::Usage)
    };
    // A number is not a descriptor that safe code can own; the kernel's name for
    // it opens the same memory again, from its start.
    let file = File::open(format!("/proc/self/fd/{fd}")).map_err(|e| failed(e.to_string()))?;
    if let Some(why) = writable(&file) {
        return Err(failed(why.to_owned()));
    }
    let mut bytes = zeroize::Zeroizing::new([0u8; LIMIT]);
    let length = file
        .read_at(bytes.as_mut(), 0)
        .map_err(|e| failed(e.to_string()))?;
    let handover = Handover::from_bytes(bytes.get(..length).unwrap_or_default())
        .map_err(|e| failed(e.to_string()))?;
    let let_go = match fd {
        // Standard input stays something, or the next file would take its number.
        0 => File::open("/dev/null").and_then(|null| Ok(nix::unistd::dup2_stdin(null)?)),
        fd => nix::unistd::close(fd).map_err(Into::into),
    };
    let_go.map_err(|e| failed(e.to_string()))?;
    Ok(handover)
}

/// Why somebody could still write these bytes; `None` for sealed memory, and for what an initrd
/// leaves: a file of root's in memory that is never swapped, which no mode lets anyone write.
fn writable(file: &File) -> Option<&'static str> {
    if let Ok(seals) = fcntl(file, FcntlArg::F_GET_SEALS) {
        let sealed = SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_WRITE);
        return (!sealed).then_some("its memory can still be written");
    }
    let ramfs = fstatfs(file).is_ok_and(|found| found.filesystem_type() == RAMFS);
    match file.metadata() {
        Ok(found) if ramfs && found.uid() == 0 && found.mode() & 0o222 == 0 => None,
        Ok(_) if ramfs => Some("its file can still be written"),
        _ => Some("it is not sealed memory"),
    }
}

/// Reads the signed release manifest; whether it is signed is the verifier's to judge.
pub(super) fn read_release(path: &Path) -> Result<Vec<u8>, Failure> {
    let code: &Code = &code::START_CONFIG;
    let failed = |why: String| {
        let what = format!("reading the release manifest {}", path.display());
        Failure::new(what, why, code, Exit::Usage)
    };
    let limit = u64::try_from(MAX_RELEASE).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|e| failed(e.to_string()))?;
    if bytes.is_empty() || bytes.len() > MAX_RELEASE {
        return Err(failed(format!(
            "it has {} bytes, at most {MAX_RELEASE}",
            bytes.len()
        )));
    }
    Ok(bytes)
}
