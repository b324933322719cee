//! `image build`: from locked packages and built programs to a disk that boots.
//!
//! The order is the dependency of measures: packs, then the root that lists them, then the command
//! line that pins both, then the image that carries it, then the manifest that predicts all of it.

use std::path::{Path, PathBuf};

use casemate_attest::predict::{PeImage, pcr7};

use crate::base::furnish::{Furniture, furnish};
use crate::base::{self, Inputs, Trees};
use crate::digest;
use crate::disk::{self, Esp, Filling};
use crate::error::BuildError;
use crate::firmware::{SecureBootKeys, store};
use crate::initrd;
use crate::pack::manifest::Measured;
use crate::pack::{erofs, remove, tree};
use crate::progress::Progress;
use crate::release::{ReleaseKey, Subject, sign_subject};
use crate::tool::Tool;
use crate::uki::{self, command_line};

/// The version as the floor counts it.
const NUMBER: u64 = 1;
const EMPTY_STORE: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/// The packs of a release, in the order of the command line.
const PACKS: [&str; 2] = ["desktop", "ocr"];

/// Where a build reads and writes.
#[derive(Debug, Clone)]
pub struct ImageBuild {
    /// The committed recipe: `image/base`.
    pub recipes: PathBuf,
    /// The folder `systemd/` of the checkout.
    pub units: PathBuf,
    /// Our programs for the root.
    pub programs: PathBuf,
    /// `init` and `unseal`, linked statically.
    pub initrd_programs: PathBuf,
    /// The packs with their signed manifests.
    pub packs: PathBuf,
    /// `release.key`, `release.pub`, `site.pub`, and `secure-boot/`.
    pub keys: PathBuf,
    /// Kept downloads.
    pub cache: PathBuf,
    /// Trees under construction.
    pub work: PathBuf,
    /// Where the image goes.
    pub out: PathBuf,
    /// Keep and use the tree of installed packages in `work`, for who changes what comes after.
    pub keep_tree: bool,
}

impl ImageBuild {
    /// Builds everything.
    ///
    /// # Errors
    /// Any [`BuildError`].
    pub fn run(&self) -> Result<(), BuildError> {
        let progress = Progress::of("image");
        for dir in [&self.work, &self.out] {
            std::fs::create_dir_all(dir).map_err(BuildError::file("make", dir))?;
        }
        let secure_boot = SecureBootKeys::read(&self.keys.join("secure-boot"))?;
        let release_key = ReleaseKey::read(&self.keys.join("release.key"))?;
        let inputs = Inputs::read(&self.recipes)?;
        let trees = self.trees(&inputs, &progress)?;
        progress.say("packing the initrd");
        let initrd = self.initrd(&trees, &progress)?;
        let root = self.root(&inputs, &trees, &progress)?;
        progress.say("making the unified kernel image");
        let uki = self.uki(&inputs, &trees, &initrd, &root, &secure_boot)?;
        let manifest = self.manifest(&uki, &secure_boot, &release_key)?;
        progress.say("writing the disk");
        self.disk(&inputs, &uki, &manifest, &root)?;
        self.variables(&secure_boot)?;
        if !self.keep_tree {
            remove(&self.work)?;
        }
        progress.say(&format!("done, in {}", self.out.display()));
        Ok(())
    }

    fn trees(&self, inputs: &Inputs, progress: &Progress) -> Result<Trees, BuildError> {
        let kept = Trees {
            installed: self.work.join("tree"),
            unpacked: self.work.join("unpacked"),
        };
        if self.keep_tree && kept.installed.exists() && kept.unpacked.exists() {
            progress.say("using the installed packages of the last build");
            return Ok(kept);
        }
        base::install(inputs, &self.cache, &self.work, progress)
    }

    fn initrd(&self, trees: &Trees, progress: &Progress) -> Result<PathBuf, BuildError> {
        let out = self.work.join("initrd.zst");
        let parts = initrd::Parts {
            installed: &trees.installed,
            unpacked: &trees.unpacked,
            programs: &self.initrd_programs,
            keys: [&self.keys.join("release.pub"), &self.keys.join("site.pub")],
        };
        initrd::write(&parts, &out, progress)?;
        Ok(out)
    }

    /// The root's data file with its hash tree.
    fn root(
        &self,
        inputs: &Inputs,
        trees: &Trees,
        progress: &Progress,
    ) -> Result<Measured, BuildError> {
        let root = self.work.join("root");
        remove(&root)?;
        // The installed tree stays whole: it is what a kept build starts from.
        Tool::new("cp")
            .args(["-a", "--reflink=auto"])
            .arg(&trees.installed)
            .arg(&root)
            .run()?;
        base::reduce(inputs, &root, progress)?;
        let packs = PACKS.map(|name| self.packs.join(format!("{name}.pack")));
        furnish(
            &root,
            &Furniture {
                programs: &self.programs,
                units: &self.units,
                packs: &packs,
                release_key: &self.keys.join("release.pub"),
                os_release: &os_release(),
            },
        )?;
        tree::normalise(&root)?;
        base::furnish::close(&root)?;
        tree::set_times(&root, inputs.recipe.epoch)?;
        progress.say("writing the root's erofs and its hash tree");
        let identity = inputs.recipe.identity();
        let out = self.out.join("root.erofs");
        let measured = erofs::write(&root, &out, &identity, inputs.recipe.epoch)?;
        remove(&root)?;
        progress.say(&format!(
            "root: {:.1} MB, verity root {}",
            megabytes(measured.file_size),
            hex::encode(measured.verity_root)
        ));
        Ok(measured)
    }

    fn uki(
        &self,
        inputs: &Inputs,
        trees: &Trees,
        initrd: &Path,
        root: &Measured,
        secure_boot: &SecureBootKeys,
    ) -> Result<Vec<u8>, BuildError> {
        let read = |path: &Path| std::fs::read(path).map_err(BuildError::file("read", path));
        let kernel = initrd::kernel(&trees.unpacked)?;
        let release = kernel.file_name().unwrap_or_default().to_string_lossy();
        let mut pins = Vec::new();
        for name in PACKS {
            pins.push(self.pin(name)?);
        }
        let line = command_line::line(&pin("root", root), &pins);
        let sections = [
            (".osrel", os_release().into_bytes()),
            (".cmdline", line.into_bytes()),
            (".uname", release.into_owned().into_bytes()),
            (".initrd", read(initrd)?),
            (".linux", read(&kernel.join("vmlinuz"))?),
        ];
        let stub = trees
            .unpacked
            .join("usr/lib/systemd/boot/efi/linuxx64.efi.stub");
        let image =
            uki::build(&read(&stub)?, &sections).map_err(|why| BuildError::recipe(&stub, why))?;
        let plain = self.work.join("uki");
        std::fs::write(&plain, image).map_err(BuildError::file("write", &plain))?;
        let signed = self.out.join("casemate.efi");
        let (key, certificate) = (secure_boot.path("db", "key"), secure_boot.path("db", "pem"));
        uki::sign(&plain, &signed, &key, &certificate, inputs.recipe.epoch)?;
        read(&signed)
    }

    /// A pack as the command line pins it.
    fn pin(&self, name: &str) -> Result<command_line::Pin, BuildError> {
        let path = self.packs.join(format!("{name}.stamp"));
        let measured = crate::pack::measured(&self.packs.join(format!("{name}.erofs")))?
            .ok_or_else(|| BuildError::recipe(&path, "is missing or says another file"))?;
        Ok(pin(name, &measured))
    }

    fn manifest(
        &self,
        uki: &[u8],
        secure_boot: &SecureBootKeys,
        key: &ReleaseKey,
    ) -> Result<PathBuf, BuildError> {
        let unpredicted = |error: casemate_attest::predict::PredictError| BuildError::Tool {
            program: "the UKI".to_owned(),
            why: error.to_string(),
        };
        let image = PeImage::read(uki).map_err(|error| unpredicted(error.into()))?;
        let events = pcr7::predict(&secure_boot.databases()?, &image).map_err(unpredicted)?;
        let subject = Subject {
            product: "casemate",
            version: env!("CARGO_PKG_VERSION").to_owned(),
            number: NUMBER,
            development: false,
            uki,
            secure_boot: events,
        };
        let signed = sign_subject(&subject, key)?;
        let path = self.out.join("release.cose");
        std::fs::write(&path, signed.manifest).map_err(BuildError::file("write", &path))?;
        Ok(path)
    }

    fn disk(
        &self,
        inputs: &Inputs,
        uki: &[u8],
        manifest: &Path,
        root: &Measured,
    ) -> Result<(), BuildError> {
        let esp = self.work.join("esp.img");
        let seed = digest::of_bytes(uki);
        let [a, b, c, d, ..] = seed;
        let partition = Esp::new(&esp, [a, b, c, d], inputs.recipe.epoch)?;
        for folder in ["EFI", "EFI/BOOT", "casemate"] {
            partition.folder(folder)?;
        }
        partition.put(&self.out.join("casemate.efi"), "EFI/BOOT/BOOTX64.EFI")?;
        partition.put(manifest, "casemate/release.cose")?;
        let mut slot = vec![Filling {
            partition: command_line::partition_name(&pin("root", root)),
            room: "root",
            file: self.out.join("root.erofs"),
        }];
        for room in disk::rooms().filter(|room| *room != "root") {
            slot.push(Filling {
                partition: command_line::partition_name(&self.pin(room)?),
                room,
                file: self.packs.join(format!("{room}.erofs")),
            });
        }
        disk::write(&self.out.join("casemate.raw"), &esp, &slot, &seed)?;
        std::fs::remove_file(&esp).map_err(BuildError::file("remove", &esp))
    }

    /// The variable store of a machine that is delivered with our keys.
    fn variables(&self, secure_boot: &SecureBootKeys) -> Result<(), BuildError> {
        let from = Path::new(EMPTY_STORE);
        let empty = std::fs::read(from).map_err(BuildError::file("read", from))?;
        let enrolled = store::enrolled(&empty, &secure_boot.databases()?)
            .map_err(|why| BuildError::recipe(from, why))?;
        let path = self.out.join("variables.fd");
        std::fs::write(&path, enrolled).map_err(BuildError::file("write", &path))
    }
}

fn pin(name: &str, measured: &Measured) -> command_line::Pin {
    command_line::Pin {
        name: name.to_owned(),
        root: measured.verity_root,
        size: measured.data_size,
    }
}

fn megabytes(bytes: u64) -> f64 {
    u32::try_from(bytes / 1000).map_or(f64::INFINITY, f64::from) / 1000.0
}

fn os_release() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "ID=casemate\nID_LIKE=debian\nNAME=Casemate\nPRETTY_NAME=\"Casemate {version}\"\n\
         VERSION_ID={version}\nIMAGE_ID=casemate\nIMAGE_VERSION={version}\n"
    )
}
