//! Landlock: which of the files that are there may be used, and how.
//!
//! The mounts decide what is there; Landlock decides again, from the inside, and
//! holds where a mount trick would not. It also ends signals and abstract sockets
//! at the sandbox's border. Below ABI 9 it does not hold pathname sockets, below 10
//! not UDP, and on none chmod of own files or inherited descriptors; other layers do.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::layer::Layer;
use super::refusal::{At, Refusal};
use super::sys;
use crate::code;

/// The version every promise here is made on. A kernel that offers less is
/// refused; of one that offers more, everything known here is used as well.
pub(crate) const LEAST: u32 = 7;
/// The version from which connecting to a socket by its path is a right.
pub(crate) const UNIX_PATHS: u32 = 9;

/// The running kernel's version.
pub(crate) fn kernel_abi() -> Result<u32, Refusal> {
    sys::landlock_abi().at(&code::SANDBOX_KERNEL, || {
        "the kernel does not offer Landlock".to_owned()
    })
}

/// What may be done below a path. Each contains the ones before it except that
/// nothing which may be written may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Read files, list directories.
    #[n(0)]
    Read,
    /// Also execute files.
    #[n(1)]
    Execute,
    /// Read, write, make and remove files, directories, links, sockets, pipes.
    #[n(2)]
    Write,
    /// Read and write a device that is there.
    #[n(3)]
    Device,
    /// Connect to the sockets that are there. Not a profile's word: it follows from
    /// what the profile says of sockets.
    #[n(4)]
    #[serde(skip)]
    Socket,
}

impl Right {
    /// The kernel's rights, of those that `abi` has.
    fn flags(self, abi: ABI) -> BitFlags<AccessFs> {
        self.all_flags() & AccessFs::from_all(abi)
    }

    fn all_flags(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match self {
            Self::Read => read,
            Self::Execute => read | AccessFs::Execute,
            Self::Device => AccessFs::ReadFile | AccessFs::WriteFile,
            Self::Socket => AccessFs::ResolveUnix.into(),
            Self::Write => {
                read | AccessFs::WriteFile
                    | AccessFs::Truncate
                    | AccessFs::RemoveDir
                    | AccessFs::RemoveFile
                    | AccessFs::MakeDir
                    | AccessFs::MakeReg
                    | AccessFs::MakeSym
                    | AccessFs::MakeSock
                    | AccessFs::MakeFifo
                    | AccessFs::Refer
            }
        }
    }
}

/// A right on everything below a path.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Rule {
    /// Absolute, inside.
    #[n(0)]
    pub(crate) path: String,
    /// What may be done there.
    #[n(1)]
    pub(crate) right: Right,
}

/// Confines the calling process, for good, to `rules` and to connecting to these TCP
/// ports. With no rules it can open nothing at all, with no ports connect to none.
///
/// Every right and scope of the kernel's ABI is handled: what no rule grants is
/// denied.
pub(crate) fn restrict(rules: &[Rule], ports: &[u16]) -> Result<(), Refusal> {
    let abi = i32::try_from(kernel_abi()?.max(LEAST)).map_or(ABI::V7, ABI::from);
    let failed = || "the file rules could not be enforced".to_owned();
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
        .and_then(|ruleset| match Layer::Scopes.stands() {
            true => ruleset.scope(Scope::from_all(abi)),
            false => Ok(ruleset),
        })
        .and_then(Ruleset::create)
        .at(&code::SANDBOX_KERNEL, || {
            "the kernel does not offer Landlock ABI 7".to_owned()
        })?
        // Denials after exec are what a later reader explains.
        .log_new_exec(true)
        .at(&code::SANDBOX_KERNEL, failed)?;
    for rule in rules {
        let failed = || format!("the rule on {} could not be made", rule.path);
        let path = PathFd::new(&rule.path).at(&code::SANDBOX_LANDLOCK, failed)?;
        // A directory's right on a file is an error under the hard requirement, and
        // so is a rule without any right.
        let mut right = rule.right.flags(abi);
        if !std::path::Path::new(&rule.path).is_dir() {
            right &= AccessFs::from_file(abi);
        }
        if right.is_empty() {
            continue;
        }
        ruleset = ruleset
            .add_rule(PathBeneath::new(path, right))
            .at(&code::SANDBOX_LANDLOCK, failed)?;
    }
    for port in ports {
        ruleset = ruleset
            .add_rule(NetPort::new(*port, AccessNet::ConnectTcp))
            .at(&code::SANDBOX_LANDLOCK, || {
                format!("the rule on port {port} could not be made")
            })?;
    }
    let status = ruleset
        .restrict_self()
        .at(&code::SANDBOX_LANDLOCK, failed)?;
    if status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs {
        Ok(())
    } else {
        Err(Refusal::new(
            &code::SANDBOX_KERNEL,
            failed(),
            format!("the kernel reports {:?}", status.ruleset),
        ))
    }
}
