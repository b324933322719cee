//! What is in the image: every Debian package, model and crate, from the locks that the image is
//! built from, as CycloneDX 1.6 and SPDX 2.3.
//!
//! Made from locks and not from a finished tree, so that it can be made first: the image then
//! carries its digest. What it guarantees: nothing is shipped that comes from another lock, because
//! the build takes its inputs from the same ones. What it does not: that a locked package left a
//! file behind; the strip lists say what did not stay.

mod crates;
mod cyclonedx;
mod spdx;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::BuildError;
use crate::lock::Lock;
use crate::pack::Recipe;

/// The root's and the packs' recipes in a checkout, without their endings.
const LISTS: [(&str, &str); 2] = [
    ("root", "image/base/base"),
    ("desktop", "image/packs/desktop"),
];
const MODELS: &str = "image/packs/ocr.toml";

/// Where something comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A package of Debian.
    Debian,
    /// A crate that is linked into our programs.
    Crate,
    /// A crate of this repository.
    Own,
    /// A wheel that models are taken from.
    Wheel,
}

/// One thing that is shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Where it comes from.
    pub origin: Origin,
    /// Its name there.
    pub name: String,
    /// Its version there.
    pub version: String,
    /// Package URL (ECMA-427).
    pub purl: String,
    /// SHA-256 of the locked file, hex; our own crates have none.
    pub sha256: Option<String>,
    /// An SPDX expression; nothing where the lock does not know.
    pub licence: Option<String>,
    /// The parts of the image that it is in: `root`, `desktop`, `ocr`, `programs`.
    pub parts: Vec<&'static str>,
}

/// All of it, ascending by package URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The version of the image.
    pub version: String,
    /// The release's time, seconds since 1970.
    pub epoch: u64,
    /// What is in it.
    pub components: Vec<Component>,
}

impl Bill {
    /// Reads the locks of a checkout, and asks cargo which crates its programs are linked from.
    ///
    /// # Errors
    /// `File`, `Recipe` for a malformed lock, `Tool` when cargo fails.
    pub fn of_checkout(checkout: &Path) -> Result<Self, BuildError> {
        let mut found = BTreeMap::new();
        let mut epoch = 0;
        for (part, stem) in LISTS {
            let recipe = Recipe::read(&with_ending(checkout, stem, "toml"))?;
            if part == "root" {
                epoch = recipe.epoch;
            }
            for package in Lock::read(&with_ending(checkout, stem, "lock"))?.packages {
                let purl = format!(
                    "pkg:deb/debian/{}@{}?arch={}&distro={}",
                    percent(&package.name),
                    percent(&package.version),
                    package.arch,
                    recipe.suite
                );
                let component = Component {
                    origin: Origin::Debian,
                    name: package.name,
                    version: package.version,
                    purl,
                    sha256: Some(package.sha256),
                    licence: None,
                    parts: Vec::new(),
                };
                add(&mut found, component, part);
            }
        }
        add(&mut found, wheel(&checkout.join(MODELS))?, "ocr");
        for component in crates::shipped(checkout)? {
            add(&mut found, component, "programs");
        }
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch,
            components: found.into_values().collect(),
        })
    }

    /// Writes `NAME.cdx.json` and `NAME.spdx.json` into `out`, and returns their paths.
    ///
    /// # Errors
    /// `File`.
    pub fn write(&self, out: &Path) -> Result<[PathBuf; 2], BuildError> {
        std::fs::create_dir_all(out).map_err(BuildError::file("make", out))?;
        let [cyclonedx, spdx] = ["casemate.cdx.json", "casemate.spdx.json"].map(|n| out.join(n));
        for (path, text) in [(&cyclonedx, self.cyclonedx()), (&spdx, self.spdx())] {
            std::fs::write(path, text).map_err(BuildError::file("write", path))?;
        }
        Ok([cyclonedx, spdx])
    }

    /// CycloneDX 1.6, JSON.
    #[must_use]
    pub fn cyclonedx(&self) -> String {
        cyclonedx::document(self)
    }

    /// SPDX 2.3, JSON.
    #[must_use]
    pub fn spdx(&self) -> String {
        spdx::document(self)
    }

    /// The release's time as both formats write it.
    fn time(&self) -> String {
        let utc = casemate_attest::time::utc(self.epoch.saturating_mul(1000));
        format!("{}Z", utc.split('.').next().unwrap_or_default())
    }

    /// An identifier of exactly this content.
    fn uuid(&self, label: &str) -> String {
        let mut lines = format!("{label} {} {}\n", self.version, self.epoch);
        for component in &self.components {
            let digest = component.sha256.as_deref().unwrap_or("-");
            let licence = component.licence.as_deref().unwrap_or("-");
            let parts = component.parts.join(",");
            lines.push_str(&format!("{} {digest} {parts} {licence}\n", component.purl));
        }
        crate::ovf::uuid(b"sbom", &crate::digest::of_bytes(lines.as_bytes()))
    }
}

fn with_ending(checkout: &Path, stem: &str, ending: &str) -> PathBuf {
    checkout.join(format!("{stem}.{ending}"))
}

/// The same package in two parts is one component.
fn add(found: &mut BTreeMap<String, Component>, component: Component, part: &'static str) {
    let entry = found.entry(component.purl.clone()).or_insert(component);
    if !entry.parts.contains(&part) {
        entry.parts.push(part);
    }
}

fn wheel(recipe: &Path) -> Result<Component, BuildError> {
    let text = std::fs::read_to_string(recipe).map_err(BuildError::file("read", recipe))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| BuildError::recipe(recipe, error.to_string()))?;
    let field = |name: &str| {
        let value = table.get("wheel").and_then(|wheel| wheel.get(name));
        let value = value.and_then(toml::Value::as_str);
        value
            .map(str::to_owned)
            .ok_or_else(|| BuildError::recipe(recipe, format!("wheel has no {name}")))
    };
    let (name, version) = (field("project")?, field("version")?);
    Ok(Component {
        origin: Origin::Wheel,
        purl: format!("pkg:pypi/{}@{}", percent(&name), percent(&version)),
        sha256: Some(field("sha256")?),
        licence: Some("Apache-2.0".to_owned()), // image/packs/ocr.licence
        parts: Vec::new(),
        name,
        version,
    })
}

/// A name or version inside a package URL.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
