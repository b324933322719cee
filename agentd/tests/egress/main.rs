//! The way out, attacked: every attempt is first shown to work where the defence is
//! not, then to fail inside, by what the servers and the report saw. Needs root,
//! erofs-utils, iproute2 and util-linux.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests and what they stand on: a failure shall say where"
)]

#[path = "../sandbox/ground.rs"]
#[allow(dead_code, reason = "shared with tests/sandbox, which uses more of it")]
mod ground;
mod job;
mod world;

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use world::{OWN, PROBE, SERVER, World};

/// Everything that the server has.
const SITE: &str = r#"
[[grant]]
host = "a.example"
ports = [80, 8080, 9000, 9001, 9002]
addresses = ["10.77.0.0/24"]
[[grant]]
host = "hosted.example"
ports = [8080]
addresses = ["10.77.0.2"]
[[grant]]
host = "*.star.example"
ports = [9000]
addresses = ["10.77.0.0/24"]
"#;

fn get(url: &str, host: &str) -> String {
    format!("ask GET {url} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n")
}

#[test]
fn a_granted_page_is_fetched_and_every_connection_is_recorded() {
    let world = World::new();
    let site = world.site(SITE);
    let flags = [
        "--egress-file",
        &site,
        "--egress",
        "a.example:80",
        "--egress",
        "a.example:9000",
        "--egress",
        "*.star.example:9000",
        "--egress",
        "hosted.example:8080",
    ];
    let ran = world.run(
        "office",
        &flags,
        &[
            &get("http://a.example/page?x=1", "a.example"),
            "tunnel a.example:9000 through-a-tunnel",
            "tunnel x.star.example:9000 below-a-star",
            &get("http://hosted.example:8080/", "hosted.example:8080"),
            "env",
        ],
    );
    assert!(ran.output.status.success(), "{ran:?}");
    assert!(ran.answers[0].contains("a page of the server"), "{ran:?}");
    assert_eq!(ran.answers[1], "through-a-tunnel", "{ran:?}");
    assert_eq!(ran.answers[2], "below-a-star");
    // The kernel tells denials to the first network namespace, and this is another.
    assert!(ran.watched, "{ran:?}");
    assert!(ran.answers[3].contains("a page of the server"));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        assert!(ran.answers[4].contains(&format!("{name}=http://127.0.0.1:3128;")));
    }
    let requests = world.requests.lock().unwrap();
    assert_eq!(
        requests[0],
        "GET /page?x=1 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
    );
    let all = &ran.connections;
    assert_eq!(all.len(), 8, "{all:?}");
    assert_eq!(all[0]["opened"]["address"], format!("{SERVER}:80"));
    assert_eq!(
        (&all[0]["number"], &all[0]["host"], &all[0]["port"]),
        (&1.into(), &"a.example".into(), &80.into())
    );
    let closed = all
        .iter()
        .find(|one| one["number"] == 2 && one["closed"].is_object())
        .unwrap();
    assert_eq!(closed["closed"]["sent"], "through-a-tunnel".len());
    assert_eq!(closed["closed"]["received"], "through-a-tunnel".len());
    assert!(ran.refused().is_empty());
}

#[test]
fn there_is_no_other_way_out() {
    let world = World::new();
    let server = format!("{SERVER}:8080");
    let abstract_name = format!("casemate-egress-{}", std::process::id());
    let address = {
        use std::os::linux::net::SocketAddrExt;
        std::os::unix::net::SocketAddr::from_abstract_name(&abstract_name).unwrap()
    };
    let _listens = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    let tcp = format!("tcp {server}");
    let on_port = format!("tcp {SERVER}:3128");
    let own = format!("tcp {OWN}:8080");
    let by_name = format!("abstract {abstract_name}");
    let attempts = [
        tcp.as_str(),
        &on_port,
        &own,
        "tcp 127.0.0.1:8080",
        "tcp 169.254.169.254:80",
        "bind 0.0.0.0:8081",
        "bind 127.0.0.1:8082",
        "udp",
        "icmp",
        "raw",
        "mptcp",
        "inet6",
        "netlink",
        "packet",
        "vsock",
        &by_name,
    ];
    // Outside each of them works, but for what this kernel does not have.
    for address in [
        &server,
        &format!("{OWN}:8080"),
        "127.0.0.1:8080",
        "169.254.169.254:80",
    ] {
        assert!(world.connects_outside(address), "{address}");
    }
    let outside = Command::new(PROBE).args(&attempts[5..]).output().unwrap();
    let outside = String::from_utf8(outside.stdout).unwrap();
    for (line, attempt) in outside.lines().zip(&attempts[5..]) {
        // EPROTONOSUPPORT, EACCES of ping_group_range, EAFNOSUPPORT.
        let missing = ["errno 93", "errno 13", "errno 97"]
            .iter()
            .any(|e| line.ends_with(e));
        let kernels = ["icmp", "mptcp", "vsock"].contains(attempt) && missing;
        assert!(line.ends_with("ok") || kernels, "{attempt}: {line}");
    }

    let (none, denied, unreachable) = ("errno 1", "errno 13", "errno 101");
    let without = world.run("office", &[], &attempts);
    for (attempt, answer) in attempts.iter().zip(&without.answers) {
        let expected = if attempt.starts_with("abstract") {
            "errno 111"
        } else {
            none
        };
        assert_eq!(answer, expected, "without a way out: {attempt}");
    }
    let site = world.site(SITE);
    let with = world.run(
        "office",
        &["--egress-file", &site, "--egress", "a.example:8080"],
        &attempts,
    );
    assert!(with.output.status.success(), "{with:?}");
    for (attempt, answer) in attempts.iter().zip(&with.answers) {
        let expected = match attempt.split(' ').next().unwrap() {
            "tcp" if *attempt == on_port => unreachable,
            "tcp" | "bind" => denied,
            "abstract" => "errno 111",
            _ => none,
        };
        assert_eq!(answer, expected, "with one: {attempt}");
    }
    assert!(with.connections.is_empty());
    // Two controls came there; nothing else did.
    assert_eq!(world.loopback.load(Ordering::SeqCst), 2);
}

#[test]
fn a_proxy_listens_in_its_own_sandbox_only() {
    let world = World::new();
    let site = world.site(SITE);
    let flags = ["--egress-file", &site, "--egress", "a.example:9000"];
    // It holds a tunnel open until we have looked.
    let mut command = world.command("office", &flags, &["tunnel a.example:9000 x", "slow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 4];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut said)
        .unwrap();
    assert_eq!(&said, b"0 x\n");
    assert!(
        !world.connects_outside("127.0.0.1:3128"),
        "a port on the host"
    );
    // A second job's 3128 is its own: it cannot ask with the first one's grants.
    let second = ["--egress-file", &site, "--egress", "a.example:8080"];
    let ran = world.run("office", &second, &["tunnel a.example:9000 x"]);
    assert!(ran.answers[0].contains(" 403 "), "{ran:?}");
    let rest = child.wait_with_output().unwrap();
    assert!(
        String::from_utf8_lossy(&rest.stdout).contains(" 408 "),
        "{rest:?}"
    );
}

#[test]
fn a_name_that_points_where_it_must_not_is_not_connected_to() {
    let world = World::new();
    let hosts = [
        "loop.example",
        "zero.example",
        "meta.example",
        "own.example",
        "all.example",
        "away.example",
        "mixed.example",
        "mapped.example",
        "nat.example",
    ];
    let everywhere = r#"ports = [8080]
        addresses = ["0.0.0.0/0", "::/0"]"#;
    let grants: String = hosts
        .iter()
        .map(|host| match *host {
            "away.example" => {
                format!(
                    "[[grant]]\nhost = \"{host}\"\nports = [8080]\naddresses = [\"10.77.0.0/16\"]\n"
                )
            }
            host => format!("[[grant]]\nhost = \"{host}\"\n{everywhere}\n"),
        })
        .collect();
    let more = "[[grant]]\nhost = \"a.example\"\nports = [8080]\n\
        [[grant]]\nhost = \"none.example\"\nports = [8080]\n";
    let site = world.site(&format!("{grants}{more}"));
    let named: Vec<String> = hosts
        .iter()
        .chain(&["a.example", "none.example"])
        .map(|host| format!("{host}:8080"))
        .collect();
    let mut flags = vec!["--egress-file", &site];
    named.iter().for_each(|one| flags.extend(["--egress", one]));
    let asks: Vec<String> = named.iter().map(|one| format!("tunnel {one} x")).collect();
    let asks: Vec<&str> = asks.iter().map(String::as_str).collect();
    // A program outside that trusts the name gets there.
    for address in [
        "127.0.0.1:8080",
        "169.254.169.254:8080",
        &format!("{OWN}:8080"),
    ] {
        assert!(world.connects_outside(address), "{address}");
    }
    // Both controls that lead to it are taken.
    while world.loopback.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
    let ran = world.run("office", &flags, &asks);
    for (ask, answer) in asks.iter().zip(&ran.answers) {
        let status = if ask.contains("none.") {
            " 502 "
        } else {
            " 403 "
        };
        assert!(answer.contains(status), "{ask}: {answer}; {ran:?}");
    }
    let mut expected = vec!["egress.address"; hosts.len() + 1];
    expected.push("egress.unresolved");
    assert_eq!(ran.refused(), expected, "{:?}", ran.connections);
    assert_eq!(world.loopback.load(Ordering::SeqCst), 2);
    // The controls sent nothing.
    let requests = world.requests.lock().unwrap();
    assert!(requests.iter().all(String::is_empty), "{requests:?}");
    // No search list of the host was tried: evil.example is on it.
    let asked = world.questions.lock().unwrap();
    assert!(
        !asked.keys().any(|name| name.ends_with("evil.example")),
        "{asked:?}"
    );
}

#[test]
fn a_name_that_changes_is_checked_each_time_and_asked_for_once() {
    let world = World::new();
    let site = world.site(
        "[[grant]]\nhost = \"rebind.example\"\nports = [8080, 9000]\naddresses = [\"0.0.0.0/0\"]\n",
    );
    let flags = [
        "--egress-file",
        &site,
        "--egress",
        "rebind.example:9000",
        "--egress",
        "rebind.example:8080",
    ];
    let ran = world.run(
        "office",
        &flags,
        &[
            "tunnel rebind.example:9000 first",
            "tunnel rebind.example:8080 second",
        ],
    );
    assert_eq!(ran.answers[0], "first", "{ran:?}");
    assert!(ran.answers[1].contains(" 403 "), "{ran:?}");
    assert_eq!(ran.refused(), ["egress.address"]);
    assert_eq!(world.questions.lock().unwrap()["rebind.example"], 2);
    assert_eq!(world.loopback.load(Ordering::SeqCst), 0);
}

#[test]
fn what_is_not_granted_or_not_plain_goes_nowhere() {
    let world = World::new();
    let site = world.site(SITE);
    let flags = ["--egress-file", &site, "--egress", "a.example:8080"];
    let refused = [
        // Granted by the site, not to the job; by nobody; other spellings of an address.
        ("tunnel a.example:9000 x", " 403 "),
        ("tunnel hosted.example:8080 x", " 403 "),
        ("tunnel b.example:8080 x", " 403 "),
        ("tunnel 10.77.0.2:8080 x", " 400 "),
        ("tunnel 172818434:8080 x", " 400 "),
        ("tunnel 0x0a4d0002:8080 x", " 400 "),
        ("tunnel [::ffff:10.77.0.2]:8080 x", " 400 "),
        ("tunnel a.example.:8080 x", " 400 "),
        ("tunnel A.example:8080 x", " 400 "),
        ("tunnel x@a.example:8080 x", " 400 "),
        ("tunnel a.example:08080 x", " 400 "),
        ("tunnel a.example x", " 400 "),
    ];
    let asks: Vec<&str> = refused.iter().map(|(ask, _)| *ask).collect();
    let ran = world.run("office", &flags, &asks);
    for ((ask, status), answer) in refused.iter().zip(&ran.answers) {
        assert!(answer.contains(status), "{ask}: {answer}");
    }
    let host = "Host: a.example:8080";
    let heads = [
        "ask GET http://a.example:8080/ HTTP/1.1\\r\\nHost: b.example\\r\\n\\r\\n".to_owned(),
        format!(
            "ask GET http://a.example:8080/ HTTP/1.1\\r\\n{host}\\r\\nContent-Length: 3\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n"
        ),
        format!(
            "ask GET http://a.example:8080/ HTTP/1.1\\r\\n{host}\\r\\nX: a\\r\\n b\\r\\n\\r\\n"
        ),
        format!("ask GET http://a.example:8080/ HTTP/1.1\\n{host}\\n\\n\\r\\n\\r\\n"),
        format!("ask GET http://a.example:8080/ HTTP/1.1\\r\\n{host}\\r\\nX : a\\r\\n\\r\\n"),
        format!(
            "ask GET http://a.example:8080/ HTTP/1.1\\r\\n{host}\\r\\nX: {}\\r\\n\\r\\n",
            "a".repeat(20_000)
        ),
        "ask CONNECT a.example:8080 HTTP/1.1\\r\\n\\r\\nGET / HTTP/1.1\\r\\n\\r\\n".to_owned(),
        "ask \\0\\0\\r\\n\\r\\n".to_owned(),
    ];
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let ran = world.run("office", &flags, &heads);
    for (head, answer) in heads.iter().zip(&ran.answers) {
        assert!(answer.contains("egress.request"), "{head}: {answer}");
    }
    assert_eq!(ran.refused(), vec!["egress.request"; heads.len()]);
    assert!(
        world.requests.lock().unwrap().is_empty(),
        "something arrived"
    );

    // A second request after the first one's body stays behind.
    let two = "ask POST http://a.example:8080/one HTTP/1.1\\r\\nHost: a.example:8080\\r\\n\
        Content-Length: 2\\r\\n\\r\\nokGET /two HTTP/1.1\\r\\nHost: b.example\\r\\n\\r\\n";
    let ran = world.run("office", &flags, &[two]);
    assert!(ran.answers[0].contains("a page of the server"), "{ran:?}");
    let requests = world.requests.lock().unwrap();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].ends_with("\r\n\r\nok"), "{requests:?}");
}

#[test]
fn a_job_stays_within_its_bounds() {
    let world = World::new();
    let site = world.site(&format!(
        "[limits]\nsent_bytes = 100000\nreceived_bytes = 50000\nconnections = 100\n{SITE}"
    ));
    let all = |port: u16| format!("a.example:{port}");
    let (echo, sink, source) = (all(9000), all(9001), all(9002));
    let flags = [
        "--egress-file",
        &site,
        "--egress",
        &echo,
        "--egress",
        &sink,
        "--egress",
        &source,
    ];
    let flood = world.run("office", &flags, &["flood a.example:9000 80"]);
    assert_eq!(flood.answers, ["80"], "{flood:?}");
    assert!((1..=64).contains(&world.most.load(Ordering::SeqCst)));

    let ran = world.run(
        "office",
        &flags,
        &["pour a.example:9001 1000000", "tunnel a.example:9001 more"],
    );
    assert!(ran.output.status.success(), "{ran:?}");
    assert!(world.sunk.load(Ordering::SeqCst) <= 100_000);
    let ran = world.run("office", &flags, &["pour a.example:9002 1"]);
    let got: usize = ran.answers[0].parse().unwrap();
    assert!(got <= 50_000, "{got}");
    let closed = ran
        .connections
        .iter()
        .find(|one| one["closed"].is_object())
        .unwrap();
    assert_eq!(closed["closed"]["code"], "egress.bytes");

    let few = world.site(&format!("[limits]\nconnections = 3\n{SITE}"));
    let flags = ["--egress-file", &few, "--egress", &echo];
    let ran = world.run(
        "office",
        &flags,
        &["many a.example:9000 4", "tcp 127.0.0.1:3128"],
    );
    assert_eq!(ran.answers, ["200 200 200 503", "errno 111"], "{ran:?}");
    assert_eq!(ran.refused(), ["egress.connections"]);
}

#[test]
fn a_way_out_needs_profile_site_and_job() {
    let world = World::new();
    let site = world.site(SITE);
    let refused = |profile: &str, asked: &str| {
        let ran = world.run(
            profile,
            &["--egress-file", &site, "--egress", asked],
            &["env"],
        );
        assert_eq!(ran.output.status.code(), Some(125), "{ran:?}");
        assert!(ran.answers.is_empty());
        String::from_utf8_lossy(&ran.output.stderr).into_owned()
    };
    assert!(refused("office", "b.example:80").contains("egress.site"));
    assert!(refused("office", "a.example:81").contains("egress.site"));
    assert!(refused("office", "*.example.example:80").contains("egress.site"));
    for profile in ["script", "strict", "hands", "model", "proxy"] {
        assert!(
            refused(profile, "a.example:80").contains("does not grant"),
            "{profile}"
        );
    }
    let narrow = world.directory.join("narrow.toml");
    let office = casemate_agentd::sandbox::Profile::source("office").unwrap();
    std::fs::write(
        &narrow,
        office.replace("egress = \"site\"", "egress = [\"a.example:9000\"]"),
    )
    .unwrap();
    let narrow = narrow.to_str().unwrap();
    let run = |asked: &str| {
        let flags = [
            "--narrow",
            narrow,
            "--egress-file",
            &site,
            "--egress",
            asked,
        ];
        world.run("office", &flags, &["tunnel a.example:9000 x"])
    };
    assert_eq!(run("a.example:9000").answers, ["x"]);
    assert_eq!(run("a.example:8080").output.status.code(), Some(125));
    let broken = world.site("[[grant]]\nhost = \"10.0.0.1\"\nports = [80]\n");
    let ran = world.run(
        "office",
        &["--egress-file", &broken, "--egress", "a.example:80"],
        &["env"],
    );
    assert!(String::from_utf8_lossy(&ran.output.stderr).contains("egress.file"));
}

/// What a proxy in an attacker's hands has: no socket, no file of a job.
#[test]
fn a_hostile_proxy_can_make_nothing() {
    let world = World::new();
    let server = format!("tcp {SERVER}:8080");
    let attempts = [
        server.as_str(),
        "udp",
        "inet6",
        "netlink",
        "mptcp",
        "raw",
        "bind 127.0.0.1:3128",
        "abstract x",
        "list /jobs",
        "list /workspace",
        "read /etc/shadow",
        "list /proc/1/fd",
        "read /egress.toml",
    ];
    let ran = world.run("proxy", &[], &attempts);
    for (attempt, answer) in attempts.iter().zip(&ran.answers) {
        // Not permitted, not there, or not to be read.
        assert!(
            ["errno 1", "errno 2", "errno 13"].contains(&answer.as_str()),
            "{attempt}: {answer}"
        );
    }
    assert_eq!(ran.answers.len(), attempts.len());
}
