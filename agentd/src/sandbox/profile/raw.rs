//! A profile's file as written, and the checks that make a [`Profile`] of it.

use std::collections::BTreeMap;

use casemate_protocol::egress::Endpoint;
use serde::Deserialize;

use super::{Egress, PrivateFs, Profile, Sockets, WORKSPACE, WorkspaceLimit, is_plain};
use crate::code;
use crate::sandbox::cgroup::LeafLimits;
use crate::sandbox::landlock::{self, Right};
use crate::sandbox::refusal::{At, Refusal};
use crate::sandbox::rlimits::Rlimits;
use crate::sandbox::seccomp::{Filter, PROXIED};

/// Unknown keys are refused, so a grant or limit that is misspelt is an error and
/// not an absence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    version: u32,
    name: String,
    about: String,
    #[serde(default = "least_abi")]
    abi: u32,
    calls: Vec<String>,
    sockets: RawSockets,
    #[serde(default)]
    user_namespaces: bool,
    egress: Option<RawEgress>,
    pack: BTreeMap<String, Right>,
    private: BTreeMap<String, PrivateFs>,
    binds: BTreeMap<String, Right>,
    limits: RawLimits,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawSockets {
    Word(String),
    List(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawEgress {
    Word(String),
    List(Vec<String>),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    memory_bytes: u64,
    pids: u64,
    cpu_percent: u64,
    io_bytes: u64,
    open_files: u64,
    file_bytes: u64,
    address_space: u64,
    workspace_bytes: Option<u64>,
    workspace_inodes: Option<u64>,
}

fn least_abi() -> u32 {
    landlock::LEAST
}

/// Reads and checks.
pub(super) fn read(text: &str) -> Result<Profile, Refusal> {
    let raw: RawProfile = toml::from_str(text).at(&code::PROFILE_INVALID, || {
        "a profile cannot be read".to_owned()
    })?;
    let name = raw.name.clone();
    raw.check().at(&code::PROFILE_INVALID, || {
        format!("the profile {name} is not sound")
    })
}

impl RawProfile {
    fn check(self) -> Result<Profile, String> {
        if self.version != 1 {
            return Err(format!("version {} is not 1", self.version));
        }
        let plain_name = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if !(1..=32).contains(&self.name.len()) || !self.name.chars().all(plain_name) {
            return Err("its name is not 1 to 32 characters of a-z 0-9 -".to_owned());
        }
        if self.about.is_empty() || self.about.len() > 100 {
            return Err("`about` is not a sentence of at most 100 characters".to_owned());
        }
        if self.abi < landlock::LEAST {
            return Err(format!("abi {} is below {}", self.abi, landlock::LEAST));
        }
        self.check_paths()?;
        let sockets = self.check_sockets()?;
        let (leaf, rlimits, workspace) = self.check_limits()?;
        if self.calls.iter().any(|set| set == PROXIED) {
            return Err(format!("the set {PROXIED} is agentd's to add"));
        }
        let filter = Filter::compile(&self.calls).map_err(|e| e.why)?;
        let egress = self.check_egress()?;
        Ok(Profile {
            name: self.name,
            about: self.about,
            abi: self.abi,
            calls: self.calls.into_iter().collect(),
            filter,
            user_namespaces: self.user_namespaces,
            sockets,
            egress,
            pack: self.pack,
            private: self.private,
            binds: self.binds,
            leaf,
            rlimits,
            workspace,
        })
    }

    fn check_paths(&self) -> Result<(), String> {
        let all = [&self.pack, &self.binds];
        let paths = all.iter().flat_map(|map| map.keys());
        if let Some(path) = paths
            .chain(self.private.keys())
            .find(|path| !is_plain(path))
        {
            return Err(format!("{path} is not an absolute path in plain form"));
        }
        if let Some((path, _)) = self
            .pack
            .iter()
            .find(|(_, right)| !matches!(right, Right::Read | Right::Execute))
        {
            return Err(format!("{path} is the pack's and cannot be written"));
        }
        if let Some((path, _)) = self
            .binds
            .iter()
            .find(|(_, right)| **right == Right::Device)
        {
            return Err(format!("{path} cannot be a device"));
        }
        // One place, one right: the first that fits would decide otherwise.
        for place in self.binds.keys() {
            let above = |other: &&String| place.starts_with(&format!("{other}/"));
            if let Some(other) = self.binds.keys().find(above) {
                return Err(format!("{place} lies below {other}"));
            }
        }
        if let Some((path, fs)) = self
            .private
            .iter()
            .find(|(_, fs)| fs.bytes == 0 || fs.inodes == 0 || fs.mode & !0o1777 != 0)
        {
            // Zero is "without limit" to a tmpfs.
            return Err(format!("{path} has no sound limits: {fs:?}"));
        }
        Ok(())
    }

    fn check_sockets(&self) -> Result<Sockets, String> {
        let client = self.calls.iter().any(|set| set == "unix-client");
        let sockets = match &self.sockets {
            RawSockets::Word(word) if word == "none" => Sockets::None,
            RawSockets::Word(word) if word == "mounted" => Sockets::Mounted,
            RawSockets::Word(word) => {
                return Err(format!("sockets = {word:?} is neither none nor mounted"));
            }
            RawSockets::List(paths) => {
                if let Some(path) = paths.iter().find(|path| !is_plain(path)) {
                    return Err(format!("{path} is not an absolute path in plain form"));
                }
                Sockets::Listed(paths.iter().cloned().collect())
            }
        };
        if client == (sockets == Sockets::None) {
            return Err("`sockets` and the set unix-client contradict each other".to_owned());
        }
        Ok(sockets)
    }

    fn check_egress(&self) -> Result<Egress, String> {
        let endpoint =
            |text: &String| Endpoint::parse(text).ok_or(format!("egress {text} is not NAME:PORT"));
        match &self.egress {
            None => Ok(Egress::None),
            Some(RawEgress::Word(word)) if word == "site" => Ok(Egress::Site),
            Some(RawEgress::Word(word)) => Err(format!("egress = {word:?} is not site")),
            Some(RawEgress::List(list)) => {
                let all = list.iter().map(endpoint).collect::<Result<_, _>>()?;
                Ok(Egress::Listed(all))
            }
        }
    }

    fn check_limits(&self) -> Result<(LeafLimits, Rlimits, Option<WorkspaceLimit>), String> {
        let limits = self.limits;
        for (name, value) in [
            ("memory_bytes", limits.memory_bytes),
            ("pids", limits.pids),
            ("cpu_percent", limits.cpu_percent),
            ("io_bytes", limits.io_bytes),
        ] {
            if value == 0 {
                return Err(format!("{name} is 0"));
            }
        }
        let workspace = match (limits.workspace_bytes, limits.workspace_inodes) {
            (Some(bytes), Some(inodes)) if bytes > 0 && inodes > 0 => {
                Some(WorkspaceLimit { bytes, inodes })
            }
            (None, None) => None,
            _ => return Err("a workspace is limited in bytes and in inodes".to_owned()),
        };
        if workspace.is_some() != self.binds.contains_key(WORKSPACE) {
            return Err(format!("{WORKSPACE} and its limits belong together"));
        }
        let leaf = LeafLimits {
            memory_bytes: limits.memory_bytes,
            pids: limits.pids,
            cpu_percent: limits.cpu_percent,
            io_bytes: limits.io_bytes,
        };
        let rlimits = Rlimits {
            open_files: limits.open_files,
            file_bytes: limits.file_bytes,
            processes: limits.pids,
            address_space: limits.address_space,
        };
        Ok((leaf, rlimits, workspace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_can_only_say_what_is_known_and_plain() {
        let good = Profile::source("strict").unwrap();
        assert!(Profile::parse(good).is_ok());
        for (from, to) in [
            ("version = 1", "version = 2"),
            ("version = 1", "version = 1\nnetwork = true"),
            ("version = 1", "version = 1\nabi = 6"),
            ("version = 1", "version = 1\negress = [\"127.0.0.1:80\"]"),
            ("version = 1", "version = 1\negress = [\"a.example\"]"),
            ("version = 1", "version = 1\negress = [\"*.example:443\"]"),
            ("version = 1", "version = 1\negress = \"all\""),
            ("\"base\"", "\"base\", \"proxied\""),
            ("\"/tmp\"", "\"/tmp/../etc\""),
            ("\"base\"", "\"everything\""),
            ("\"/usr/lib\" = \"execute\"", "\"/usr/lib\" = \"write\""),
            ("\"/usr/lib\" = \"execute\"", "\"/usr/lib\" = \"device\""),
            ("\"/workspace\" = \"read\"", "\"/workspace\" = \"device\""),
            ("\"execute\"", "\"everything\""),
            ("sockets = \"none\"", "sockets = \"mounted\""),
            ("sockets = \"none\"", "sockets = \"any\""),
            ("sockets = \"none\"", ""),
            ("inodes = 64", "inodes = 0"),
            ("mode = 0o1777", "mode = 0o4777"),
            ("pids = 16", ""),
            ("pids = 16", "pids = 0"),
            ("pids = 16", "pids = -1"),
            ("workspace_inodes = 16384", ""),
            ("\"/workspace\" = \"read\"", ""),
            ("\"/workspace\" = \"read\"", "\"/agent/x\" = \"read\""),
        ] {
            assert!(good.contains(from), "{from} is not in the profile");
            let bad = good.replacen(from, to, 1);
            let refused = Profile::parse(&bad).map(drop).unwrap_err();
            assert_eq!(refused.code.id, "profile.invalid", "with {to}");
        }
        let egress = good.replacen(
            "version = 1",
            "version = 1\negress = [\"a.example:443\"]",
            1,
        );
        let listed = Profile::parse(&egress).unwrap().egress;
        let asked = Endpoint::parse("a.example:443").unwrap();
        assert_eq!(listed, Egress::Listed([asked.clone()].into()));
        assert!(listed.covers(&asked) && Egress::Site.covers(&asked));
        assert!(!listed.covers(&Endpoint::parse("b.example:443").unwrap()));
        assert!(!Egress::None.covers(&asked));
    }
}
