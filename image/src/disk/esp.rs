//! The EFI system partition: the unified image where firmware looks without being told, and the
//! signed manifest that predicts it.

use std::path::{Path, PathBuf};

use crate::disk::ESP;
use crate::error::BuildError;
use crate::tool::Tool;

/// A FAT32 file system in a file.
pub(crate) struct Esp {
    file: PathBuf,
    epoch: u64,
}

impl Esp {
    /// An empty one.
    ///
    /// # Errors
    /// `File` or `Tool`.
    pub(crate) fn new(file: &Path, serial: [u8; 4], epoch: u64) -> Result<Self, BuildError> {
        let _old = std::fs::remove_file(file);
        std::fs::File::create(file)
            .and_then(|made| made.set_len(ESP))
            .map_err(BuildError::file("make", file))?;
        let esp = Self {
            file: file.to_path_buf(),
            epoch,
        };
        esp.tool("mkfs.vfat")
            .args(["--invariant", "-F", "32", "-s", "8", "-n", "ESP", "-i"])
            .arg(hex::encode(serial))
            .arg(file)
            .run()?;
        Ok(esp)
    }

    fn tool(&self, name: &str) -> Tool {
        Tool::new(name)
            .env("SOURCE_DATE_EPOCH", self.epoch.to_string())
            .env("TZ", "UTC")
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// `Tool`.
    pub(crate) fn folder(&self, name: &str) -> Result<(), BuildError> {
        self.tool("mmd")
            .arg("-i")
            .arg(&self.file)
            .arg(format!("::{name}"))
            .run()
    }

    /// Copies a file into it, at the image's time.
    ///
    /// # Errors
    /// `File` or `Tool`.
    pub(crate) fn put(&self, from: &Path, to: &str) -> Result<(), BuildError> {
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(self.epoch);
        std::fs::File::options()
            .write(true)
            .open(from)
            .and_then(|file| file.set_modified(time))
            .map_err(BuildError::file("set time of", from))?;
        self.tool("mcopy")
            .args(["-m", "-i"])
            .arg(&self.file)
            .arg(from)
            .arg(format!("::{to}"))
            .run()
    }
}
