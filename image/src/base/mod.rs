//! The image's root, from the lock to a tree: Debian's packages, less all that an appliance does
//! not run, and our daemons and units.
//!
//! The same tree gives the initrd its tools before they are removed from it.

pub(crate) mod furnish;

use std::path::{Path, PathBuf};

use crate::error::BuildError;
use crate::lock::{Lock, fetch};
use crate::pack::strip::Strip;
use crate::pack::{Recipe, remove, repository, root, tree};
use crate::progress::Progress;
use crate::tool::Tool;

/// The committed inputs of the image's root.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// What is wanted.
    pub(crate) recipe: Recipe,
    /// What that is, by digest.
    pub(crate) lock: Lock,
    /// What of it does not stay.
    pub(crate) strip: Strip,
}

impl Inputs {
    /// Reads `base.toml`, `base.lock` and `base.strip` of `dir`.
    ///
    /// # Errors
    /// `File` or `Recipe`.
    pub(crate) fn read(dir: &Path) -> Result<Self, BuildError> {
        Ok(Self {
            recipe: Recipe::read(&dir.join("base.toml"))?,
            lock: Lock::read(&dir.join("base.lock"))?,
            strip: Strip::read(&dir.join("base.strip"))?,
        })
    }

    /// Whether a package is unpacked beside the root instead of installed in it.
    fn beside(&self, name: &str) -> bool {
        let Recipe {
            backports,
            unpacked,
            ..
        } = &self.recipe;
        backports.iter().chain(unpacked).any(|other| other == name)
    }
}

/// Two trees: what was installed, whole, and what was only unpacked.
#[derive(Debug)]
pub(crate) struct Trees {
    /// Debian's root, nothing removed yet.
    pub(crate) installed: PathBuf,
    /// Kernel, its modules, the loader's stub.
    pub(crate) unpacked: PathBuf,
}

/// Installs the locked packages into `work/tree` and unpacks the others into `work/unpacked`.
///
/// # Errors
/// Any [`BuildError`] of fetching and installing.
pub(crate) fn install(
    inputs: &Inputs,
    cache: &Path,
    work: &Path,
    progress: &Progress,
) -> Result<Trees, BuildError> {
    let debs = fetch(&inputs.lock, &cache.join("debs"), progress)?;
    let trees = Trees {
        installed: work.join("tree"),
        unpacked: work.join("unpacked"),
    };
    for dir in [&trees.installed, &trees.unpacked] {
        remove(dir)?;
    }
    std::fs::create_dir_all(&trees.unpacked).map_err(BuildError::file("make", &trees.unpacked))?;
    let mut lock = Lock {
        packages: Vec::new(),
    };
    let mut chosen = Vec::new();
    for (package, deb) in inputs.lock.packages.iter().zip(debs) {
        if inputs.beside(&package.name) {
            progress.say(&format!("unpacking {}", package.name));
            let to = &trees.unpacked;
            Tool::new("dpkg-deb").arg("-x").arg(&deb).arg(to).run()?;
        } else {
            lock.packages.push(package.clone());
            chosen.push(deb);
        }
    }
    let recipe = &inputs.recipe;
    let packages = work.join("repository");
    repository::make(
        &packages,
        &lock,
        &chosen,
        &recipe.suite,
        &recipe.architecture,
    )?;
    progress.say(&format!(
        "installing {} packages (about a minute)",
        lock.packages.len()
    ));
    root::bootstrap(&trees.installed, &packages, recipe, &lock)?;
    Ok(trees)
}

/// Removes what the list says, and looks for what must not be there.
///
/// # Errors
/// `File`, `Recipe` when a line of the list matches nothing, `Forbidden`.
pub(crate) fn reduce(inputs: &Inputs, tree: &Path, progress: &Progress) -> Result<(), BuildError> {
    let texts = root::gather_licences(tree)?;
    let removed = inputs.strip.apply(tree)?;
    let (links, scripts) = tree::prune(tree)?;
    progress.say(&format!(
        "removed {removed} entries, {links} dead links, {scripts} scripts; kept {texts} licence texts"
    ));
    crate::pack::screening::screen_base(tree, &inputs.strip)
}
