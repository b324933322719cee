//! What agentd's own two processes may still do, from before either takes an order.
//!
//! The supervisor is uid 0 of agentd's rooms and would have every capability there. It keeps two,
//! over files of jobs: to read and replace what a desktop wrote for itself alone, and
//! to give a desktop a file. By Landlock it has the jobs' directories and what is named
//! to it of the pack; of system calls it has the set `supervisor`. It cannot execute,
//! make a process, mount, make a socket but pairs, map code, or reach another process.

use std::fs;

use rustix::thread::CapabilitySet;

use super::enclosure::JOBS;
use super::identity;
use super::landlock::{self, Right, Rule};
use super::layer::Layer;
use super::refusal::Refusal;
use super::seccomp::{self, Filter};

/// Over files of jobs only: in no other place does Landlock let it come to that.
const KEPT: CapabilitySet = CapabilitySet::CHOWN.union(CapabilitySet::DAC_OVERRIDE);

/// Confines the calling process, for good. Before it has a second thread.
///
/// `read` are the places of agentd's tree that it may read besides jobs'.
///
/// # Errors
/// [`Refusal`]: the process is then confined in part and must end.
pub fn confine_supervisor(read: &[String]) -> Result<(), Refusal> {
    identity::give_up(KEPT)?;
    let jobs = Rule {
        path: JOBS.to_owned(),
        right: Right::Write,
    };
    let rules: Vec<Rule> = read
        .iter()
        .filter(|path| fs::exists(path).unwrap_or(true))
        .map(|path| Rule {
            path: path.clone(),
            right: Right::Read,
        })
        .chain([jobs])
        .collect();
    if Layer::SupervisorLandlock.stands() {
        landlock::restrict(&rules, &[])?;
    }
    seccomp::install(&Filter::compile(&["supervisor".to_owned()])?)
}

/// Puts the builder under its list of system calls, and with it every launcher and
/// sandbox that it makes from here on: a second one over each sandbox's own.
///
/// Landlock would take its mounts away, and giving up capabilities those of launchers.
pub(super) fn confine_builder() -> Result<(), Refusal> {
    // What sandboxes may it must let through, because a filter is inherited.
    let inherited = seccomp::sets()?
        .into_iter()
        .map(|set| set.name)
        .filter(|name| !matches!(name.as_str(), "supervisor" | "connector"));
    seccomp::install(&Filter::compile(&inherited.collect::<Vec<_>>())?)
}
