//! Sandboxes: how a hostile program is confined, one mechanism a file.
//!
//! Guaranteed to agentd: a program started through [`Sandbox::spawn`] runs under
//! every layer below or not at all; when the handle is dropped or agentd dies,
//! every process of it is gone. Not guaranteed: anything against the kernel itself.
//!
//! No layer holds alone (measured: each one missing lets named attempts through),
//! so none is optional and none is best effort.
//!
//! The order of things is the security property. Around this module's part:
//!
//! | when | what | where |
//! |---|---|---|
//! | once, as the host's root | control groups of agentd's own, memory files that cannot be executed, packs mounted, a tree, a uid range | enclosure.rs |
//! | a. launcher | every descriptor but the named ones is closed | launch.rs |
//! | b. launcher | into the control group, before there is anything to limit | cgroup/ |
//! | c. launcher | clone into namespaces of every kind; it writes the one-identity map | namespaces.rs |
//! | 1 to 6. init | identity, death with the launcher, no namespace below, tree, limits, privileges | here: [`Unconfined::prepare`] |
//! | 7 to 10. program | session, descriptors, Landlock, seccomp | here: [`Prepared::confine`] |
//! | then | exec, as the last thing that a [`Confined`] can do | here: [`Confined::execute`] |
//! | meanwhile | init closes itself to view and reaps | here: [`Prepared::retire`], init.rs |
//!
//! Each step returns a [`Refusal`] or the next type; there is no other way to the
//! next, so whatever fails, nothing is executed.

mod beside;
pub mod builder;
pub mod cgroup;
pub mod confinement;
mod descriptors;
pub mod enclosure;
pub mod identity;
mod init;
pub mod job_directory;
mod landlock;
pub mod launch;
mod launcher;
pub mod layer;
pub(crate) mod mounts;
mod namespaces;
mod order;
mod output;
pub mod profile;
pub(crate) mod proxied;
mod refusal;
pub mod rlimits;
mod running;
mod seccomp;
pub mod spec;
pub mod sys;
mod tree;
pub mod uids;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::process::{DumpableBehavior, Signal};

pub use landlock::Right;
pub use layer::Layer;
pub use order::How;
pub use output::Output;
pub use profile::Profile;
pub use refusal::Refusal;
pub use running::{Ending, Running, Sandbox};
pub(crate) use seccomp::sets as call_sets;
pub use spec::{Bind, LaunchSpec, Narrowed};

use crate::code;
use order::Order;
use refusal::At;

/// Confines the calling process as agentd's connector: it reads below `/etc`, connects
/// to these TCP ports, and makes the calls of the set `connector`.
pub(crate) fn confine_connector(ports: &BTreeSet<u16>) -> Result<(), Refusal> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .at(&code::SANDBOX_PRIVILEGE, || {
            "the connector could not be closed to view".to_owned()
        })?;
    let sets = ["base", "threads", "connector"].map(str::to_owned);
    let filter = seccomp::Filter::compile(&sets)?;
    let etc = landlock::Rule {
        path: "/etc".to_owned(),
        right: Right::Read,
    };
    let ports: Vec<u16> = ports.iter().copied().collect();
    landlock::restrict(&[etc], &ports)?;
    seccomp::install(&filter)
}

/// In new namespaces, with all capabilities in them and nothing outside.
#[derive(Debug)]
pub(crate) struct Unconfined<'a>(&'a Order);

/// Identity, tree and limits are the sandbox's own; privileges are gone. The socket is
/// the one on which the sandbox's proxy listens, if it has one.
#[derive(Debug)]
pub(crate) struct Prepared<'a>(&'a Order, Option<OwnedFd>);

/// Under every layer; the only thing left to do is to execute.
#[derive(Debug)]
pub(crate) struct Confined {
    program: CString,
    argv: Vec<CString>,
    environment: Vec<CString>,
}

impl<'a> Unconfined<'a> {
    pub(crate) fn new(order: &'a Order) -> Self {
        Self(order)
    }

    /// What init does for itself and the program alike.
    ///
    /// `check_launcher` returns when the launcher has shown to be alive after the
    /// parent-death signal was set.
    pub(crate) fn prepare(
        self,
        check_launcher: impl FnOnce() -> Result<(), Refusal>,
    ) -> Result<Prepared<'a>, Refusal> {
        let order = self.0;
        // 1. The one mapped identity: all that is made from here on belongs to it.
        identity::become_inside()?;
        // 2. Die with the launcher. After 1, because a change of identity forgets it.
        if Layer::ParentDeath.stands() {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
                .at(&code::SANDBOX_NAMESPACE, || {
                    "the parent-death signal could not be set".to_owned()
                })?;
        }
        check_launcher()?;
        // 3. No user namespace below (but in `browser`). Needs the full /proc that 4
        //    takes away.
        namespaces::forbid_more(order.user_namespaces)?;
        //    And the one way out, if there is one. Needs capabilities.
        let listening = order.egress.then(proxied::listen).transpose()?;
        // 4. The tree. Needs capabilities, and must be there before Landlock names
        //    paths in it; a Landlock domain could not mount.
        mounts::enter_root(
            Path::new(&order.root),
            Path::new(enclosure::STAGE),
            &order.mounts,
        )?;
        // 5. Limits. After the mounts, whose descriptors they would count.
        if Layer::Rlimits.stands() {
            rlimits::set(&order.rlimits)?;
        }
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        // 6. Nothing but an ordinary user from here on, read back from the kernel.
        identity::drop_privileges()?;
        Ok(Prepared(order, listening))
    }
}

impl Prepared<'_> {
    /// What the program's process does, in its own process only.
    pub(crate) fn confine(self, passed: Option<OwnedFd>) -> Result<Confined, Refusal> {
        let order = self.0;
        // 7. Away from any terminal and from init's group.
        if Layer::Session.stands() {
            rustix::process::setsid().at(&code::SANDBOX_DESCRIPTORS, || {
                "no session of its own".to_owned()
            })?;
        }
        // 8. Its three standard descriptors and the passed one; the rest ends at exec.
        descriptors::arrange(passed.as_ref().map(AsFd::as_fd))?;
        sys::default_signals().at(&code::SANDBOX_DESCRIPTORS, || {
            "signals could not be reset".to_owned()
        })?;
        // What exec needs is made before it can no longer be.
        let strings = |from: &[String]| -> Result<Vec<CString>, Refusal> {
            from.iter()
                .map(|text| CString::new(text.as_str()))
                .collect::<Result<_, _>>()
                .at(&code::SANDBOX_ORDER, || {
                    "an argument holds a zero byte".to_owned()
                })
        };
        let argv = strings(&order.argv)?;
        let confined = Confined {
            program: argv
                .first()
                .cloned()
                .ok_or("there is no program")
                .at(&code::SANDBOX_ORDER, || {
                    "nothing can be executed".to_owned()
                })?,
            argv,
            environment: strings(&order.environment)?,
        };
        rustix::process::chdir(order.directory.as_str()).at(&code::SANDBOX_EXEC, || {
            format!("{} is no place to start in", order.directory)
        })?;
        // 9. Files and scopes. In the program only: init's domain must be another,
        //    so that the program can neither trace nor signal init.
        if Layer::Landlock.stands() {
            let port = order.egress.then_some(proxied::PORT);
            landlock::restrict(&order.rules, port.as_slice())?;
        }
        // 10. System calls, last: every step above needs some that this forbids.
        seccomp::install(&seccomp::Filter::from_bytes(order.filter.to_vec()))?;
        Ok(confined)
    }

    /// What init does once the program's process exists: it gives up opening files
    /// and being looked into. Returns what is for agentd.
    pub(crate) fn retire(self) -> Result<Option<OwnedFd>, Refusal> {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .at(&code::SANDBOX_PRIVILEGE, || {
                "init could not be closed to view".to_owned()
            })?;
        landlock::restrict(&[], &[])?;
        Ok(self.1)
    }
}

impl Confined {
    /// Becomes the program; returns only if that failed.
    pub(crate) fn execute(self) -> Refusal {
        let why = nix::unistd::execve(&self.program, &self.argv, &self.environment)
            .map_or_else(|e| e.to_string(), |never| match never {});
        let program = self.program.to_string_lossy();
        Refusal::new(
            &code::SANDBOX_EXEC,
            format!("{program} could not be started"),
            why,
        )
    }
}
