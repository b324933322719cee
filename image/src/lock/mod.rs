//! The lock: which Debian packages a pack is made of, by version and digest.

mod cache;
mod mirror;
mod refresh;
pub mod sources;

use std::path::Path;

pub use cache::fetch;
pub use mirror::Mirror;
pub use refresh::refresh;

use crate::error::BuildError;

/// One locked package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Package name.
    pub name: String,
    /// Full version, with epoch.
    pub version: String,
    /// `amd64` or `all`.
    pub arch: String,
    /// SHA-256 of the .deb, hex.
    pub sha256: String,
    /// Bytes of the .deb.
    pub size: u64,
    /// The archive it is fetched from: `debian` or `debian-security`.
    pub archive: String,
    /// Path below the archive's root.
    pub path: String,
}

/// All packages of a pack, ascending by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The packages.
    pub packages: Vec<Package>,
}

const HEADER: &str = "# Written by `image lock refresh`; one package a line:\n\
                      # package version architecture sha256 bytes archive path\n";

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// `File` when it cannot be read, `Recipe` with the line when it is malformed.
    pub fn read(path: &Path) -> Result<Self, BuildError> {
        let text = std::fs::read_to_string(path).map_err(BuildError::file("read", path))?;
        Self::parse(&text).map_err(|why| BuildError::recipe(path, why))
    }

    /// Parses a lock file's text; says which line is malformed.
    ///
    /// # Errors
    /// A sentence with the line's number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut packages: Vec<Package> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let package = parse_line(line).map_err(|why| format!("line {}: {why}", number + 1))?;
            if packages
                .last()
                .is_some_and(|last| last.name >= package.name)
            {
                return Err(format!(
                    "line {}: {} is not in order",
                    number + 1,
                    package.name
                ));
            }
            packages.push(package);
        }
        if packages.is_empty() {
            return Err("names no package".to_owned());
        }
        Ok(Self { packages })
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for p in &self.packages {
            let line = [
                &p.name,
                &p.version,
                &p.arch,
                &p.sha256,
                &p.size.to_string(),
                &p.archive,
            ];
            for word in line {
                text.push_str(word);
                text.push(' ');
            }
            text.push_str(&p.path);
            text.push('\n');
        }
        text
    }
}

fn parse_line(line: &str) -> Result<Package, String> {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, version, arch, sha256, size, archive, path] = words.as_slice() else {
        return Err(format!("has {} words, not 7", words.len()));
    };
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !plain(name, "+-.") || !plain(version, "+-.:~") || !plain(arch, "") {
        return Err("name, version or architecture has a character it cannot have".to_owned());
    }
    if !matches!(*archive, "debian" | "debian-security") {
        return Err(format!("{archive} is not an archive"));
    }
    if !plain(path, "+-._~/%") || path.starts_with('/') || path.contains("..") {
        return Err("the path is not a plain path below the archive".to_owned());
    }
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    if sha256.len() != 64 || !sha256.chars().all(hex) {
        return Err("the digest is not 64 lower-case hex digits".to_owned());
    }
    Ok(Package {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        arch: (*arch).to_owned(),
        sha256: (*sha256).to_owned(),
        size: size
            .parse()
            .map_err(|_| "the size is not a number".to_owned())?,
        archive: (*archive).to_owned(),
        path: (*path).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "apt 3.0 amd64 \
        5b6825de4263824b78c4c51f6476414f3b4e89c2ab63e81dc8b9b5501e867cf6 12 debian pool/a/apt.deb";

    #[test]
    fn text_and_parse_are_inverse() {
        let lock = Lock::parse(LINE).unwrap();
        assert_eq!(Lock::parse(&lock.text()).unwrap(), lock);
    }

    #[test]
    fn a_malformed_line_is_named() {
        for bad in [
            LINE.replace("debian ", "elsewhere "),
            LINE.replace("pool/", "../"),
            LINE.replace("5b", "5B"),
            LINE.replace(" 12 ", " "),
            format!("{LINE}\n{LINE}"),
            String::new(),
        ] {
            let why = Lock::parse(&bad).unwrap_err();
            assert!(
                why.starts_with("line ") || why == "names no package",
                "{why}"
            );
        }
    }
}
