//! The kernel's command line, which the signed image carries and PCR 11 has measured.
//!
//! `casemate.root=ROOT.SIZE` and `casemate.pack.NAME=ROOT.SIZE`: the root of a verity tree in
//! hexadecimal, and at which byte the tree begins, which is where the data ends.

use std::fs;
use std::path::Path;

use crate::failure::Failure;

/// A verity image: what its partition must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verity {
    /// `root`, or a pack's name.
    pub(crate) name: String,
    /// The tree's root, 64 hexadecimal digits.
    pub(crate) hash: String,
    /// Where the tree begins.
    pub(crate) size: u64,
}

/// What the image pins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// The root.
    pub(crate) root: Verity,
    /// The packs, in the line's order.
    pub(crate) packs: Vec<Verity>,
}

impl CommandLine {
    /// Reads `/proc/cmdline`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(Failure::system("cannot read", path))?;
        Self::parse(&text).map_err(Failure::CommandLine)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut root = None;
        let mut packs = Vec::new();
        for word in text.split_whitespace() {
            let Some(ours) = word.strip_prefix("casemate.") else {
                continue;
            };
            let (key, value) = ours
                .split_once('=')
                .ok_or_else(|| format!("{word} has no value"))?;
            let place = match key.strip_prefix("pack.") {
                None if key == "root" => {
                    if root.replace(verity("root", value)?).is_some() {
                        return Err("names two roots".to_owned());
                    }
                    continue;
                }
                Some(name) if is_name(name) => name,
                _ => return Err(format!("{key} is not known")),
            };
            packs.push(verity(place, value)?);
        }
        let root = root.ok_or("names no root")?;
        Ok(Self { root, packs })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text != "root" && text.bytes().all(|b| b.is_ascii_lowercase())
}

fn verity(name: &str, value: &str) -> Result<Verity, String> {
    let wrong = || format!("{value} is not ROOT.SIZE");
    let (hash, size) = value.split_once('.').ok_or_else(wrong)?;
    let digest = hex::decode(hash).map_err(|_| wrong())?;
    let size: u64 = size.parse().map_err(|_| wrong())?;
    if digest.len() != 32 || size == 0 || !size.is_multiple_of(4096) {
        return Err(wrong());
    }
    Ok(Verity {
        name: name.to_owned(),
        hash: hash.to_owned(),
        size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_packs_are_read() {
        let hash = "ab".repeat(32);
        let text = format!("ro quiet casemate.root={hash}.8192 casemate.pack.ocr={hash}.4096\n");
        let line = CommandLine::parse(&text).unwrap();
        assert_eq!((line.root.size, line.root.hash), (8192, hash));
        assert_eq!(line.packs[0].name, "ocr");
    }

    #[test]
    fn whatever_else_is_ours_is_refused() {
        let hash = "ab".repeat(32);
        let good = format!("casemate.root={hash}.4096");
        for bad in [
            String::new(),
            format!("{good} {good}"),
            format!("{good} casemate.debug=1"),
            format!("{good} casemate.shell"),
            format!("{good} casemate.pack.root={hash}.4096"),
            format!("{good} casemate.pack.../x={hash}.4096"),
            format!("casemate.root={hash}.4095"),
            format!("casemate.root={hash}.0"),
            "casemate.root=abcd.4096".to_owned(),
        ] {
            assert!(CommandLine::parse(&bad).is_err(), "{bad}");
        }
    }
}
