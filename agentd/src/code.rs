//! The stable error codes of the agent runtime; `docs/errors.md` is made of them.

use casemate_protocol::Code;

/// A layer does not hold.
pub const SELFTEST_LAYER: Code = Code {
    id: "selftest.layer",
    what: "An attempt to get out of a sandbox was not answered as it must be, so agentd does not serve.",
    next: "The sentence names the profile, the layer and the attempt; run `agentd selftest --json` and keep its output. A kernel of another build is the usual cause.",
};
/// The control does not differ.
pub const SELFTEST_CONTROL: Code = Code {
    id: "selftest.control",
    what: "An attempt fails outside a sandbox as well, so its failing inside shows nothing, and agentd does not serve.",
    next: "Something around agentd, such as a container, takes the call away; run it on the appliance's own kernel.",
};
/// The attempts were not made.
pub const SELFTEST_UNANSWERED: Code = Code {
    id: "selftest.unanswered",
    what: "The self-test's attempts were not made, or not all, so agentd does not serve.",
    next: "Run `agentd selftest`; check that the root pack is the one of this release.",
};
/// A needed kernel feature is missing.
pub const SANDBOX_KERNEL: Code = Code {
    id: "sandbox.kernel",
    what: "The kernel does not offer a feature that every sandbox needs, so none is started.",
    next: "Run on a kernel with Landlock ABI 7 or later and user namespaces; the appliance image has one.",
};
/// A namespace could not be made or left as wanted.
pub const SANDBOX_NAMESPACE: Code = Code {
    id: "sandbox.namespace",
    what: "The namespaces of a sandbox could not be made, or its two halves lost each other while it started.",
    next: "Start agentd again through `agentd enter`; check that user.max_user_namespaces is not 0.",
};
/// The tree could not be built.
pub const SANDBOX_MOUNT: Code = Code {
    id: "sandbox.mount",
    what: "The file tree of a sandbox could not be built.",
    next: "The message names the place; check that the pack is the one of this release and that the path exists.",
};
/// The identity could not be taken.
pub const SANDBOX_IDENTITY: Code = Code {
    id: "sandbox.identity",
    what: "A sandbox could not be given its identity.",
    next: "Check that --uid-base and --uid-count name a range that is free on this host.",
};
/// Privileges are still there.
pub const SANDBOX_PRIVILEGE: Code = Code {
    id: "sandbox.privilege",
    what: "A sandbox did not get rid of every privilege, so it was ended before its program ran.",
    next: "Keep the message and report it: this is a defect of the program or the kernel.",
};
/// A Landlock rule could not be made.
pub const SANDBOX_LANDLOCK: Code = Code {
    id: "sandbox.landlock",
    what: "A file rule of the profile could not be enforced.",
    next: "The message names the path; a pack must contain every path its profile names.",
};
/// The filter could not be installed.
pub const SANDBOX_SECCOMP: Code = Code {
    id: "sandbox.seccomp",
    what: "The system call filter of a sandbox could not be installed.",
    next: "Run on x86-64 with seccomp enabled in the kernel.",
};
/// A limit could not be set.
pub const SANDBOX_LIMITS: Code = Code {
    id: "sandbox.limits",
    what: "A resource limit of a sandbox could not be set.",
    next: "Keep the message and report it.",
};
/// Control groups cannot be used.
pub const SANDBOX_CGROUP: Code = Code {
    id: "sandbox.cgroup",
    what: "The control group of a sandbox could not be made or joined.",
    next: "Check that the memory and pids controllers are mounted below /sys/fs/cgroup and that no other agentd uses the same name.",
};
/// Descriptors could not be arranged.
pub const SANDBOX_DESCRIPTORS: Code = Code {
    id: "sandbox.descriptors",
    what: "The descriptors of a sandbox could not be arranged.",
    next: "Check the limit on open files of agentd.",
};
/// The order was not one.
pub const SANDBOX_ORDER: Code = Code {
    id: "sandbox.order",
    what: "A sandbox was asked for that its profile does not allow, or the request was malformed.",
    next: "The message says what is too much; a job may only narrow its profile.",
};
/// A report was not one.
pub const SANDBOX_REPORT: Code = Code {
    id: "sandbox.report",
    what: "A launcher reported something that makes no sense; its sandbox was ended.",
    next: "Keep the message and report it.",
};
/// The launcher did not do its part.
pub const SANDBOX_LAUNCHER: Code = Code {
    id: "sandbox.launcher",
    what: "The launcher of a sandbox could not be started, or ended before the sandbox ran.",
    next: "Check free memory and the process limit of agentd.",
};
/// The program could not be executed.
pub const SANDBOX_EXEC: Code = Code {
    id: "sandbox.exec",
    what: "The program of a sandbox could not be executed; no other was.",
    next: "Check that the program is in the pack or the program directory and that the profile lets it be executed.",
};
/// No such profile.
pub const PROFILE_UNKNOWN: Code = Code {
    id: "profile.unknown",
    what: "No profile of that name came with this release.",
    next: "`agentd profile list` names those that there are.",
};
/// A profile asks for what this kernel cannot hold.
pub const PROFILE_UNENFORCEABLE: Code = Code {
    id: "profile.unenforceable",
    what: "A profile grants something that the running kernel cannot confine to what the profile says.",
    next: "Run on a kernel with the Landlock ABI that the message names, or leave the grant out; nothing is started with less than the profile says.",
};
/// A profile is not well-formed.
pub const PROFILE_INVALID: Code = Code {
    id: "profile.invalid",
    what: "A profile is not well-formed or asks for what cannot be enforced.",
    next: "The message names the key or set; profiles only allow, and unknown keys are errors.",
};
/// A pack's file is not there.
pub const PACK_MISSING: Code = Code {
    id: "pack.missing",
    what: "A pack's manifest or data file is not there or cannot be read.",
    next: "Build the pack with `cargo run -p image -- pack NAME`, or copy both of its files again.",
};
/// A pack's manifest is malformed.
pub const PACK_FORMAT: Code = Code {
    id: "pack.format",
    what: "A pack's manifest is not exactly what docs/formats/pack.md describes.",
    next: "Copy or build the pack again; a manifest of a newer format needs a newer agentd.",
};
/// A pack's signature does not hold.
pub const PACK_SIGNATURE: Code = Code {
    id: "pack.signature",
    what: "A pack's manifest is not signed by the key that was given.",
    next: "Check --release-key; if the key is right, the pack is not from this release and must not be used.",
};
/// A pack's data is not what was signed.
pub const PACK_CHANGED: Code = Code {
    id: "pack.changed",
    what: "A pack's data file is not the one that was signed.",
    next: "Copy or build the pack again; find out who changed it.",
};
/// A pack's file can be changed by others.
pub const PACK_EXPOSED: Code = Code {
    id: "pack.exposed",
    what: "A pack's data file could be changed by somebody else after it was checked.",
    next: "Make the file owned by root and writable by nobody else.",
};
/// A verified pack could not be mounted.
pub const PACK_MOUNT: Code = Code {
    id: "pack.mount",
    what: "A verified pack could not be mounted.",
    next: "Keep the pack on a disk's file system, not a tmpfs; the kernel needs CONFIG_EROFS_FS with file-backed mounts, and `agentd enter` needs root.",
};
/// The daemon does not listen.
pub const AGENTD_NO_DAEMON: Code = Code {
    id: "agentd.no-daemon",
    what: "The control daemon's socket for agentd does not answer.",
    next: "Start casemated first and name its socket with --daemon.",
};
/// A build for tests was asked to serve.
pub const AGENTD_TEST_BUILD: Code = Code {
    id: "agentd.test-build",
    what: "This agentd was built for tests, with features that can take a layer of the sandboxes away, so it does not serve.",
    next: "Build it without the features `weaken` and `host-root`; `agentd --version` names a build for tests.",
};

/// Every code of this crate.
pub const CODES: &[Code] = &[
    SELFTEST_LAYER,
    SELFTEST_CONTROL,
    SELFTEST_UNANSWERED,
    SANDBOX_KERNEL,
    SANDBOX_NAMESPACE,
    SANDBOX_MOUNT,
    SANDBOX_IDENTITY,
    SANDBOX_PRIVILEGE,
    SANDBOX_LANDLOCK,
    SANDBOX_SECCOMP,
    SANDBOX_LIMITS,
    SANDBOX_CGROUP,
    SANDBOX_DESCRIPTORS,
    SANDBOX_ORDER,
    SANDBOX_REPORT,
    SANDBOX_LAUNCHER,
    SANDBOX_EXEC,
    PROFILE_UNKNOWN,
    PROFILE_UNENFORCEABLE,
    PROFILE_INVALID,
    PACK_MISSING,
    PACK_FORMAT,
    PACK_SIGNATURE,
    PACK_CHANGED,
    PACK_EXPOSED,
    PACK_MOUNT,
    AGENTD_NO_DAEMON,
    AGENTD_TEST_BUILD,
];
