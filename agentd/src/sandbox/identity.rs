//! Who a sandbox's processes are, and that they are nothing more.

use std::fs;

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::layer::Layer;
use super::refusal::{At, Refusal};
use crate::code;

/// The one identity inside every sandbox, as the packs' `/etc/passwd` names it.
pub const INSIDE: u32 = 1000;

/// Becomes the sandbox's one user and group. Its namespace has no other.
///
/// Capabilities survive this (there is no uid 0 in the map whose loss would take
/// them); [`drop_privileges`] ends them once the mounts are made.
pub(crate) fn become_inside() -> Result<(), Refusal> {
    let failed = || "the sandbox's identity could not be taken".to_owned();
    let (uid, gid) = (Uid::from_raw(INSIDE), Gid::from_raw(INSIDE));
    if !Layer::UserNamespace.stands() {
        // A namespace with a uid 0 would take the capabilities away here.
        let keep = CapabilitiesSecureBits::NO_SETUID_FIXUP;
        rustix::thread::set_capabilities_secure_bits(keep).at(&code::SANDBOX_IDENTITY, failed)?;
    }
    rustix::thread::set_thread_res_gid(gid, gid, gid).at(&code::SANDBOX_IDENTITY, failed)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).at(&code::SANDBOX_IDENTITY, failed)
}

/// Gives up every capability but `kept` for good and proves it. For agentd's own
/// processes, which are not the sandboxes' identity.
pub(crate) fn give_up(kept: CapabilitySet) -> Result<(), Refusal> {
    empty_bounding_set()?;
    rustix::thread::clear_ambient_capability_set().at(&code::SANDBOX_PRIVILEGE, || {
        "the ambient set could not be cleared".to_owned()
    })?;
    lock_secure_bits()?;
    let failed = || "the capabilities could not be given up".to_owned();
    let only = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, only).at(&code::SANDBOX_PRIVILEGE, failed)?;
    rustix::thread::set_no_new_privs(true).at(&code::SANDBOX_PRIVILEGE, failed)?;
    let found = rustix::thread::capabilities(None).at(&code::SANDBOX_PRIVILEGE, failed)?;
    if found == only {
        Ok(())
    } else {
        let why = format!("the kernel reports {found:?}");
        Err(Refusal::new(&code::SANDBOX_PRIVILEGE, failed(), why))
    }
}

/// Gives up every capability for good and proves it.
///
/// The order is forced: the bounding set and the secure bits need `CAP_SETPCAP`,
/// so they come before the sets that hold it. `no_new_privs` is what Landlock and
/// seccomp ask of a process without capabilities.
pub(crate) fn drop_privileges() -> Result<(), Refusal> {
    if Layer::Capabilities.stands() {
        empty_bounding_set()?;
        rustix::thread::clear_ambient_capability_set().at(&code::SANDBOX_PRIVILEGE, || {
            "the ambient set could not be cleared".to_owned()
        })?;
    }
    if Layer::SecureBits.stands() {
        lock_secure_bits()?;
    }
    if Layer::Capabilities.stands() {
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, none).at(&code::SANDBOX_PRIVILEGE, || {
            "the capabilities could not be dropped".to_owned()
        })?;
    }
    rustix::thread::set_no_new_privs(true).at(&code::SANDBOX_PRIVILEGE, || {
        "no_new_privs could not be set".to_owned()
    })?;
    let status = fs::read_to_string("/proc/self/status").at(&code::SANDBOX_PRIVILEGE, || {
        "the kernel's account of this process could not be read".to_owned()
    })?;
    if Layer::Capabilities.stands() {
        verify(&status)?;
    }
    Ok(())
}

fn empty_bounding_set() -> Result<(), Refusal> {
    for bit in 0..64u32 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match rustix::thread::capability_is_in_bounding_set(one) {
            Ok(true) => rustix::thread::remove_capability_from_bounding_set(one)
                .at(&code::SANDBOX_PRIVILEGE, || {
                    "the bounding set could not be emptied".to_owned()
                })?,
            Ok(false) => {}
            // Past the last capability this kernel knows.
            Err(rustix::io::Errno::INVAL) => break,
            Err(e) => {
                return Err(Refusal::new(
                    &code::SANDBOX_PRIVILEGE,
                    "the bounding set could not be read",
                    e,
                ));
            }
        }
    }
    Ok(())
}

/// Every secure bit there is, set and locked, and read back: no identity and no
/// exec gives a capability again.
fn lock_secure_bits() -> Result<(), Refusal> {
    let failed = || "the secure bits could not be locked".to_owned();
    let locked = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(locked).at(&code::SANDBOX_PRIVILEGE, failed)?;
    let found = rustix::thread::capabilities_secure_bits().at(&code::SANDBOX_PRIVILEGE, failed)?;
    if found == locked {
        Ok(())
    } else {
        let why = format!("the kernel reports {found:?}");
        Err(Refusal::new(&code::SANDBOX_PRIVILEGE, failed(), why))
    }
}

/// Reads back what the kernel says of this process; a call that succeeded and did
/// nothing would show here. Each line must be there: an empty text is refused.
fn verify(status: &str) -> Result<(), Refusal> {
    let inside = format!("{INSIDE}\t{INSIDE}\t{INSIDE}\t{INSIDE}");
    let wanted = [
        ("Uid:", inside.as_str()),
        ("Gid:", inside.as_str()),
        ("CapInh:", "0000000000000000"),
        ("CapPrm:", "0000000000000000"),
        ("CapEff:", "0000000000000000"),
        ("CapBnd:", "0000000000000000"),
        ("CapAmb:", "0000000000000000"),
        ("NoNewPrivs:", "1"),
    ];
    for (key, value) in wanted {
        let found = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .map(str::trim);
        if found != Some(value) {
            return Err(Refusal::new(
                &code::SANDBOX_PRIVILEGE,
                format!("the kernel reports {key} {}", found.unwrap_or("nothing")),
                format!("{value} was demanded"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_stated_is_refused() {
        let good = "Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n\
            CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
            CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";
        assert!(verify(good).is_ok());
        for line in good.lines() {
            let without = good.replace(&format!("{line}\n"), "");
            assert!(verify(&without).is_err(), "{line} may be missing");
        }
        assert!(
            verify(&good.replace("CapBnd:\t0000000000000000", "CapBnd:\t0000000000000001"))
                .is_err()
        );
        assert!(verify("").is_err());
    }
}
