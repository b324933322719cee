//! `image`: builds what an appliance is made of.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casemate_image::build::ImageBuild;
use casemate_image::error::BuildError;
use casemate_image::firmware::SecureBootKeys;
use casemate_image::lock::refresh;
use casemate_image::ova::PackageKey;
use casemate_image::pack::{Places, Recipe, pack_ocr, pack_root, verify_reproducible};
use casemate_image::progress::{Progress, say};
use casemate_image::publish::{self, Publication};
use casemate_image::release::make_development_release;
use casemate_image::sbom::Bill;
use casemate_image::{keys, lock};
use clap::{Parser, Subcommand, ValueEnum};

/// Builds packs, the development release and the image.
#[derive(Parser)]
#[command(name = "image", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build a pack and sign its manifest
    Pack(PackArgs),
    /// Ask the mirror anew which package versions a pack is made of
    #[command(subcommand)]
    Lock(LockCommand),
    /// Make signing keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Build the image: root, unified kernel image, disk, signed manifest
    Build(BuildArgs),
    /// List what is in the image: CycloneDX and SPDX
    Sbom {
        /// Where casemate.cdx.json and casemate.spdx.json go
        #[arg(long, default_value = "var/image/out")]
        out: PathBuf,
    },
    /// Pack a built image: OVA, qcow2, bill of materials, sources, provenance, checksums
    Publish {
        /// Where the built image is, and where the rest goes
        #[arg(long, default_value = "var/image/out")]
        out: PathBuf,
        /// Where release.key, package.key, package.pem and secure-boot/ are
        #[arg(long, default_value = "var/dev")]
        keys: PathBuf,
        /// A published release whose signatures are put back instead of signing
        #[arg(long)]
        signatures: Option<PathBuf>,
    },
    /// Explain why two packages, disks, images or file systems are not the same
    Diff {
        /// One
        first: PathBuf,
        /// The other
        second: PathBuf,
    },
    /// Make the development release: recorded firmware log and signed manifest
    DevRelease {
        /// Where release.key is
        #[arg(long, default_value = "var/dev")]
        keys: PathBuf,
        /// Where firmware.log and release.cose go
        #[arg(long, default_value = "var/dev")]
        out: PathBuf,
    },
}

#[derive(clap::Args)]
struct BuildArgs {
    /// Where our programs are [default: beside this one]
    #[arg(long)]
    programs: Option<PathBuf>,
    /// Where init and unseal are, linked statically
    #[arg(long, default_value = "var/image/initrd")]
    initrd_programs: PathBuf,
    /// Where the packs are
    #[arg(long, default_value = "var/packs")]
    packs: PathBuf,
    /// Where release.key, release.pub, site.pub and secure-boot/ are
    #[arg(long, default_value = "var/dev")]
    keys: PathBuf,
    /// Where the image goes; downloads and work go beside it
    #[arg(long, default_value = "var/image/out")]
    out: PathBuf,
    /// Keep the tree of installed packages, and use the one of the last build
    #[arg(long)]
    keep_tree: bool,
}

#[derive(clap::Args)]
struct PackArgs {
    /// Which pack
    #[arg(value_enum)]
    pack: PackName,
    /// Where NAME.erofs and NAME.pack go; downloads and work go beside it
    #[arg(long, default_value = "var/packs")]
    out: PathBuf,
    /// The key that signs the manifest [default: dev/release.key beside OUT]
    #[arg(long)]
    key: Option<PathBuf>,
    /// Where the recipes are [default: image/packs of the checkout]
    #[arg(long)]
    recipes: Option<PathBuf>,
    /// Build twice from scratch and compare instead; writes no pack
    #[arg(long)]
    verify_reproducible: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PackName {
    /// Display server, window manager, accessibility, office programs
    Desktop,
    /// Text recognition models
    Ocr,
    /// Larger: LibreOffice Calc and Chromium
    Office,
}

#[derive(Subcommand)]
enum LockCommand {
    /// Rewrite a list's lock file beside its recipe
    Refresh {
        /// Which list: desktop, office, or base for the image's root
        #[arg(default_value = "desktop")]
        pack: String,
        /// Where downloads go
        #[arg(long, default_value = "var/build/lock")]
        work: PathBuf,
    },
    /// Rewrite a list's sources file beside its lock: where the source of each package is
    Sources {
        /// Which list: desktop, or base for the image's root
        #[arg(default_value = "desktop")]
        pack: String,
        /// Where downloads go
        #[arg(long, default_value = "var/build/sources")]
        work: PathBuf,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make the development key that signs packages, and its certificate, if they are missing
    Package {
        /// Where they go
        #[arg(long, default_value = "var/dev")]
        out: PathBuf,
    },
    /// Make the development keys of Secure Boot (PK, KEK, db) if they are missing
    SecureBoot {
        /// Where they go
        #[arg(long, default_value = "var/dev/secure-boot")]
        out: PathBuf,
    },
    /// Make the development release and site keys if they are missing
    Dev {
        /// Where they go
        #[arg(long, default_value = "var/dev")]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit())
        }
    }
}

fn run(command: Command) -> Result<(), BuildError> {
    match command {
        Command::Build(args) => build(args)?.run(),
        Command::Pack(args) => pack(&args),
        Command::Lock(LockCommand::Refresh { pack, work }) => refresh_lock(&pack, &work),
        Command::DevRelease { keys, out } => {
            for path in make_development_release(&keys, &out)? {
                say(&format!("development release: wrote {}", path.display()));
            }
            Ok(())
        }
        Command::Sbom { out } => Bill::of_checkout(&publish::checkout())?
            .write(&out)
            .map(drop),
        Command::Publish {
            out,
            keys,
            signatures,
        } => Publication {
            checkout: publish::checkout(),
            out,
            keys,
            signatures,
        }
        .run(),
        Command::Diff { first, second } => diff(&first, &second),
        Command::Lock(LockCommand::Sources { pack, work }) => lock_sources(&pack, &work),
        Command::Keys(KeysCommand::Package { out }) => PackageKey::make(&out).map(drop),
        Command::Keys(KeysCommand::SecureBoot { out }) => SecureBootKeys::make(&out).map(drop),
        Command::Keys(KeysCommand::Dev { out }) => {
            let made = keys::make_development_keys(&out)?;
            say(&format!(
                "development keys in {}: made {}",
                out.display(),
                made.len()
            ));
            Ok(())
        }
    }
}

/// The checkout that this program was built from.
fn checkout() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn build(args: BuildArgs) -> Result<ImageBuild, BuildError> {
    let here = || {
        let own =
            std::env::current_exe().map_err(BuildError::file("find", "this program".as_ref()))?;
        Ok::<_, BuildError>(own.with_file_name(""))
    };
    let beside = args.out.parent().unwrap_or(std::path::Path::new("."));
    Ok(ImageBuild {
        recipes: checkout().join("image/base"),
        units: checkout().join("systemd"),
        programs: args.programs.map_or_else(here, Ok)?,
        initrd_programs: args.initrd_programs,
        packs: args.packs,
        keys: args.keys,
        cache: beside.join("../cache"),
        work: beside.join("work"),
        out: args.out,
        keep_tree: args.keep_tree,
    })
}

fn pack(args: &PackArgs) -> Result<(), BuildError> {
    let places = Places::beside(&args.out, args.key.as_deref(), args.recipes.as_deref());
    match (args.pack, args.verify_reproducible) {
        (PackName::Desktop, false) => pack_root(&places, "desktop"),
        (PackName::Office, _) => pack_root(&places, "office"),
        (PackName::Desktop, true) => verify_reproducible(&places),
        (PackName::Ocr, _) => pack_ocr(&places),
    }
}

/// Says every difference, ends with the first.
fn diff(first: &Path, second: &Path) -> Result<(), BuildError> {
    let differences = casemate_image::diff::compare(first, second)?;
    let Some(cause) = differences.first() else {
        say("the same");
        return Ok(());
    };
    for difference in &differences {
        say(&difference.to_string());
    }
    Err(BuildError::Different {
        first: first.display().to_string(),
        second: second.display().to_string(),
        what: cause.to_string(),
    })
}

fn lock_sources(pack: &str, work: &Path) -> Result<(), BuildError> {
    let (recipe, path, work) = list(pack, work)?;
    let lock = lock::Lock::read(&path.with_extension("lock"))?;
    let text = lock::sources::resolve(&recipe, &lock, &work, &Progress::of("sources"))?;
    let path = path.with_extension("sources");
    std::fs::write(&path, text).map_err(BuildError::file("write", &path))
}

fn refresh_lock(pack: &str, work: &Path) -> Result<(), BuildError> {
    let (recipe, path, work) = list(pack, work)?;
    let progress = Progress::of("lock");
    let fresh: lock::Lock = refresh(&recipe, &work, &progress)?;
    let path = path.with_extension("lock");
    std::fs::write(&path, fresh.text()).map_err(BuildError::file("write", &path))?;
    progress.say(&format!(
        "{} packages in {}",
        fresh.packages.len(),
        path.display()
    ));
    Ok(())
}

/// A list's recipe, where it stands, and the folder to work in, made.
fn list(pack: &str, work: &Path) -> Result<(Recipe, PathBuf, PathBuf), BuildError> {
    let places = Places::beside(work, None, None);
    let recipes = match pack {
        "base" => places.recipes.with_file_name("base"),
        _ => places.recipes,
    };
    let path = recipes.join(format!("{pack}.toml"));
    let recipe = Recipe::read(&path)?;
    std::fs::create_dir_all(work).map_err(BuildError::file("make", work))?;
    let work = work
        .canonicalize()
        .map_err(BuildError::file("find", work))?;
    Ok((recipe, path, work))
}

#[expect(
    clippy::print_stderr,
    reason = "the one place where this program reports an error"
)]
fn report(error: &BuildError) {
    let code = error.code();
    eprintln!(
        "casemate: image: {error}\n  code {}; {}",
        code.id, code.next
    );
}
