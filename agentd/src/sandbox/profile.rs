//! Profiles: what each kind of sandbox may do, as data that only allows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use serde::Deserialize;

use super::cgroup::LeafLimits;
use super::landlock::Right;
use super::refusal::{At, Refusal};
use super::rlimits::Rlimits;
use super::seccomp::Filter;
use crate::code;

const SHIPPED: [(&str, &str); 4] = [
    ("desktop", include_str!("../../profiles/desktop.toml")),
    ("script", include_str!("../../profiles/script.toml")),
    ("hands", include_str!("../../profiles/hands.toml")),
    ("strict", include_str!("../../profiles/strict.toml")),
];

/// A profile's file as written: unknown keys are refused, so a protection that is
/// misspelt is an error and not an absence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    version: u32,
    name: String,
    calls: Vec<String>,
    pack: BTreeMap<String, Right>,
    private: BTreeMap<String, PrivateFs>,
    binds: BTreeMap<String, Right>,
    limits: RawLimits,
}

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

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    memory_bytes: u64,
    pids: u64,
    open_files: u64,
    file_bytes: u64,
    address_space: u64,
}

/// A checked profile.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) name: String,
    pub(crate) filter: Filter,
    pub(crate) pack: BTreeMap<String, Right>,
    pub(crate) private: BTreeMap<String, PrivateFs>,
    pub(crate) binds: BTreeMap<String, Right>,
    pub(crate) leaf: LeafLimits,
    pub(crate) rlimits: Rlimits,
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

    fn parse(text: &str) -> Result<Self, Refusal> {
        let raw: RawProfile = toml::from_str(text).at(&code::PROFILE_INVALID, || {
            "a profile cannot be read".to_owned()
        })?;
        let name = raw.name.clone();
        Self::try_from(raw).at(&code::PROFILE_INVALID, || {
            format!("the profile {name} is not sound")
        })
    }

    /// The most that may be done at a bind's place, if the profile has the place.
    pub(crate) fn bind_right(&self, at: &str) -> Option<Right> {
        self.binds
            .iter()
            .find(|(allowed, _)| Path::new(at).starts_with(allowed))
            .map(|(_, right)| *right)
    }
}

impl TryFrom<RawProfile> for Profile {
    type Error = Refusal;

    fn try_from(raw: RawProfile) -> Result<Self, Refusal> {
        let unsound = |why: String| Refusal::new(&code::PROFILE_INVALID, "it is refused", why);
        if raw.version != 1 {
            return Err(unsound(format!("version {} is not 1", raw.version)));
        }
        for path in raw
            .pack
            .keys()
            .chain(raw.private.keys())
            .chain(raw.binds.keys())
        {
            if !is_plain(path) {
                return Err(unsound(format!(
                    "{path} is not an absolute path in plain form"
                )));
            }
        }
        if let Some((path, _)) = raw.pack.iter().find(|(_, right)| **right > Right::Execute) {
            return Err(unsound(format!(
                "{path} is the pack's and cannot be written"
            )));
        }
        let limits = raw.limits;
        Ok(Self {
            name: raw.name,
            filter: Filter::compile(&raw.calls)?,
            pack: raw.pack,
            private: raw.private,
            binds: raw.binds,
            leaf: LeafLimits {
                memory_bytes: limits.memory_bytes,
                pids: limits.pids,
            },
            rlimits: Rlimits {
                open_files: limits.open_files,
                file_bytes: limits.file_bytes,
                processes: limits.pids,
                address_space: limits.address_space,
            },
        })
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
            assert_eq!(Profile::shipped(name).unwrap().name, name);
        }
        assert_eq!(
            Profile::shipped("nosuch").unwrap_err().code.id,
            "profile.unknown"
        );
    }

    #[test]
    fn a_profile_can_only_say_what_is_known_and_plain() {
        let (_, good) = SHIPPED[1];
        assert!(Profile::parse(good).is_ok());
        for (from, to) in [
            ("version = 1", "version = 2"),
            ("version = 1", "version = 1\nnetwork = true"),
            ("\"/tmp\"", "\"/tmp/../etc\""),
            ("\"base\"", "\"everything\""),
            ("\"/usr/lib\" = \"execute\"", "\"/usr/lib\" = \"write\""),
            ("\"execute\"", "\"everything\""),
            ("pids = 32", ""),
        ] {
            assert!(good.contains(from), "{from} is not in the profile");
            let bad = good.replacen(from, to, 1);
            assert!(Profile::parse(&bad).is_err(), "accepted with {to}");
        }
    }
}
