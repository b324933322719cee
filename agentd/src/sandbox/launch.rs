//! The launcher: the single-threaded process between agentd and a sandbox.
//!
//! agentd has threads and cannot clone safely, so it executes itself as
//! `agentd launch` for each sandbox. The launcher stays outside until the sandbox
//! has ended: it writes the identity maps, ends the sandbox when agentd closes
//! the control socket (dropping a handle, dying), and its own death ends it too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::identity::INSIDE;
use super::layer::Layer;
use super::order::{self, Order};
use super::refusal::{At, Refusal};
use super::sys::Side;
use super::{Unconfined, cgroup, descriptors, init, namespaces};
use crate::code;

/// What a launcher, init or program that could not start exits with. The reason
/// went over the control socket.
const NOT_STARTED: u8 = 125;

/// The whole life of `agentd launch`. The control socket is its standard input.
pub fn main() -> ExitCode {
    // First of all: what leaked in is gone, for the launcher and init as well.
    if Layer::Descriptors.stands() && super::sys::close_inherited().is_err() {
        return ExitCode::from(NOT_STARTED);
    }
    // Number 3 becomes the program's; nothing of ours may be there when it does.
    let reserved = rustix::io::fcntl_dupfd_cloexec(io::stdin(), descriptors::PASSED);
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdin(), descriptors::PASSED + 1);
    let (Ok(control), Ok(_reserved)) = (control, reserved) else {
        return ExitCode::from(NOT_STARTED);
    };
    match launch(&control) {
        Ok(code) => code,
        Err(refusal) => {
            order::report_refusal(&control, &refusal);
            ExitCode::from(NOT_STARTED)
        }
    }
}

/// Carries out one order. Returns in three processes: in the launcher when the
/// sandbox has ended, in its init when the program has, and in the program's
/// process only by error.
fn launch(control: &OwnedFd) -> Result<ExitCode, Refusal> {
    // Before the clone: nothing of the sandbox ever runs outside its group. And
    // before the order: joining a group of version 1 waits for all processors, so
    // launchers that stand ready have that behind them.
    for door in order::receive_join(control.as_fd())? {
        cgroup::join(door)?;
    }
    let (order, passed) = order::receive(control.as_fd())?;
    let (launchers, inits) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .at(&code::SANDBOX_DESCRIPTORS, || "no socket pair".to_owned())?;
    match namespaces::enter()? {
        Side::Child => {
            drop(launchers);
            become_init(control.as_fd(), &inits, &order, passed)
        }
        Side::Parent(child) => {
            drop(inits);
            drop(passed);
            attend(control.as_fd(), &launchers, child, order.uid)
        }
    }
}

/// One step of the hand-over between launcher and init: a byte that says the
/// other side lives and has done its part.
fn pass_turn(socket: &OwnedFd) -> Result<(), Refusal> {
    rustix::io::write(socket, b".")
        .map(drop)
        .at(&code::SANDBOX_NAMESPACE, || {
            "the launcher's other half is gone".to_owned()
        })
}

fn await_turn(socket: &OwnedFd) -> Result<(), Refusal> {
    let failed = || "the launcher's other half is gone".to_owned();
    let mut byte = [0; 1];
    match rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut byte)) {
        Ok(1) => Ok(()),
        Ok(_) => Err(Refusal::new(
            &code::SANDBOX_NAMESPACE,
            failed(),
            "it closed",
        )),
        Err(e) => Err(Refusal::new(&code::SANDBOX_NAMESPACE, failed(), e)),
    }
}

/// The launcher's part: maps, then waiting.
fn attend(
    control: BorrowedFd<'_>,
    init: &OwnedFd,
    child: Pid,
    uid: u32,
) -> Result<ExitCode, Refusal> {
    let mapped = namespaces::map_identity(child, INSIDE, uid).at(&code::SANDBOX_IDENTITY, || {
        format!("the identity {uid} could not be given to the sandbox")
    });
    if let Err(refusal) = mapped {
        end(child);
        return Err(refusal);
    }
    // init set its parent-death signal only now (a change of identity clears it);
    // answering shows it that the launcher had not died before.
    let attended = pass_turn(init)
        .and_then(|()| await_turn(init))
        .and_then(|()| pass_turn(init));
    if let Err(refusal) = attended {
        // init closed its end because it failed and is ending; its own report
        // says why and must come before this one.
        reap(child);
        return Err(refusal);
    }
    await_end(control, child);
    end(child);
    Ok(ExitCode::SUCCESS)
}

/// Returns when init has ended or agentd closed its end of `control`.
fn await_end(control: BorrowedFd<'_>, child: Pid) {
    let Ok(pidfd) = rustix::process::pidfd_open(child, PidfdFlags::empty()) else {
        return;
    };
    let mut both = [
        PollFd::new(&pidfd, PollFlags::IN),
        PollFd::new(&control, PollFlags::RDHUP),
    ];
    while matches!(
        rustix::event::poll(&mut both, None),
        Err(rustix::io::Errno::INTR)
    ) {}
}

/// Ends init, and with it its whole pid namespace, and waits for that: init is
/// only reaped once every process of its namespace is gone.
fn end(child: Pid) {
    let _gone = rustix::process::kill_process(child, Signal::KILL);
    reap(child);
}

fn reap(child: Pid) {
    while matches!(
        rustix::process::waitpid(Some(child), WaitOptions::empty()),
        Err(rustix::io::Errno::INTR)
    ) {}
}

/// Init's part: confines itself step by step, starts the program, reaps.
fn become_init(
    control: BorrowedFd<'_>,
    launcher: &OwnedFd,
    order: &Order,
    passed: Option<OwnedFd>,
) -> Result<ExitCode, Refusal> {
    await_turn(launcher)?;
    let prepared = Unconfined::new(order).prepare(|| {
        pass_turn(launcher)?;
        await_turn(launcher)
    })?;
    // The program's process holds `theirs` until it executes; then it closes.
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .at(&code::SANDBOX_DESCRIPTORS, || "no pipe".to_owned())?;
    match super::sys::clone_process(0).at(&code::SANDBOX_NAMESPACE, || {
        "the program's process could not be made".to_owned()
    })? {
        Side::Child => {
            drop(ours);
            // Held until this process executes or has reported and exited.
            std::mem::forget(theirs);
            Err(prepared.confine(passed)?.execute())
        }
        Side::Parent(program) => {
            drop(theirs);
            drop(passed);
            let listening = prepared.retire()?;
            let mut byte = [0; 1];
            let _closed = rustix::io::retry_on_intr(|| rustix::io::read(&ours, &mut byte));
            // If it did not execute, its own refusal is in the queue before this.
            order::report_started(control, listening);
            let how = init::reap_until_ended(program);
            init::report_end(control, how);
            Ok(ExitCode::SUCCESS)
        }
    }
}
