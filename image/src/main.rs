//! `image`: builds what an appliance is made of.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use casemate_image::error::BuildError;
use casemate_image::lock::refresh;
use casemate_image::pack::{Places, Recipe, pack_ocr, pack_root, verify_reproducible};
use casemate_image::progress::{Progress, say};
use casemate_image::release::make_development_release;
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
    /// Rewrite image/packs/PACK.lock
    Refresh {
        /// Which pack: desktop or office
        #[arg(default_value = "desktop")]
        pack: String,
        /// Where downloads go
        #[arg(long, default_value = "var/build/lock")]
        work: PathBuf,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
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
        Command::Pack(args) => pack(&args),
        Command::Lock(LockCommand::Refresh { pack, work }) => refresh_lock(&pack, &work),
        Command::DevRelease { keys, out } => {
            for path in make_development_release(&keys, &out)? {
                say(&format!("development release: wrote {}", path.display()));
            }
            Ok(())
        }
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

fn pack(args: &PackArgs) -> Result<(), BuildError> {
    let places = Places::beside(&args.out, args.key.as_deref(), args.recipes.as_deref());
    match (args.pack, args.verify_reproducible) {
        (PackName::Desktop, false) => pack_root(&places, "desktop"),
        (PackName::Office, _) => pack_root(&places, "office"),
        (PackName::Desktop, true) => verify_reproducible(&places),
        (PackName::Ocr, _) => pack_ocr(&places),
    }
}

fn refresh_lock(pack: &str, work: &std::path::Path) -> Result<(), BuildError> {
    let recipes = Places::beside(work, None, None).recipes;
    let recipe = Recipe::read(&recipes.join(format!("{pack}.toml")))?;
    std::fs::create_dir_all(work).map_err(BuildError::file("make", work))?;
    let work = work
        .canonicalize()
        .map_err(BuildError::file("find", work))?;
    let progress = Progress::of("lock");
    let fresh: lock::Lock = refresh(&recipe, &work, &progress)?;
    let path = recipes.join(format!("{pack}.lock"));
    std::fs::write(&path, fresh.text()).map_err(BuildError::file("write", &path))?;
    progress.say(&format!(
        "{} packages in {}",
        fresh.packages.len(),
        path.display()
    ));
    Ok(())
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
