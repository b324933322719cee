//! The crates inside our programs: what cargo would link, with the digests of Cargo.lock.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Component, Origin, percent};
use crate::error::BuildError;
use crate::tool::Tool;

/// The packages whose programs are in the root or in the initrd.
const SHIPPED: [&str; 4] = [
    "casemate-agentd",
    "casemate-appliance",
    "casemate-device",
    "casemate-initrd",
];
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// All of them. Crates that only run while building (build scripts, macros) are not among them.
pub(super) fn shipped(checkout: &Path) -> Result<Vec<Component>, BuildError> {
    // The cargo that built this program, and its compiler: under sudo neither is in the path.
    let cargo = env!("CARGO");
    let mut tool = Tool::new(cargo)
        .env("RUSTC", Path::new(cargo).with_file_name("rustc"))
        .dir(checkout)
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args(["--edges", "normal,no-proc-macro", "--target", TARGET])
        .args(["--format", "{p}|{l}"]);
    for package in SHIPPED {
        tool = tool.args(["--package", package]);
    }
    let printed = tool.output()?;
    let digests = digests(&checkout.join("Cargo.lock"))?;
    let mut out = Vec::new();
    for line in String::from_utf8_lossy(&printed).lines() {
        let line = line.trim_end_matches(" (*)");
        if line.is_empty() {
            continue;
        }
        let component = component(line, &digests).ok_or_else(|| BuildError::Tool {
            program: "cargo".to_owned(),
            why: format!("printed a line that is not understood: {line}"),
        })?;
        out.push(component);
    }
    Ok(out)
}

/// `name vVERSION|licence`, with ` (path)` before the bar for one of ours.
fn component(line: &str, digests: &BTreeMap<(String, String), String>) -> Option<Component> {
    let (package, licence) = line.split_once('|')?;
    let mut words = package.split(' ');
    let name = words.next()?.to_owned();
    let version = words.next()?.strip_prefix('v')?.to_owned();
    let own = words.next().is_some();
    let sha256 = digests.get(&(name.clone(), version.clone())).cloned();
    if own == sha256.is_some() {
        return None;
    }
    // The old spelling of "or" that crates.io once took.
    let licence = licence.trim().trim_end_matches(" (*)").replace('/', " OR ");
    Some(Component {
        origin: if own { Origin::Own } else { Origin::Crate },
        purl: format!("pkg:cargo/{}@{}", percent(&name), percent(&version)),
        sha256,
        licence: (!licence.is_empty()).then_some(licence),
        parts: Vec::new(),
        name,
        version,
    })
}

/// Digests by name and version.
fn digests(lock: &Path) -> Result<BTreeMap<(String, String), String>, BuildError> {
    let text = std::fs::read_to_string(lock).map_err(BuildError::file("read", lock))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| BuildError::recipe(lock, error.to_string()))?;
    let packages = table.get("package").and_then(toml::Value::as_array);
    let mut out = BTreeMap::new();
    for package in packages.into_iter().flatten() {
        let field = |name| package.get(name).and_then(toml::Value::as_str);
        if let (Some(name), Some(version), Some(digest)) =
            (field("name"), field("version"), field("checksum"))
        {
            out.insert((name.to_owned(), version.to_owned()), digest.to_owned());
        }
    }
    Ok(out)
}
