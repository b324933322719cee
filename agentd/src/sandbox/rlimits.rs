//! Resource limits of the kind a process carries. The cgroup leaf limits the
//! sandbox as a whole; these stop a single process from spending it badly.

use minicbor::{Decode, Encode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::refusal::{At, Refusal};
use crate::code;

/// The limits of every process in a sandbox. Core dumps, locked memory, message
/// queues and real-time priority are zero for all and are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Rlimits {
    /// Open descriptors.
    #[n(0)]
    pub open_files: u64,
    /// Bytes of one file.
    #[n(1)]
    pub file_bytes: u64,
    /// Processes and threads of the sandbox's identity.
    #[n(2)]
    pub processes: u64,
    /// Bytes of address space of one process.
    #[n(3)]
    pub address_space: u64,
}

/// Sets all limits, hard and soft alike, so that none can be raised again.
pub(crate) fn set(limits: &Rlimits) -> Result<(), Refusal> {
    let all = [
        // A core file would carry a document, or a secret, out of its job.
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
        (Resource::Sigpending, 4096),
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nproc, limits.processes),
        (Resource::As, limits.address_space),
    ];
    for (resource, value) in all {
        // The launcher's own hard limit may be lower already; that is kept.
        let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let value = Some(value.min(ceiling));
        setrlimit(
            resource,
            Rlimit {
                current: value,
                maximum: value,
            },
        )
        .at(&code::SANDBOX_LIMITS, || {
            format!("the limit {resource:?} could not be set")
        })?;
    }
    Ok(())
}
