//! One layer left away, all others in place: what then gets through, as the host
//! sees it. Where nothing does, the layer stands behind another, and the attempt
//! that meets it there is named with the answer of what then held.
//!
//! Test builds only: feature `weaken`.

use casemate_agentd::sandbox::Layer;

use super::attempts::ALL;
use super::place::{Host, Probe, Start, UID, as_inside, processes, until, word};
use super::supervisor;
use super::world::{Report, Seen};

/// What a missing layer is shown by.
enum Proof {
    /// This attempt is then seen by the host.
    Through(&'static str),
    /// The host then finds this not to hold any more.
    Gone(fn(&Host) -> bool),
    /// Nothing gets through alone: these layers held, and answered this.
    Behind(&'static str, &'static str),
    /// agentd's supervisor, falling for what a job left it, is then led out.
    Led,
}

const TABLE: [(Layer, Proof); 27] = [
    (Layer::Descriptors, Proof::Through("inherited_socket")),
    (Layer::ControlGroup, Proof::Gone(memory_is_limited)),
    (Layer::Root, Proof::Through("tree_old_root")),
    (Layer::MountFlags, Proof::Through("exec_map_written")),
    (Layer::Devices, Proof::Through("unix_in_devices")),
    (Layer::Processes, Proof::Through("kernel_file_symbols")),
    (Layer::Sizes, Proof::Gone(tmp_is_limited)),
    (Layer::Workspace, Proof::Gone(workspace_is_limited)),
    (Layer::UserNamespace, Proof::Gone(id_is_its_own)),
    (Layer::PidNamespace, Proof::Through("kernel_file_symbols")),
    (Layer::NetworkNamespace, Proof::Gone(listeners_are_hidden)),
    (Layer::IpcNamespace, Proof::Gone(shared_memory_is_its_own)),
    (Layer::UtsNamespace, Proof::Through("self_host_name")),
    (Layer::CgroupNamespace, Proof::Through("cgroup_learn_path")),
    (Layer::MemoryFiles, Proof::Through("exec_from_memory")),
    // The filter refuses first; with the filter gone it is this layer's ENOSPC.
    (
        Layer::NestedNamespaces,
        Proof::Behind("ns_clone_user", "errno 1"),
    ),
    (Layer::Rlimits, Proof::Through("self_core_file")),
    (Layer::Session, Proof::Gone(session_is_its_own)),
    (Layer::Capabilities, Proof::Gone(no_capability_in_any_set)),
    (Layer::SecureBits, Proof::Gone(secure_bits_are_locked)),
    (Layer::ParentDeath, Proof::Gone(it_dies_with_its_launcher)),
    (Layer::Reaping, Proof::Gone(the_dead_are_reaped)),
    (Layer::Landlock, Proof::Through("file_list_root")),
    // Signals do not leave the pid namespace, names not the network namespace.
    (Layer::Scopes, Proof::Behind("unix_abstract", "errno 111")),
    // The list kills foreign tables as well, and no nested namespace is allowed; of a
    // watch it still refuses the adding.
    (
        Layer::Gate,
        Proof::Behind("abi_clone3_hidden_flags", "errno 28"),
    ),
    (Layer::Calls, Proof::Through("kernel_seccomp_listener")),
    (Layer::SupervisorLandlock, Proof::Led),
];

#[test]
fn every_layer_that_is_left_away_is_missed() {
    let named: Vec<Layer> = TABLE.iter().map(|(layer, _)| *layer).collect();
    assert_eq!(named, Layer::all().collect::<Vec<_>>());
    let whole = Host::new();
    let mut wrong = Vec::new();
    for (layer, proof) in &TABLE {
        let host = Host::without(*layer);
        let why = match proof {
            Proof::Through(name) => through(&host, name),
            Proof::Behind(name, answer) => behind(&host, name, answer),
            Proof::Led => match (is_led_out(Host::confined()), is_led_out(host)) {
                (false, true) => None,
                (false, false) => Some("the supervisor is not led out".into()),
                (true, _) => Some("the supervisor is led out with every layer".into()),
            },
            Proof::Gone(holds) => match (holds(&whole), holds(&host)) {
                (true, false) => None,
                (true, true) => Some("nothing is missing".into()),
                (false, _) => Some("it does not hold with every layer".into()),
            },
        };
        wrong.extend(why.map(|why| format!("{layer}: {why}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What stands behind the filter, when that is gone.
#[test]
fn behind_the_list_of_calls_other_layers_hold() {
    let host = Host::without(Layer::Calls);
    // Nothing does behind these.
    for name in ["shared_notify", "shared_lease", "unix_address_high_bits"] {
        assert_eq!(through(&host, name), None);
    }
    for (name, answer) in [
        // No nested namespaces; no capabilities; Landlock; no network at all.
        ("ns_clone_user", "errno 28"),
        ("abi_clone3_hidden_flags", "errno 38"),
        ("ns_unshare_net", "errno 1"),
        ("tree_mount", "errno 1"),
        ("net_tcp_connect", "errno 13"),
        ("net_udp_send", "errno 101"),
        ("process_trace", "errno 3"),
        ("shared_chown", "errno 30"),
        ("ipc_semaphore", "errno 2"),
        ("kernel_set_clock", "errno 1"),
    ] {
        assert_eq!(behind(&host, name, answer), None);
    }
}

fn attempt(host: &Host, name: &str) -> (bool, String) {
    let (_, attempt) = ALL.iter().find(|(known, _)| known == &name).unwrap();
    let mut world = host.world(name, UID);
    (attempt.stage)(&mut world);
    as_inside(&mut world);
    let probe = start(host, "attempt", UID);
    let result = match probe.make(name, &world) {
        Some(report) => ((attempt.seen)(&mut world, &report), word(&report)),
        None => (false, "it did not live".to_owned()),
    };
    // By the host: without a pid namespace it would outlive its init.
    unsafe { libc::kill(probe.pid, libc::SIGKILL) };
    host.wait("attempt", true);
    result
}

fn through(host: &Host, name: &str) -> Option<String> {
    let (seen, word) = attempt(host, name);
    (!seen).then(|| format!("{name} is not seen, it said {word}"))
}

fn behind(host: &Host, name: &str, answer: &str) -> Option<String> {
    let (seen, word) = attempt(host, name);
    (seen || word != answer).then(|| format!("{name}: seen {seen}, it said {word}, not {answer}"))
}

fn start(host: &Host, name: &str, uid: u32) -> Probe {
    host.inside(name, "desktop", uid)
}

/// One deed in a fresh desktop, and what `judge` makes of it.
fn after(
    host: &Host,
    deed: &str,
    tmp: &str,
    judge: impl FnOnce(&Probe, Option<&Report>) -> bool,
) -> bool {
    let probe = host
        .start(&Start {
            memory_bytes: Some(256 << 20),
            ..Start::new("hostile", "desktop", UID)
        })
        .unwrap();
    let mut world = host.world(deed, UID);
    as_inside(&mut world);
    world.scene.tmp = tmp.to_owned();
    let report = probe.make(deed, &world);
    let holds = judge(&probe, report.as_ref());
    host.wait("hostile", true);
    holds
}

fn memory_is_limited(host: &Host) -> bool {
    after(host, "take_memory", "", |_, report| report.is_none())
}

fn tmp_is_limited(host: &Host) -> bool {
    after(host, "empty_files", "/tmp", |_, report| {
        report.is_some_and(|report| report.answer == Err(libc::ENOSPC))
    })
}

fn workspace_is_limited(host: &Host) -> bool {
    after(host, "empty_files", "/workspace", |_, report| {
        report.is_some_and(|report| report.answer == Err(libc::ENOSPC))
    })
}

/// Two sandboxes of one agentd are two ids to the host.
fn id_is_its_own(host: &Host) -> bool {
    let uid = |probe: &Probe| Seen::of(probe.pid).line("Uid");
    let (one, other) = (start(host, "one", UID), start(host, "other", UID + 1));
    let differ = uid(&one) != uid(&other);
    host.wait("one", true);
    host.wait("other", true);
    differ
}

/// Becoming the program takes what an ordinary user held; the bounding set stays,
/// and is what a program with file capabilities would rise to.
fn no_capability_in_any_set(host: &Host) -> bool {
    after(host, "nothing", "", |probe, _| {
        let seen = Seen::of(probe.pid);
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
            .iter()
            .all(|set| seen.line(set) == "0000000000000000")
    })
}

/// What one sandbox listens at, another does not find listed.
fn listeners_are_hidden(host: &Host) -> bool {
    let (one, other) = (start(host, "one", UID), start(host, "other", UID + 1));
    let mut world = host.world("unix_listing", UID);
    as_inside(&mut world);
    assert!(one.make("listen", &world).unwrap().answer.is_ok());
    let report = other.make("unix_listing", &world).unwrap();
    let found = report.got(&world.scene.tag);
    host.wait("one", true);
    host.wait("other", true);
    !found
}

/// What one sandbox shares, another does not find.
fn shared_memory_is_its_own(host: &Host) -> bool {
    let (one, other) = (start(host, "one", UID), start(host, "other", UID + 1));
    let mut world = host.world("ipc_shared_memory", UID);
    as_inside(&mut world);
    assert!(one.make("share_memory", &world).unwrap().answer.is_ok());
    let report = other.make("ipc_shared_memory", &world).unwrap();
    let found = report.got("secret-of-");
    host.wait("one", true);
    host.wait("other", true);
    !found
}

/// The program leads a session in which nobody else is.
fn session_is_its_own(host: &Host) -> bool {
    after(host, "nothing", "", |probe, _| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", probe.pid)).unwrap();
        let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap();
        session == probe.pid.to_string()
    })
}

fn secure_bits_are_locked(host: &Host) -> bool {
    after(host, "secure_bits", "", |_, report| {
        // Locked with its lock, each of the pairs that there are.
        let answer = report.unwrap().answer.clone().unwrap();
        let bits: u32 = String::from_utf8(answer).unwrap().parse().unwrap();
        bits & 0b10_1010 == 0b10_1010
    })
}

/// A launcher that is killed takes its sandbox along.
fn it_dies_with_its_launcher(host: &Host) -> bool {
    let probe = start(host, "hostile", UID);
    let parent = |pid: i32| -> i32 { Seen::of(pid).line("PPid").parse().unwrap() };
    let init = parent(probe.pid);
    let launcher = parent(init);
    unsafe { libc::kill(launcher, libc::SIGKILL) };
    until("the launcher is gone", || {
        Seen::of(init).line("PPid") != launcher.to_string()
    });
    let died = super::world::soon(|| processes(host.uids + UID, 1).is_empty());
    for pid in processes(host.uids + UID, 1) {
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    host.wait("hostile", true);
    died
}

/// A supervisor that follows a job's link reads what the host has behind it.
fn is_led_out(host: Host) -> bool {
    let (host, world) = supervisor::staged(host);
    let desktop = start(&host, "hostile", UID);
    desktop.make("links", &world).unwrap().answer.unwrap();
    assert_eq!(supervisor::read(&host, "honest", true), Ok("honest".into()));
    supervisor::read(&host, "link", true) == Ok(world.secret.clone())
}

fn the_dead_are_reaped(host: &Host) -> bool {
    after(host, "dead_orphans", "", |probe, _| {
        super::world::soon(|| {
            processes(host.uids + UID, 1)
                .iter()
                .filter(|pid| **pid != probe.pid)
                .all(|pid| !Seen::of(*pid).line("State").starts_with('Z'))
        })
    })
}
