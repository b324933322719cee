//! What stands beside agentd's rooms: the connector, in the host's network.
//!
//! It is made by the rooms' first process while that is still the host's root, in a
//! user namespace of its own with one id that the rooms do not have. So agentd, root of
//! its rooms, can neither trace it nor signal it nor become it; it can ask it.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::process::Signal;

use super::refusal::{At, Refusal};
use super::sys::{self, Side};
use super::{descriptors, enclosure, identity, layer, namespaces};
use crate::code;
use crate::egress::packet;

/// Starts it with the host id `id`; it holds no capability and no descriptor but the
/// other end of the returned one.
pub(super) fn start_connector(id: u32) -> Result<OwnedFd, Refusal> {
    let failed = || "the connector could not be started".to_owned();
    let pair = || packet::pair().at(&code::SANDBOX_DESCRIPTORS, failed);
    let (ours, theirs) = pair()?;
    let (turns, other) = pair()?;
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    match sys::clone_process(flags).at(&code::SANDBOX_NAMESPACE, failed)? {
        Side::Child => {
            drop((ours, turns));
            Err(become_connector(&other, &theirs))
        }
        Side::Parent(child) => {
            drop((theirs, other));
            enclosure::await_side(&turns)?;
            namespaces::map_identity(child, identity::INSIDE, id)
                .at(&code::SANDBOX_IDENTITY, failed)?;
            enclosure::turn(&turns)?;
            rustix::io::write(&turns, b".").at(&code::SANDBOX_NAMESPACE, failed)?;
            Ok(ours)
        }
    }
}

/// As a sandbox's init becomes one, see mod.rs; returns only if that failed.
fn become_connector(turns: &OwnedFd, channel: &OwnedFd) -> Refusal {
    let failed = || "the connector could not be started".to_owned();
    let run = || -> Result<(), Refusal> {
        enclosure::turn(turns)?;
        identity::become_inside()?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .at(&code::SANDBOX_NAMESPACE, failed)?;
        enclosure::turn(turns)?;
        namespaces::forbid_more(false)?;
        identity::drop_privileges()?;
        descriptors::hand_over(Some(channel.as_fd()))?;
        nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            .at(&code::SANDBOX_NAMESPACE, failed)?;
        sys::default_signals().at(&code::SANDBOX_NAMESPACE, failed)?;
        let program = CString::new(enclosure::AGENTD).at(&code::SANDBOX_ORDER, failed)?;
        let mut argv = vec![program.clone()];
        for argument in layer::arguments()
            .iter()
            .map(String::as_str)
            .chain(["connector"])
        {
            argv.push(CString::new(argument).at(&code::SANDBOX_ORDER, failed)?);
        }
        let environment: [&CStr; 0] = [];
        match nix::unistd::execve(&program, &argv, &environment) {
            Ok(never) => match never {},
            Err(e) => Err(Refusal::new(&code::SANDBOX_EXEC, failed(), e)),
        }
    };
    match run() {
        Err(refusal) => refusal,
        Ok(()) => Refusal::new(&code::SANDBOX_EXEC, failed(), "it did not start"),
    }
}
