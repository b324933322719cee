//! Profiles: what each kind of sandbox may do, as data that only allows.
//!
//! A profile is a file of this release (profiles/*.toml, format in
//! docs/formats/profile.md) or a file that makes one narrower. There is no key that
//! denies and none that switches a layer off: what no line grants is denied, and
//! every layer is always there. A grant that the running kernel cannot confine to
//! what it says is an error, not a wish.

pub mod facts;
mod narrow;
mod raw;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;

use super::cgroup::LeafLimits;
use super::landlock::{self, Right};
use super::refusal::{At, Refusal};
use super::rlimits::Rlimits;
use super::seccomp::Filter;
use crate::code;

pub use casemate_protocol::egress::Endpoint;

/// The files, by name. `--profile` knows no others.
const SHIPPED: [(&str, &str); 8] = [
    ("desktop", include_str!("../profiles/desktop.toml")),
    ("hands", include_str!("../profiles/hands.toml")),
    ("script", include_str!("../profiles/script.toml")),
    ("strict", include_str!("../profiles/strict.toml")),
    ("office", include_str!("../profiles/office.toml")),
    ("browser", include_str!("../profiles/browser.toml")),
    ("model", include_str!("../profiles/model.toml")),
    ("proxy", include_str!("../profiles/proxy.toml")),
];

/// Where a job's documents are, inside.
pub const WORKSPACE: &str = "/workspace";

/// One private file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateFs {
    /// Bytes it holds.
    pub bytes: u64,
    /// Files and directories it holds.
    pub inodes: u64,
    /// Permission bits of its root.
    pub mode: u32,
}

/// Which Unix sockets a program may connect to by their path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sockets {
    /// None: not even a Unix socket can be made.
    None,
    /// Those that are mounted: the mounts are the limit.
    Mounted,
    /// Those at or below these paths, of what is mounted. Needs Landlock ABI 9.
    Listed(BTreeSet<String>),
}

/// What may be reached through a job's proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Egress {
    /// Nothing.
    None,
    /// Of what the site grants, these.
    Listed(BTreeSet<Endpoint>),
    /// What the site grants.
    Site,
}

impl Egress {
    /// Whether a job may name this.
    pub fn covers(&self, asked: &Endpoint) -> bool {
        match self {
            Self::None => false,
            Self::Site => true,
            Self::Listed(all) => all.iter().any(|one| one.covers(&asked.host, asked.port)),
        }
    }
}

/// What the workspace may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkspaceLimit {
    /// Bytes.
    pub bytes: u64,
    /// Files and directories.
    pub inodes: u64,
}

/// A checked profile.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) name: String,
    pub(crate) about: String,
    /// Least Landlock ABI.
    pub(crate) abi: u32,
    pub(crate) calls: BTreeSet<String>,
    pub(crate) filter: Filter,
    pub(crate) user_namespaces: bool,
    pub(crate) sockets: Sockets,
    pub(crate) egress: Egress,
    pub(crate) pack: BTreeMap<String, Right>,
    pub(crate) private: BTreeMap<String, PrivateFs>,
    pub(crate) binds: BTreeMap<String, Right>,
    pub(crate) leaf: LeafLimits,
    pub(crate) rlimits: Rlimits,
    pub(crate) workspace: Option<WorkspaceLimit>,
}

impl Profile {
    /// The profile of this name that came with the release. It is read and its
    /// filter compiled once a process.
    ///
    /// # Errors
    /// `profile.unknown`; `profile.invalid` if a shipped file is not well-formed,
    /// which a test rules out.
    pub fn shipped(name: &str) -> Result<&'static Self, Refusal> {
        static READ: [OnceLock<Profile>; SHIPPED.len()] =
            [const { OnceLock::new() }; SHIPPED.len()];
        let (read, text) = READ
            .iter()
            .zip(SHIPPED)
            .find_map(|(read, (known, text))| (known == name).then_some((read, text)))
            .ok_or("no profile of that name came with this release")
            .at(&code::PROFILE_UNKNOWN, || {
                format!("the profile {name} cannot be used")
            })?;
        match read.get() {
            Some(profile) => Ok(profile),
            None => {
                let profile = Self::parse(text)?;
                Ok(read.get_or_init(|| profile))
            }
        }
    }

    /// The names of all shipped profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// A shipped profile's file, byte for byte.
    ///
    /// # Errors
    /// `profile.unknown`.
    pub fn source(name: &str) -> Result<&'static str, Refusal> {
        Self::shipped(name)?;
        Ok(SHIPPED
            .iter()
            .find_map(|(known, text)| (*known == name).then_some(*text))
            .unwrap_or_default())
    }

    /// Reads a profile's file. One that did not come with the release is only good
    /// for [`Profile::narrowed_by`].
    ///
    /// # Errors
    /// `profile.invalid`, with the key or value that is wrong.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        raw::read(text)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in a sentence.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What a job of it may reach through the proxy.
    pub fn egress(&self) -> &Egress {
        &self.egress
    }

    /// What a workspace may hold, if there is one.
    pub fn workspace(&self) -> Option<WorkspaceLimit> {
        self.workspace
    }

    /// What may be done in the workspace, if there is one.
    pub fn workspace_right(&self) -> Option<Right> {
        self.bind_right(WORKSPACE)
    }

    /// Whether the running kernel keeps every grant to what it says.
    ///
    /// # Errors
    /// `profile.unenforceable`, naming the grant.
    pub(crate) fn check_kernel(&self) -> Result<(), Refusal> {
        self.check_abi(landlock::kernel_abi()?)
    }

    fn check_abi(&self, abi: u32) -> Result<(), Refusal> {
        let refuse = |what: &str, needed: u32| {
            Err(Refusal::new(
                &code::PROFILE_UNENFORCEABLE,
                format!("the profile {} cannot be used", self.name),
                format!("{what} Landlock ABI {needed}, and this kernel has {abi}"),
            ))
        };
        if abi < self.abi {
            return refuse("it asks for", self.abi);
        }
        if matches!(self.sockets, Sockets::Listed(_)) && abi < landlock::UNIX_PATHS {
            return refuse(
                "its list of sockets can only be held by",
                landlock::UNIX_PATHS,
            );
        }
        Ok(())
    }

    /// The most that may be done at a bind's place, if the profile has the place.
    pub(crate) fn bind_right(&self, at: &str) -> Option<Right> {
        self.binds
            .iter()
            .find(|(allowed, _)| Path::new(at).starts_with(allowed))
            .map(|(_, right)| *right)
    }

    /// Every place at which something may be mounted.
    #[cfg(feature = "host-root")]
    pub(crate) fn places(&self) -> impl Iterator<Item = &str> {
        self.private
            .keys()
            .chain(self.binds.keys())
            .map(String::as_str)
    }

    /// The same profile with the workspace at another place.
    #[cfg(feature = "host-root")]
    pub(crate) fn with_workspace_at(&self, at: &str) -> Self {
        let mut moved = self.clone();
        if let Some(right) = moved.binds.remove(WORKSPACE) {
            moved.binds.insert(at.to_owned(), right);
        }
        moved
    }
}

/// Absolute, with no empty, `.` or `..` component, and not the root itself.
pub(crate) fn is_plain(path: &str) -> bool {
    path.len() <= 256
        && path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_is_sound() {
        for name in Profile::names() {
            let profile = Profile::shipped(name).unwrap();
            assert_eq!(profile.name, name);
            let reaches = ["desktop", "office", "browser"].contains(&name);
            let egress = if reaches { Egress::Site } else { Egress::None };
            assert_eq!(profile.egress, egress, "{name}");
            assert_eq!(profile.user_namespaces, name == "browser");
            assert_eq!(profile.calls.contains("browser"), name == "browser");
            profile.check_kernel().unwrap();
        }
        assert_eq!(
            Profile::shipped("nosuch").unwrap_err().code.id,
            "profile.unknown"
        );
    }

    #[test]
    fn a_grant_that_the_kernel_cannot_hold_is_an_error() {
        let text = Profile::source("hands").unwrap();
        let listed = text.replace("sockets = \"mounted\"", "sockets = [\"/run/desk/x\"]");
        let profile = Profile::parse(&listed).unwrap();
        assert!(profile.check_abi(9).is_ok());
        for abi in [7, 8] {
            let refused = profile.check_abi(abi).unwrap_err();
            assert_eq!(refused.code.id, "profile.unenforceable");
            assert!(refused.why.contains("ABI 9"), "{refused}");
        }
        let newer = text.replace("sockets = \"mounted\"", "sockets = \"mounted\"\nabi = 10");
        assert!(Profile::parse(&newer).unwrap().check_abi(9).is_err());
        assert!(Profile::shipped("hands").unwrap().check_abi(6).is_err());
    }
}
