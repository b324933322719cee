//! Inputs for agentd: sealed memory that can be read and never changed.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// Memory being filled.
#[derive(Debug)]
pub struct Filling(File);

impl Filling {
    /// Empty memory.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let fd = memfd_create(c"casemate-input", flags)?;
        Ok(Self(File::from(fd)))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Seals it: from here on nobody, this program included, can write, grow or shrink it.
    ///
    /// # Errors
    /// The system's.
    pub fn seal(mut self) -> io::Result<OwnedFd> {
        let seals = SealFlag::F_SEAL_WRITE
            | SealFlag::F_SEAL_GROW
            | SealFlag::F_SEAL_SHRINK
            | SealFlag::F_SEAL_SEAL;
        fcntl(&self.0, FcntlArg::F_ADD_SEALS(seals))?;
        self.0.rewind()?;
        Ok(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn sealed_memory_cannot_be_written() {
        let mut filling = Filling::new().unwrap();
        filling.write(b"invoice").unwrap();
        let mut file = File::from(filling.seal().unwrap());
        assert_eq!(
            file.write(b"x").unwrap_err().raw_os_error(),
            Some(nix::libc::EPERM)
        );
        assert_eq!(
            file.set_len(1).unwrap_err().raw_os_error(),
            Some(nix::libc::EPERM)
        );
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "invoice");
    }
}
