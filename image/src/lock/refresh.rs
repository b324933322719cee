//! `image lock refresh`: asks the mirror what the recipe's packages are now.

use std::path::Path;

use crate::error::BuildError;
use crate::lock::{Lock, Mirror, Package};
use crate::pack::Recipe;
use crate::progress::Progress;
use crate::tool::Tool;

/// The key that signs Debian's archives; the indexes are refused without it.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Resolves the recipe's packages against the mirror, in an apt state of its
/// own below `work`, so that the machine's packages play no part.
///
/// # Errors
/// `NoMirror`, `Tool` when apt fails, `Recipe` when its answer is not understood.
pub fn refresh(recipe: &Recipe, work: &Path, progress: &Progress) -> Result<Lock, BuildError> {
    let mirror = Mirror::of_this_machine()?;
    let apt = PrivateApt::new(work, recipe, &mirror, &["deb"])?;
    progress.say("reading the mirror's indexes");
    apt.get().arg("update").run()?;
    progress.say("resolving the recipe's packages");
    let printed = apt
        .get()
        .args([
            "install",
            "--print-uris",
            "--no-install-recommends",
            "-qq",
            "-y",
        ])
        .args(["-o", "Acquire::ForceHash=SHA256", "?essential"])
        .args(&recipe.packages)
        .args(recipe.without.iter().map(|name| format!("{name}-")))
        .output()?;
    let mut printed = String::from_utf8_lossy(&printed).into_owned();
    printed.push_str(&unpacked(recipe, &apt)?);
    let mut packages = Vec::new();
    for line in printed.lines() {
        let package = parse_uri_line(line, &mirror).ok_or_else(|| {
            BuildError::recipe(
                work,
                format!("apt printed a line that is not understood: {line}"),
            )
        })?;
        packages.push(package);
    }
    packages.sort();
    Ok(Lock { packages })
}

/// What the recipe wants unpacked, without anything it depends on.
fn unpacked(recipe: &Recipe, apt: &PrivateApt) -> Result<String, BuildError> {
    let backports = recipe.backports.iter();
    let names: Vec<String> = backports
        .map(|name| format!("{name}/{}-backports", recipe.suite))
        .chain(recipe.unpacked.iter().cloned())
        .collect();
    if names.is_empty() {
        return Ok(String::new());
    }
    let printed = apt
        .get()
        .args(["download", "--print-uris", "-qq"])
        .args(["-o", "Acquire::ForceHash=SHA256"])
        .args(&names)
        .output()?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// An apt with empty state and the pack's sources, but the machine's settings
/// for proxies and certificates.
pub(super) struct PrivateApt {
    options: Vec<String>,
}

impl PrivateApt {
    /// `kinds` are the lines of its source list: `deb`, `deb-src`.
    pub(super) fn new(
        work: &Path,
        recipe: &Recipe,
        mirror: &Mirror,
        kinds: &[&str],
    ) -> Result<Self, BuildError> {
        let make = |dir: &Path| std::fs::create_dir_all(dir).map_err(BuildError::file("make", dir));
        make(&work.join("lists/partial"))?;
        make(&work.join("archives/partial"))?;
        let write = |name: &str, text: String| {
            let path = work.join(name);
            std::fs::write(&path, text).map_err(BuildError::file("write", &path))
        };
        write("status", String::new())?;
        let (debian, security) = (
            mirror.archive("debian")?,
            mirror.archive("debian-security")?,
        );
        let suite = &recipe.suite;
        let mut sources = String::new();
        let mut suites = vec![
            (debian, suite.clone()),
            (debian, format!("{suite}-updates")),
            (security, format!("{suite}-security")),
        ];
        if !recipe.backports.is_empty() {
            suites.push((debian, format!("{suite}-backports")));
        }
        for (root, suite) in suites {
            for kind in kinds {
                let line = format!("{kind} [signed-by={KEYRING}] {root} {suite} main\n");
                sources.push_str(&line);
            }
        }
        write("sources.list", sources)?;
        let at = |name: &str| work.join(name).display().to_string();
        let options = vec![
            format!("Dir::Etc::SourceList={}", at("sources.list")),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            "Dir::Etc::Preferences=/dev/null".to_owned(),
            "Dir::Etc::PreferencesParts=/dev/null".to_owned(),
            format!("Dir::State={}", work.display()),
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", work.display()),
            format!("Dir::Cache::archives={}", at("archives")),
            format!("APT::Architecture={}", recipe.architecture),
            format!("APT::Architectures={}", recipe.architecture),
            "APT::Sandbox::User=root".to_owned(),
        ];
        Ok(Self { options })
    }

    pub(super) fn get(&self) -> Tool {
        self.options
            .iter()
            .fold(Tool::new("apt-get"), |tool, option| {
                tool.arg("-o").arg(option)
            })
    }
}

/// `'URI' file size SHA256:hex`, as apt prints it.
fn parse_uri_line(line: &str, mirror: &Mirror) -> Option<Package> {
    let mut words = line.split_whitespace();
    let uri = words.next()?.trim_matches('\'');
    let file = words.next()?;
    let size = words.next()?.parse().ok()?;
    let sha256 = words.next()?.strip_prefix("SHA256:")?.to_owned();
    let (archive, path) = mirror.split(uri)?;
    let mut parts = file.strip_suffix(".deb")?.split('_');
    Some(Package {
        name: parts.next()?.to_owned(),
        version: parts.next()?.replace("%3a", ":"),
        arch: parts.next()?.to_owned(),
        sha256,
        size,
        archive: archive.to_owned(),
        path: path.to_owned(),
    })
}
