//! `image publish`: from a built image to what leaves the house.
//!
//! The package, a QEMU disk, the bill of materials, where every source is, how it was made, and one
//! list of digests over all of it. Everything but two signatures follows from the inputs;
//! `--signatures` puts those back from a published release, so that an outsider without its keys
//! builds the same bytes, or learns at the first step that they are not the same.

use std::path::{Path, PathBuf};

use crate::digest;
use crate::error::BuildError;
use crate::firmware::SecureBootKeys;
use crate::keys::PackKey;
use crate::lock::sources;
use crate::ova::{Package, PackageKey, Signer};
use crate::ovf::Enrolment;
use crate::progress::Progress;
use crate::provenance::{self, Source, Subject};
use crate::sbom::Bill;
use crate::tool::Tool;

const NAME: &str = "casemate";
const DISK: &str = "casemate.raw";
/// What the build wrote and a release carries besides the disk.
const BUILT: [&str; 2] = ["casemate.efi", "release.cose"];

/// What is published from where.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The checkout that the image was built from.
    pub checkout: PathBuf,
    /// Where the build wrote the image, and where the rest goes.
    pub out: PathBuf,
    /// `release.key`, `package.key`, `package.pem` and `secure-boot/`.
    pub keys: PathBuf,
    /// A published release's `casemate.cert` and `casemate.provenance.json`, in place of the keys
    /// that signed them.
    pub signatures: Option<PathBuf>,
}

impl Publication {
    /// Writes everything.
    ///
    /// # Errors
    /// Any [`BuildError`].
    pub fn run(&self) -> Result<(), BuildError> {
        let progress = Progress::of("publish");
        let mut files: Vec<PathBuf> = BUILT.iter().map(|name| self.out.join(name)).collect();
        progress.say("listing what is in the image");
        let bill = Bill::of_checkout(&self.checkout)?;
        files.extend(bill.write(&self.out)?);
        let listed = self.out.join("casemate.sources");
        let text = sources::of_checkout(&self.checkout)?;
        std::fs::write(&listed, text).map_err(BuildError::file("write", &listed))?;
        files.push(listed);
        progress.say("packing the disk");
        let package = self.package(&bill)?;
        // Beside the package as well: what `--signatures` puts back is then a folder of files.
        let certificate = self.out.join("casemate.cert");
        let tool = Tool::new("tar").arg("-xOf").arg(&package);
        std::fs::write(&certificate, tool.arg("casemate.cert").output()?)
            .map_err(BuildError::file("write", &certificate))?;
        files.extend([package, certificate]);
        files.push(self.qcow2()?);
        files.push(self.provenance(&files, &bill)?);
        let mut sums = String::new();
        files.push(self.out.join(DISK));
        files.sort();
        for file in &files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let digest = hex::encode(digest::of_file(file)?);
            sums.push_str(&format!("{digest}  {name}\n"));
        }
        let path = self.out.join("SHA256SUMS");
        std::fs::write(&path, sums).map_err(BuildError::file("write", &path))?;
        progress.say(&format!("done, in {}", self.out.display()));
        Ok(())
    }

    fn package(&self, bill: &Bill) -> Result<PathBuf, BuildError> {
        let keys = SecureBootKeys::read(&self.keys.join("secure-boot"))?;
        let certificate = |name: &str| {
            let path = keys.path(name, "der");
            std::fs::read(&path).map_err(BuildError::file("read", &path))
        };
        let package = Package {
            name: NAME,
            version: &bill.version,
            disk: &self.out.join(DISK),
            enrolment: Enrolment {
                pk: certificate("PK")?,
                kek: certificate("KEK")?,
                db: certificate("db")?,
            },
            epoch: bill.epoch,
        };
        let path = self.out.join("casemate.ova");
        match &self.signatures {
            Some(dir) => package.write(&Signer::Kept(&dir.join("casemate.cert")), &path)?,
            None => package.write(&Signer::Key(&PackageKey::read(&self.keys)?), &path)?,
        }
        Ok(path)
    }

    /// The disk as QEMU keeps one; its writer puts neither a time nor an identifier into it.
    fn qcow2(&self) -> Result<PathBuf, BuildError> {
        let path = self.out.join("casemate.qcow2");
        Tool::new("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .arg(self.out.join(DISK))
            .arg(&path)
            .run()?;
        Ok(path)
    }

    fn provenance(&self, files: &[PathBuf], bill: &Bill) -> Result<PathBuf, BuildError> {
        let mut subjects = Vec::new();
        for file in files.iter().chain([&self.out.join(DISK)]) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            subjects.push(Subject {
                name: name.into_owned(),
                sha256: digest::of_file(file)?,
            });
        }
        let source = Source::of_checkout(&self.checkout)?;
        let statement = provenance::statement(&subjects, &source, bill);
        let name = "casemate.provenance.json";
        let envelope = match &self.signatures {
            Some(dir) => provenance::kept(&statement, &dir.join(name), &self.release_pub())?,
            None => {
                let key = PackKey::read(&self.keys.join("release.key"))?;
                provenance::envelope(&statement, &key)?
            }
        };
        let path = self.out.join(name);
        std::fs::write(&path, envelope).map_err(BuildError::file("write", &path))?;
        Ok(path)
    }

    fn release_pub(&self) -> PathBuf {
        self.keys.join("release.pub")
    }
}

/// The checkout that this program was built from.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}
