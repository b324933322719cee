//! A pack that is a root, such as the desktop pack: from the lock to a signed tree.
//!
//! mmdebstrap runs the packages' maintainer scripts in a chroot of the build
//! host, and fontconfig's cache program runs in that chroot too: that is
//! building. A finished pack runs nowhere but in a sandbox.

use std::path::{Path, PathBuf};

use crate::digest::Sha;
use crate::error::BuildError;
use crate::lock::{Lock, fetch};
use crate::pack::manifest::{Kind, Measured};
use crate::pack::strip::Strip;
use crate::pack::{
    Contents, Places, Recipe, erofs, publish, remove, repository, screening, stamp, tree, workbook,
};
use crate::progress::Progress;
use crate::tool::Tool;

/// Directories that a sandbox mounts over, or that its programs look for.
const EMPTY: &[&str] = &[
    "agent",
    "dev",
    "home/job",
    "models",
    "proc",
    "run",
    "sys",
    "tmp",
    "workspace",
];
/// The job's uid and gid inside every compartment.
const JOB: u32 = 1000;

/// The committed inputs of the pack.
struct Inputs {
    recipe: Recipe,
    lock: Lock,
    strip: Strip,
    digest: Sha,
}

impl Inputs {
    fn read(recipes: &Path, name: &str) -> Result<Self, BuildError> {
        let [toml, lock, strip] =
            ["toml", "lock", "strip"].map(|kind| recipes.join(format!("{name}.{kind}")));
        Ok(Self {
            recipe: Recipe::read(&toml)?,
            lock: Lock::read(&lock)?,
            strip: Strip::read(&strip)?,
            digest: stamp::inputs(&[&toml, &lock, &strip])?,
        })
    }
}

/// Builds the root pack of this name unless it is there already, and signs it.
///
/// # Errors
/// Any [`BuildError`]; nothing half-built is left under the pack's name.
pub fn pack_root(places: &Places, name: &str) -> Result<(), BuildError> {
    let progress = Progress::of(&format!("{name} pack"));
    let inputs = Inputs::read(&places.recipes, name)?;
    let contents = Contents {
        kind: Kind::Root,
        identity: inputs.recipe.identity(),
        applications: inputs.recipe.applications(),
        inputs: inputs.digest,
    };
    publish(places, &contents, &progress, |part| {
        let work = places.work.join(name);
        let measured = build(&inputs, places, &work, part, &progress)?;
        // Only now: the tree of a build that failed is what the operator looks at.
        remove(&work)?;
        Ok(measured)
    })
}

/// Builds the desktop pack twice from scratch, in two directories, and compares.
///
/// # Errors
/// `NotReproducible` when the files differ (both trees are kept), or any other.
pub fn verify_reproducible(places: &Places) -> Result<(), BuildError> {
    let progress = Progress::of("desktop pack, twice");
    let inputs = Inputs::read(&places.recipes, "desktop")?;
    std::fs::create_dir_all(&places.out).map_err(BuildError::file("make", &places.out))?;
    let mut found = Vec::new();
    for name in ["desktop-first", "another/desktop-second"] {
        let part = places.out.join("desktop.verify");
        let work = places.work.join(name);
        std::fs::create_dir_all(&work).map_err(BuildError::file("make", &work))?;
        let built = build(&inputs, places, &work, &part, &progress);
        let _ = std::fs::remove_file(&part);
        found.push(built?.sha256);
    }
    if let [first, second] = found.as_slice()
        && first != second
    {
        let (first, second) = (hex::encode(first), hex::encode(second));
        return Err(BuildError::NotReproducible { first, second });
    }
    for name in ["desktop-first", "another"] {
        remove(&places.work.join(name))?;
    }
    progress.say("both builds are the same file");
    Ok(())
}

/// The steps in their order; leaves the tree in `work`.
fn build(
    inputs: &Inputs,
    places: &Places,
    work: &Path,
    out: &Path,
    progress: &Progress,
) -> Result<Measured, BuildError> {
    let Inputs {
        recipe,
        lock,
        strip,
        ..
    } = inputs;
    let (root, packages) = (work.join("tree"), work.join("repository"));
    // 1. Exactly the locked packages, by digest.
    let debs = fetch(lock, &places.cache.join("debs"), progress)?;
    remove(&root)?;
    progress.say("making a repository of the locked packages");
    repository::make(&packages, lock, &debs, &recipe.suite, &recipe.architecture)?;
    // 2. Install them, offline.
    progress.say(&format!("installing {} packages", lock.packages.len()));
    bootstrap(&root, &packages, recipe, lock)?;
    // 3. fontconfig compares a directory's time with its cache: set the pack's time first.
    tree::set_times(&root, recipe.epoch)?;
    Tool::new("chroot")
        .arg(&root)
        .args(["/usr/bin/fc-cache", "--force", "--system-only"])
        .env("SOURCE_DATE_EPOCH", recipe.epoch.to_string())
        .run()?;
    // 4. The licence texts move to one place, then what the list says goes.
    let texts = gather_licences(&root)?;
    let removed = strip.apply(&root)?;
    let (links, scripts) = tree::prune(&root)?;
    progress.say(&format!(
        "removed {removed} entries, {links} dead links, {scripts} scripts; kept {texts} licence texts"
    ));
    // 5. Look for what must not be there, before any mode is changed.
    screening::screen(&root, strip)?;
    // 6. What Debian does not bring; then one owner and plain modes, whatever the builder's umask is.
    furnish(&root, recipe)?;
    tree::normalise(&root)?;
    let home = root.join("home/job");
    std::os::unix::fs::chown(&home, Some(JOB), Some(JOB))
        .map_err(BuildError::file("own", &home))?;
    tree::set_times(&root, recipe.epoch)?;
    progress.say("writing the erofs and its hash tree");
    erofs::write(&root, out, &recipe.identity(), recipe.epoch)
}

/// Installs exactly the locked packages from the repository made of them.
pub(crate) fn bootstrap(
    root: &Path,
    packages: &Path,
    recipe: &Recipe,
    lock: &Lock,
) -> Result<(), BuildError> {
    let packages = packages
        .canonicalize()
        .map_err(BuildError::file("find", packages))?;
    let wanted: Vec<String> = lock
        .packages
        .iter()
        .map(|p| format!("{}={}", p.name, p.version))
        .collect();
    Tool::new("mmdebstrap")
        .args([
            "--mode=root",
            "--variant=essential",
            "--format=directory",
            "--quiet",
        ])
        .arg(format!("--architectures={}", recipe.architecture))
        .arg(format!("--include={}", wanted.join(",")))
        .arg("--dpkgopt=force-unsafe-io")
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg(&recipe.suite)
        .arg(root)
        // The index is of our own making and every file in it was checked by digest.
        .arg(format!("deb [trusted=yes] copy:{} ./", packages.display()))
        .env("SOURCE_DATE_EPOCH", recipe.epoch.to_string())
        .run()
}

/// Copies `/usr/share/doc/PACKAGE/copyright` to one directory, and the common
/// licences that they refer to.
pub(crate) fn gather_licences(root: &Path) -> Result<usize, BuildError> {
    let target = root.join("usr/share/casemate/licences");
    std::fs::create_dir_all(&target).map_err(BuildError::file("make", &target))?;
    let mut count = 0;
    let doc = root.join("usr/share/doc");
    let mut sources: Vec<(PathBuf, PathBuf)> = list(&doc)?
        .into_iter()
        .filter_map(|dir| {
            let name = dir.file_name()?.to_owned();
            let text = tree::resolve(root, &dir.join("copyright"))?;
            Some((text, target.join(name)))
        })
        .collect();
    for licence in list(&root.join("usr/share/common-licenses"))? {
        if let (Some(text), Some(name)) = (tree::resolve(root, &licence), licence.file_name()) {
            sources.push((text, target.join(Path::new("common").with_file_name(name))));
        }
    }
    for (from, to) in sources {
        std::fs::copy(&from, &to).map_err(BuildError::file("copy", &from))?;
        count += 1;
    }
    Ok(count)
}

pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let entries = std::fs::read_dir(dir).map_err(BuildError::file("read", dir))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Accounts, mount points, the blank workbook, the list of applications.
fn furnish(root: &Path, recipe: &Recipe) -> Result<(), BuildError> {
    for name in EMPTY {
        let dir = root.join(name);
        remove(&dir)?;
        std::fs::create_dir_all(&dir).map_err(BuildError::file("make", &dir))?;
    }
    let put = |name: &str, bytes: &[u8]| {
        let path = root.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(BuildError::file("make", parent))?;
        }
        std::fs::write(&path, bytes).map_err(BuildError::file("write", &path))
    };
    let passwd = format!(
        "root:x:0:0::/nonexistent:/nonexistent\njob:x:{JOB}:{JOB}::/home/job:/nonexistent\n"
    );
    put("etc/passwd", passwd.as_bytes())?;
    put("etc/group", format!("root:x:0:\njob:x:{JOB}:\n").as_bytes())?;
    put(
        "etc/nsswitch.conf",
        b"passwd: files\ngroup: files\nhosts: files\n",
    )?;
    put("etc/hosts", b"127.0.0.1 localhost\n")?;
    put("usr/share/casemate/blank.xlsx", &workbook::blank())?;
    put(
        "usr/share/casemate/applications.toml",
        applications_toml(recipe).as_bytes(),
    )
}

fn applications_toml(recipe: &Recipe) -> String {
    let mut text =
        "# What a grant may name in this pack. The signed manifest says the same.\n".to_owned();
    for application in recipe.applications() {
        text.push_str(&format!(
            "\n[[application]]\nname = {:?}\nexec = {:?}\nargs = {:?}\ntakes_files = {}\n",
            application.name, application.exec, application.args, application.takes_files
        ));
    }
    text
}
