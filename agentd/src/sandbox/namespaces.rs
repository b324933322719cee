//! Namespaces: what a sandbox can name at all.

use std::fs;
use std::io;

use rustix::process::Pid;

use super::layer::Layer;
use super::refusal::{At, Refusal};
use super::sys::{self, Side};
use crate::code;

/// Every namespace a sandbox gets of its own, besides that of mounts.
///
/// The network namespace stays empty: not even its loopback is brought up. It
/// does not hold AF_VSOCK; that is the seccomp filter's part.
const OWN: [(Layer, libc::c_int); 6] = [
    (Layer::UserNamespace, libc::CLONE_NEWUSER),
    (Layer::PidNamespace, libc::CLONE_NEWPID),
    (Layer::NetworkNamespace, libc::CLONE_NEWNET),
    (Layer::IpcNamespace, libc::CLONE_NEWIPC),
    (Layer::UtsNamespace, libc::CLONE_NEWUTS),
    (Layer::CgroupNamespace, libc::CLONE_NEWCGROUP),
];

/// Clones the launcher into new namespaces of every kind at once, so that the
/// others belong to the new user namespace and no half-made state exists.
pub(crate) fn enter() -> Result<Side, Refusal> {
    let flags = OWN
        .iter()
        .filter(|(layer, _)| layer.stands())
        .fold(libc::CLONE_NEWNS, |all, (_, one)| all | one);
    sys::clone_process(flags).at(&code::SANDBOX_NAMESPACE, || {
        "the sandbox's namespaces could not be made".to_owned()
    })
}

/// Forbids further user namespaces below this one, unless `allowed`.
///
/// Works only while capabilities in this namespace are still held, through the
/// full `/proc` that is gone after the pivot. The seccomp filter says no as well;
/// this also binds a process that got around it.
pub(crate) fn forbid_more(allowed: bool) -> Result<(), Refusal> {
    if !allowed && Layer::NestedNamespaces.stands() {
        fs::write("/proc/sys/user/max_user_namespaces", "0")
            .at(&code::SANDBOX_NAMESPACE, || {
                "further user namespaces could not be forbidden".to_owned()
            })?;
    }
    if !Layer::UtsNamespace.stands() {
        return Ok(());
    }
    rustix::system::sethostname(b"desk").at(&code::SANDBOX_NAMESPACE, || {
        "the sandbox's host name could not be set".to_owned()
    })
}

/// Writes the child's identity maps: `inside` is the one identity it has, backed
/// by `outside` of the launcher's namespace. Done by the launcher, which holds
/// the capabilities for it.
pub(crate) fn map_identity(child: Pid, inside: u32, outside: u32) -> io::Result<()> {
    if !Layer::UserNamespace.stands() {
        return Ok(());
    }
    let of = |file: &str| format!("/proc/{}/{file}", child.as_raw_nonzero());
    let line = format!("{inside} {outside} 1\n");
    fs::write(of("setgroups"), "deny")?;
    fs::write(of("uid_map"), &line)?;
    fs::write(of("gid_map"), &line)
}
