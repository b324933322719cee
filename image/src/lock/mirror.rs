//! Where packages are fetched from: the archives that this machine's own apt
//! is configured with. The repository names no host.

use std::path::{Path, PathBuf};

use crate::error::BuildError;

/// The archives of the machine's apt configuration.
#[derive(Debug, Clone)]
pub struct Mirror {
    uris: Vec<String>,
}

impl Mirror {
    /// Reads the sources below `/etc/apt`.
    ///
    /// # Errors
    /// `File` when a source file cannot be read.
    pub fn of_this_machine() -> Result<Self, BuildError> {
        Self::of(Path::new("/etc/apt"))
    }

    fn of(apt: &Path) -> Result<Self, BuildError> {
        let mut files: Vec<PathBuf> = vec![apt.join("sources.list")];
        let parts = apt.join("sources.list.d");
        if let Ok(entries) = std::fs::read_dir(&parts) {
            files.extend(entries.flatten().map(|entry| entry.path()));
        }
        files.sort();
        let mut uris = Vec::new();
        for file in files.iter().filter(|file| file.exists()) {
            let text = std::fs::read_to_string(file).map_err(BuildError::file("read", file))?;
            match file.extension().and_then(|e| e.to_str()) {
                Some("list") => uris.extend(text.lines().filter_map(one_line_uri)),
                Some("sources") => uris.extend(stanza_uris(&text)),
                _ => {}
            }
        }
        Ok(Self { uris })
    }

    /// The root of the archive of that name, without a slash at the end.
    ///
    /// The name is the last component of the source's path, which is what every
    /// mirror of Debian keeps.
    ///
    /// # Errors
    /// `NoMirror` when no source ends with it.
    pub fn archive(&self, name: &str) -> Result<&str, BuildError> {
        self.uris
            .iter()
            .find(|uri| uri.rsplit('/').next() == Some(name))
            .map(String::as_str)
            .ok_or_else(|| BuildError::NoMirror {
                archive: name.to_owned(),
            })
    }

    /// The archive and the path below it of a full URI.
    #[must_use]
    pub fn split<'a>(&self, uri: &'a str) -> Option<(&str, &'a str)> {
        self.uris.iter().find_map(|root| {
            let path = uri.strip_prefix(root.as_str())?.strip_prefix('/')?;
            Some((root.rsplit('/').next()?, path))
        })
    }
}

/// The URI of a line `deb [options] URI suite components`.
fn one_line_uri(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1.trim_start(),
        None => rest,
    };
    usable(rest.split_whitespace().next()?)
}

/// The URIs of a deb822 file.
fn stanza_uris(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("URIs:"))
        .flat_map(str::split_whitespace)
        .filter_map(usable)
        .collect()
}

fn usable(uri: &str) -> Option<String> {
    let known = ["http://", "https://", "file:/"]
        .iter()
        .any(|scheme| uri.starts_with(scheme));
    known.then(|| uri.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_source_are_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        std::fs::write(
            dir.path().join("sources.list"),
            "# deb http://old.example/debian x main\ndeb [arch=amd64 trusted=yes] \
             https://one.example/mirror/debian/ bookworm main\n",
        )
        .unwrap();
        std::fs::write(
            dir.path().join("sources.list.d/s.sources"),
            "Types: deb\nURIs: http://two.example/debian-security\nSuites: x\n",
        )
        .unwrap();
        let mirror = Mirror::of(dir.path()).unwrap();
        assert_eq!(
            mirror.archive("debian").unwrap(),
            "https://one.example/mirror/debian"
        );
        assert_eq!(
            mirror.split("http://two.example/debian-security/pool/a.deb"),
            Some(("debian-security", "pool/a.deb"))
        );
        let missing = mirror.archive("ubuntu").unwrap_err();
        assert_eq!(missing.code().id, "image.no-mirror");
    }
}
