//! What the tests stand on: a small pack of their own, signed by a key of their
//! own, and `agentd exec` with it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use casemate_agentd::pack::verity_root;
use casemate_protocol::codec;
use minicbor::Encode;
use minicbor::bytes::ByteVec;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::EncodePublicKey;
use sha2::{Digest, Sha256};

pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_sandbox-probe");
pub(crate) const AGENTD: &str = env!("CARGO_BIN_EXE_agentd");

/// Files of the pack that no profile gives: plain, with a blank, with a line break,
/// and one that imitates the rest of an audit record.
pub(crate) const UNGRANTED: [&str; 4] = [
    "/srv/plain",
    "/srv/a b",
    "/srv/a\nb",
    "/srv/x\" domain=1 blockers=fs.execute path=\"/etc/shadow",
];

/// The test pack's files.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub pack: PathBuf,
    pub data: PathBuf,
    pub key: PathBuf,
}

/// Made once for the programs in it, whichever test comes first.
pub(crate) fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let made = |program: &str| {
            let time = fs::metadata(program).unwrap().modified().unwrap();
            time.duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_nanos()
        };
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let name = format!("ground-{}-{}", made(PROBE), made(AGENTD));
        let place = directory.join(name);
        if !place.exists() {
            // Another test process may be doing the same: who is first, wins.
            let own = directory.join(format!("ground-of-{}", std::process::id()));
            build(&own);
            if fs::rename(&own, &place).is_err() {
                fs::remove_dir_all(&own).unwrap();
            }
        }
        Ground {
            pack: place.join("test.pack"),
            data: place.join("test.erofs"),
            key: place.join("release.pub"),
        }
    })
}

/// A fresh copy of the pack that a test may damage.
pub(crate) fn copy_of_ground(name: &str) -> Ground {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("sandbox-{}-{name}", std::process::id()));
    let _old = fs::remove_dir_all(&place);
    build(&place)
}

fn build(place: &Path) -> Ground {
    let tree = place.join("tree");
    for directory in [
        "agent",
        "dev",
        "home/job",
        "models",
        "proc",
        "run",
        "sys",
        "tmp",
        "workspace",
        "var",
        "etc",
        "usr/bin",
        "usr/lib/x86_64-linux-gnu",
        "usr/lib64",
    ] {
        fs::create_dir_all(tree.join(directory)).unwrap();
    }
    for (link, to) in [
        ("bin", "usr/bin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib64"),
    ] {
        std::os::unix::fs::symlink(to, tree.join(link)).unwrap();
    }
    fs::write(
        tree.join("etc/passwd"),
        "job:x:1000:1000::/home/job:/bin/false\n",
    )
    .unwrap();
    fs::copy(PROBE, tree.join("usr/bin/other")).unwrap();
    // What no profile gives, by names that an explanation must get right.
    for name in UNGRANTED {
        let path = tree.join(name.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    for library in libraries(PROBE).union(&libraries(AGENTD)) {
        let name = Path::new(library).file_name().unwrap();
        fs::copy(library, tree.join("usr/lib/x86_64-linux-gnu").join(name)).unwrap();
    }
    let loader = "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
    std::os::unix::fs::symlink(loader, tree.join("usr/lib64/ld-linux-x86-64.so.2")).unwrap();
    let data = place.join("test.erofs");
    let made = Command::new("mkfs.erofs")
        .arg("-T0")
        .arg("--all-root")
        .arg(&data)
        .arg(&tree)
        .output();
    let made = made.expect("mkfs.erofs (package erofs-utils) is needed");
    assert!(made.status.success(), "{made:?}");
    fs::remove_dir_all(&tree).unwrap();
    sign(place, &data)
}

#[derive(Encode)]
struct Manifest(
    #[n(0)] u64,
    #[n(1)] u64,
    #[n(2)] String,
    #[n(3)] String,
    #[n(4)] u64,
    #[n(5)] u64,
    #[n(6)] u64,
    #[n(7)] u64,
    #[n(8)] ByteVec,
    #[n(9)] ByteVec,
    #[n(10)] ByteVec,
    #[n(11)] Vec<u64>,
);

/// Signs the data as the format says, with a stand-in for the hash area (nothing
/// here reads it).
fn sign(place: &Path, data: &Path) -> Ground {
    let mut bytes = fs::read(data).unwrap();
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    let data_size = bytes.len() as u64;
    bytes.extend([0; 4096]);
    fs::write(data, &bytes).unwrap();
    fs::set_permissions(data, PermissionsExt::from_mode(0o644)).unwrap();
    let file = fs::File::open(data).unwrap();
    let root = verity_root(&file, data_size, &[7; 32]).unwrap();
    let manifest = codec::encode(&Manifest(
        1,
        0,
        "test".into(),
        "1".into(),
        data_size,
        data_size,
        bytes.len() as u64,
        4096,
        ByteVec::from(vec![7; 32]),
        ByteVec::from(root.to_vec()),
        ByteVec::from(Sha256::digest(&bytes).to_vec()),
        vec![],
    ));
    let key = SigningKey::from_slice(&[3; 32]).unwrap();
    let signature: Signature = key.sign(&[b"casemate pack v1\0", manifest.as_slice()].concat());
    let signed = (
        ByteVec::from(manifest),
        ByteVec::from(signature.to_bytes().to_vec()),
    );
    let ground = Ground {
        pack: place.join("test.pack"),
        data: data.to_owned(),
        key: place.join("release.pub"),
    };
    fs::write(&ground.pack, codec::encode(&signed)).unwrap();
    let pem = key
        .verifying_key()
        .to_public_key_pem(Default::default())
        .unwrap();
    fs::write(&ground.key, pem).unwrap();
    ground
}

fn libraries(program: &str) -> BTreeSet<String> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    String::from_utf8(listed.stdout)
        .unwrap()
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

/// `agentd exec` of the probe in a sandbox of `profile`, ready to be extended.
pub(crate) fn exec(ground: &Ground, profile: &str) -> Command {
    // Tests run side by side: each has a range of its own.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let base = 400_000 + NEXT.fetch_add(1, Ordering::Relaxed) * 2000;
    exec_at(ground, profile, base)
}

/// The same with one layer left away.
#[cfg(feature = "weaken")]
pub(crate) fn exec_without(
    ground: &Ground,
    profile: &str,
    layer: casemate_agentd::sandbox::Layer,
) -> Command {
    let mut command = Command::new(AGENTD);
    command.args(["--without", layer.name()]);
    extend(command, ground, profile, 390_000)
}

/// The same with a given uid range.
pub(crate) fn exec_at(ground: &Ground, profile: &str, base: u32) -> Command {
    extend(Command::new(AGENTD), ground, profile, base)
}

fn extend(mut command: Command, ground: &Ground, profile: &str, base: u32) -> Command {
    command
        .args([
            "exec",
            "--uid-count",
            "2000",
            "--uid-base",
            &base.to_string(),
        ])
        .args([
            "--profile",
            profile,
            "--bind-ro",
            &format!("{PROBE}=/agent/probe"),
        ])
        .arg("--pack")
        .arg(&ground.pack)
        .arg("--release-key")
        .arg(&ground.key);
    command
}

/// Runs the probe's attempts inside.
pub(crate) fn inside(profile: &str, flags: &[&str], attempts: &[&str]) -> Output {
    exec(ground(), profile)
        .args(flags)
        .args(["--", "/agent/probe"])
        .args(attempts)
        .output()
        .unwrap()
}

/// The same attempts outside, as the control.
pub(crate) fn outside(attempts: &[&str]) -> Output {
    Command::new(PROBE).args(attempts).output().unwrap()
}

/// What the probe printed of one attempt.
pub(crate) fn verdict(output: &Output, attempt: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| line.strip_prefix(&format!("{attempt} ")))
        .unwrap_or_else(|| panic!("no verdict on {attempt}: {output:?}"))
        .to_owned()
}
