//! The layers by name: for denials that say which one held, and for test builds
//! that take exactly one away to show what it was good for.
//!
//! All but the last are a sandbox's; the last holds agentd's own supervisor.
//!
//! A release has no switch: without the cargo feature `weaken`, [`Layer::stands`]
//! is the constant `true` and the tests of it are compiled away. The feature is in
//! no default set, and a build with it bears a mark and does not serve: build.rs.

use std::fmt;
use std::str::FromStr;

/// One of the mechanisms that a sandbox, or agentd's own confinement, is made of.
///
/// `no_new_privs` is not among them: Landlock and seccomp each set it themselves,
/// so no build can be without it and with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Every descriptor but the named ones is closed.
    Descriptors,
    /// The control group's limits.
    ControlGroup,
    /// Nothing but the new root can be reached by a path.
    Root,
    /// Nothing written can be executed, no set-id bit and no device node counts.
    MountFlags,
    /// `/dev` holds five harmless devices.
    Devices,
    /// `/proc` holds processes only, and only those of the sandbox.
    Processes,
    /// Private file systems are limited in bytes and files.
    Sizes,
    /// The workspace is limited in bytes and files.
    Workspace,
    /// A user namespace with one identity.
    UserNamespace,
    /// A namespace of processes.
    PidNamespace,
    /// A network namespace with nothing in it.
    NetworkNamespace,
    /// A namespace of System V and POSIX objects.
    IpcNamespace,
    /// A host name of its own.
    UtsNamespace,
    /// The control group is the root of what it sees.
    CgroupNamespace,
    /// Memory files cannot be executed.
    MemoryFiles,
    /// No user namespace below.
    NestedNamespaces,
    /// Limits of each process.
    Rlimits,
    /// A session of its own, with no terminal.
    Session,
    /// No capability, in any set.
    Capabilities,
    /// The secure bits are locked.
    SecureBits,
    /// The sandbox dies with its launcher.
    ParentDeath,
    /// Init reaps what is orphaned.
    Reaping,
    /// Landlock's rules for files and TCP.
    Landlock,
    /// Landlock's scopes: signals and abstract sockets end at the border.
    Scopes,
    /// Foreign tables of system calls kill; `clone3` does not exist; nothing is watched.
    Gate,
    /// The allow-list of system calls.
    Calls,
    /// Landlock's rules for agentd's supervisor: files of jobs, and nothing else.
    SupervisorLandlock,
}

/// Each layer and its name on a command line and in a sentence.
const NAMES: [(Layer, &str); 27] = [
    (Layer::Descriptors, "descriptors"),
    (Layer::ControlGroup, "control-group"),
    (Layer::Root, "root"),
    (Layer::MountFlags, "mount-flags"),
    (Layer::Devices, "devices"),
    (Layer::Processes, "processes"),
    (Layer::Sizes, "sizes"),
    (Layer::Workspace, "workspace"),
    (Layer::UserNamespace, "user-namespace"),
    (Layer::PidNamespace, "pid-namespace"),
    (Layer::NetworkNamespace, "network-namespace"),
    (Layer::IpcNamespace, "ipc-namespace"),
    (Layer::UtsNamespace, "uts-namespace"),
    (Layer::CgroupNamespace, "cgroup-namespace"),
    (Layer::MemoryFiles, "memory-files"),
    (Layer::NestedNamespaces, "nested-namespaces"),
    (Layer::Rlimits, "rlimits"),
    (Layer::Session, "session"),
    (Layer::Capabilities, "capabilities"),
    (Layer::SecureBits, "secure-bits"),
    (Layer::ParentDeath, "parent-death"),
    (Layer::Reaping, "reaping"),
    (Layer::Landlock, "landlock"),
    (Layer::Scopes, "scopes"),
    (Layer::Gate, "gate"),
    (Layer::Calls, "calls"),
    (Layer::SupervisorLandlock, "supervisor-landlock"),
];

impl Layer {
    /// All of them, in the order in which they are put up.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(layer, _)| *layer)
    }

    /// Its name, as `--without` takes it.
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find_map(|(layer, name)| (*layer == self).then_some(*name))
            .unwrap_or("?")
    }

    /// Whether this process puts it up: always, but in test builds.
    #[cfg(not(feature = "weaken"))]
    pub(crate) const fn stands(self) -> bool {
        true
    }

    /// Whether this process puts it up.
    #[cfg(feature = "weaken")]
    pub(crate) fn stands(self) -> bool {
        weaken::without() != Some(self)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        NAMES
            .iter()
            .find_map(|(layer, name)| (*name == text).then_some(*layer))
            .ok_or_else(|| {
                let names: Vec<&str> = NAMES.iter().map(|(_, name)| *name).collect();
                format!("no such layer; there are {}", names.join(", "))
            })
    }
}

/// What this program's own children are told: in test builds, the missing layer.
pub(crate) fn arguments() -> Vec<String> {
    #[cfg(feature = "weaken")]
    if let Some(layer) = weaken::without() {
        return vec!["--without".into(), layer.name().into()];
    }
    Vec::new()
}

/// The switch of test builds.
#[cfg(feature = "weaken")]
pub mod weaken {
    use std::sync::OnceLock;

    use super::Layer;

    static WITHOUT: OnceLock<Layer> = OnceLock::new();

    /// Takes one layer away from every sandbox that this process and its own
    /// children make, or from themselves. The first call decides.
    pub fn take_away(layer: Layer) {
        let _first = WITHOUT.set(layer);
    }

    pub(super) fn without() -> Option<Layer> {
        WITHOUT.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_a_name_that_leads_back_to_it() {
        let mut last = None;
        for layer in Layer::all() {
            assert_eq!(layer.name().parse(), Ok(layer));
            assert!(last < Some(layer), "{layer} is out of order");
            last = Some(layer);
        }
        assert_eq!(last, Some(Layer::SupervisorLandlock));
        assert!("nosuch".parse::<Layer>().unwrap_err().contains("gate"));
    }

    #[test]
    fn no_build_is_weakened_unless_it_says_so() {
        let manifest = include_str!("../../Cargo.toml");
        let table: toml::Table = manifest.parse().unwrap();
        let features = table["features"].as_table().unwrap();
        assert!(!features.contains_key("default"));
        for (name, implied) in features {
            assert_eq!(implied.as_array().unwrap().len(), 0, "{name} implies more");
        }
        assert!(Layer::all().all(Layer::stands));
    }
}
