//! The package: `NAME.ova`, one archive with envelope, manifest, certificate and disk, in the
//! order that importers demand (docs/formats/ova.md).
//!
//! Guaranteed, to whoever imports it: every file is the one that the manifest lists, and the
//! manifest is the one that the certificate's key signed. Not guaranteed by that: whose certificate
//! it is; compare its fingerprint with one that came by another way.

mod archive;
mod signature;

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};

pub use archive::{Archive, Member, members};
pub use signature::{PackageKey, Signer};

use crate::digest;
use crate::error::BuildError;
use crate::ovf::{Disk, Enrolment, Machine};
use crate::vmdk;

/// What a package is made of.
#[derive(Debug)]
pub struct Package<'a> {
    /// The name of the machine and, with its endings, of the files.
    pub name: &'a str,
    /// The product's version.
    pub version: &'a str,
    /// The disk, raw.
    pub disk: &'a Path,
    /// The keys that firmware is given.
    pub enrolment: Enrolment,
    /// The time of every file, seconds since 1970.
    pub epoch: u64,
}

/// Processors and memory that the envelope asks for; docs/operations.md says why as many.
const PROCESSORS: u32 = 2;
const MEMORY_MIB: u32 = 4096;

impl Package<'_> {
    /// Packs the disk and writes `out`; parts go beside it and are removed.
    ///
    /// # Errors
    /// `Disk` when it cannot be packed, `Key` and `Tool` of signing, `Signature` when a kept one
    /// is of another package, `File`.
    pub fn write(&self, signer: &Signer<'_>, out: &Path) -> Result<(), BuildError> {
        let part = Part(out.with_extension("vmdk.part"));
        let file = format!("{}-disk1.vmdk", self.name);
        let disk = self.pack(&file, &part.0)?;
        let machine = Machine {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            processors: PROCESSORS,
            memory_mib: MEMORY_MIB,
            disk,
            enrolment: self.enrolment.clone(),
        };
        let envelope = machine.envelope();
        let manifest = format!(
            "{}{}",
            line(
                &format!("{}.ovf", self.name),
                &digest::of_bytes(envelope.as_bytes())
            ),
            line(&file, &digest::of_file(&part.0)?)
        );
        let listing = format!("{}.mf", self.name);
        let certificate = signer.certificate(&listing, manifest.as_bytes(), out)?;
        let whole = Part(out.with_extension("ova.part"));
        let texts = [
            (format!("{}.ovf", self.name), envelope.into_bytes()),
            (listing, manifest.into_bytes()),
            (format!("{}.cert", self.name), certificate),
        ];
        self.archive(&texts, &file, &part.0, &whole.0)
            .map_err(BuildError::file("write", out))?;
        std::fs::rename(&whole.0, out).map_err(BuildError::file("write", out))
    }

    fn pack(&self, file: &str, part: &Path) -> Result<Disk, BuildError> {
        let content = digest::of_file(self.disk)?;
        let source = File::open(self.disk).map_err(BuildError::file("read", self.disk))?;
        let size = source
            .metadata()
            .map_err(BuildError::file("read", self.disk))?
            .len();
        let target = File::create(part).map_err(BuildError::file("write", part))?;
        let descriptor = vmdk::Descriptor {
            name: file,
            content,
        };
        let (source, mut target) = (BufReader::new(source), BufWriter::new(target));
        let populated = vmdk::write(source, size, &descriptor, &mut target).map_err(|error| {
            match error.kind() {
                std::io::ErrorKind::InvalidInput => BuildError::Disk {
                    path: self.disk.to_path_buf(),
                    why: error.to_string(),
                },
                _ => BuildError::file("pack", self.disk)(error),
            }
        })?;
        let file_size = target
            .stream_position()
            .map_err(BuildError::file("write", part))?;
        Ok(Disk {
            file: file.to_owned(),
            file_size,
            capacity: size,
            populated,
            content,
        })
    }

    fn archive(
        &self,
        texts: &[(String, Vec<u8>)],
        file: &str,
        disk: &Path,
        out: &Path,
    ) -> std::io::Result<()> {
        let mut archive = Archive::new(BufWriter::new(File::create(out)?), self.epoch);
        for (name, text) in texts {
            let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
            archive.add(name, size, text.as_slice())?;
        }
        let disk = File::open(disk)?;
        archive.add(file, disk.metadata()?.len(), disk)?;
        let mut out = archive.finish()?;
        out.flush()?;
        out.get_ref().sync_all()
    }
}

/// `SHA256(file)= hex`: without the space that openssl 3 writes before the bracket and without its
/// new name of the digest, both of which importers refuse.
fn line(file: &str, digest: &digest::Sha) -> String {
    format!("SHA256({file})= {}\n", hex::encode(digest))
}

/// A file that is removed unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
