//! `image/packs/NAME.toml`: what is wanted, before it is locked.

use std::path::Path;

use serde::Deserialize;

use crate::error::BuildError;
use crate::pack::manifest::{Application, Identity};

/// A root pack's recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The pack's name.
    pub name: String,
    /// The pack's version.
    pub version: String,
    /// Debian suite.
    pub suite: String,
    /// Debian architecture.
    pub architecture: String,
    /// The time of every file, seconds since 1970.
    pub epoch: u64,
    /// Wanted packages; what they depend on follows.
    pub packages: Vec<String>,
    /// Packages that must not be chosen to satisfy an alternative.
    pub without: Vec<String>,
    /// Packages that are taken from the suite's backports, and only unpacked, never installed:
    /// a kernel whose scripts would build an initrd of their own.
    #[serde(default)]
    pub backports: Vec<String>,
    /// Packages of the suite that are only unpacked.
    #[serde(default)]
    pub unpacked: Vec<String>,
    /// What a grant may name.
    #[serde(default)]
    pub application: Vec<Listed>,
}

/// An application as the recipe lists it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    name: String,
    exec: String,
    args: Vec<String>,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// `File` or `Recipe`.
    pub fn read(path: &Path) -> Result<Self, BuildError> {
        let text = std::fs::read_to_string(path).map_err(BuildError::file("read", path))?;
        let recipe: Self =
            toml::from_str(&text).map_err(|e| BuildError::recipe(path, e.to_string()))?;
        for application in &recipe.application {
            let files = application
                .args
                .iter()
                .filter(|arg| *arg == "{file}")
                .count();
            let partial = application
                .args
                .iter()
                .any(|arg| arg != "{file}" && arg.contains('{'));
            if files > 1 || partial || !application.exec.starts_with("/usr/") {
                let why = format!("application {}: exec or args malformed", application.name);
                return Err(BuildError::recipe(path, why));
            }
        }
        Ok(recipe)
    }

    /// Name and version.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            name: self.name.clone(),
            version: self.version.clone(),
        }
    }

    /// The manifest's list.
    #[must_use]
    pub fn applications(&self) -> Vec<Application> {
        self.application
            .iter()
            .map(|listed| Application {
                name: listed.name.clone(),
                exec: listed.exec.clone(),
                args: listed.args.clone(),
                takes_files: listed.args.iter().any(|arg| arg == "{file}"),
            })
            .collect()
    }
}
