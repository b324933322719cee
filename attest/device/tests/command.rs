//! `unseal` as its launcher and its operator see it: descriptor, whole output, exit codes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Output, Stdio};

use bed::{Bed, log};
use casemate_device::Handover;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};

/// A bed whose files are on disk as the stand lays them out.
fn laid_out() -> Bed {
    let bed = Bed::new();
    drop(bed.start());
    fs::write(bed.path("release.cose"), bed.release()).unwrap();
    fs::write(bed.path("firmware.log"), log(&bed.boot)).unwrap();
    for (name, key) in [("release", &bed.release_key), ("site", &bed.site_key)] {
        let public = key
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .unwrap();
        fs::write(bed.path(&format!("{name}.pub")), public).unwrap();
        let private = key.to_pkcs8_pem(LineEnding::LF).unwrap();
        fs::write(bed.path(&format!("{name}.key")), private.as_bytes()).unwrap();
    }
    bed
}

fn unseal(bed: &Bed, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unseal"));
    command.current_dir(bed.directory.path()).args(arguments);
    command.output().unwrap()
}

fn provision(bed: &Bed) -> Output {
    let tcti = bed.swtpm.as_ref().unwrap().tcti();
    unseal(
        bed,
        &[
            "provision",
            "--tpm",
            &tcti,
            "--state",
            "state",
            "--release",
            "release.cose",
            "--release-key",
            "release.pub",
            "--site-key",
            "site.pub",
            "--firmware-log",
            "firmware.log",
        ],
    )
}

fn open(bed: &Bed, descriptor: &str) -> Output {
    let tcti = bed.swtpm.as_ref().unwrap().tcti();
    unseal(
        bed,
        &[
            "open",
            "--tpm",
            &tcti,
            "--state",
            "state",
            "--release",
            "release.cose",
            "--runtime-log",
            "runtime.log",
            "--out-fd",
            descriptor,
        ],
    )
}

fn said(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty());
    (
        output.status.code(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

/// A file whose descriptor the child inherits, as the launcher's memfd is.
fn inherited(bed: &Bed, name: &str) -> (File, String) {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    let file = File::create(bed.path(name)).unwrap();
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let number = file.as_raw_fd().to_string();
    (file, number)
}

#[test]
fn a_first_boot_and_an_opening_are_silent_and_hand_over_on_the_descriptor() {
    let bed = laid_out();
    assert_eq!(said(&provision(&bed)), (Some(0), String::new()));
    let (file, number) = inherited(&bed, "handover");
    assert_eq!(said(&open(&bed, &number)), (Some(0), String::new()));
    drop(file);
    let handover = Handover::from_bytes(&fs::read(bed.path("handover")).unwrap()).unwrap();
    let tpm = bed.tpm();
    let storage = tpm.storage_root(&handover.srk_name).unwrap();
    assert!(storage.counter(&handover.counter_auth()).unwrap() > 0);
}

/// The key leaves on its descriptor until it was typed back, and is typed into standard input.
#[test]
fn a_recovery_key_is_given_out_and_taken() {
    let mut bed = laid_out();
    assert_eq!(said(&provision(&bed)), (Some(0), String::new()));
    let (_handover, handover) = inherited(&bed, "handover");
    let (_text, text) = inherited(&bed, "recovery");
    let tcti = |bed: &Bed| bed.swtpm.as_ref().unwrap().tcti();
    let open = |bed: &Bed| {
        let fixed = "open --state state --release release.cose --runtime-log runtime.log";
        let mut arguments: Vec<&str> = fixed.split(' ').collect();
        let tpm = tcti(bed);
        arguments.extend(["--tpm", &tpm, "--out-fd", &handover, "--recovery-fd", &text]);
        unseal(bed, &arguments)
    };
    assert_eq!(said(&open(&bed)), (Some(0), String::new()));
    let key = fs::read_to_string(bed.path("recovery")).unwrap();
    assert_eq!(key.split('-').count(), 8, "{key}");
    bed.reset();
    drop(bed.start());
    let recover = |bed: &Bed, typed: &str| {
        let fixed = "recover --state state --release release.cose --release-key release.pub \
                     --site-key site.pub --firmware-log firmware.log --tpm";
        let mut child = Command::new(env!("CARGO_BIN_EXE_unseal"))
            .current_dir(bed.directory.path())
            .args(fixed.split_whitespace())
            .arg(tcti(bed))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(typed.as_bytes()).unwrap();
        drop(input);
        said(&child.wait_with_output().unwrap())
    };
    let (code, text) = recover(&bed, "000000-000001\n");
    assert_eq!(code, Some(2));
    assert!(text.contains("eight groups of six digits"), "{text}");
    assert!(text.contains("code recovery.typed;"), "{text}");
    let typed = format!("{}\n", key.replace('-', " "));
    assert_eq!(recover(&bed, &typed), (Some(0), String::new()));
    fs::write(bed.path("state/recovery.proven"), []).unwrap();
    fs::write(bed.path("recovery"), []).unwrap();
    assert_eq!(said(&open(&bed)), (Some(0), String::new()));
    assert_eq!(fs::read_to_string(bed.path("recovery")).unwrap(), "");
}

#[test]
fn each_refusal_is_one_sentence_a_code_and_a_next_step() {
    let bed = laid_out();
    let (_file, number) = inherited(&bed, "handover");
    let (code, text) = said(&open(&bed, &number));
    assert_eq!(code, Some(4));
    assert_eq!(
        text,
        "unseal: cannot open the appliance root: no sealed root at state/root.cbor\n  \
         code tpm.state-missing; Check the state directory; a new appliance is set up by unseal \
         provision.\n"
    );
    assert_eq!(said(&provision(&bed)), (Some(0), String::new()));
    let (code, text) = said(&provision(&bed));
    assert_eq!(code, Some(4));
    assert_eq!(
        text,
        "unseal: cannot set up the appliance on this TPM: state/root.cbor exists: this appliance \
         is set up\n  code tpm.state-exists; Use unseal open; to begin anew, remove the state and \
         clear the TPM.\n"
    );
    // Nothing is opened for nobody: a bad descriptor is found before the latch falls.
    let (code, text) = said(&open(&bed, "77"));
    assert_eq!(code, Some(2));
    assert!(text.contains("code tpm.handover;"), "{text}");
    assert_eq!(said(&open(&bed, &number)).0, Some(0));
    let (code, text) = said(&open(&bed, &number));
    assert_eq!(code, Some(4));
    assert!(text.contains("code tpm.latched;"), "{text}");
    fs::write(bed.path("state/root.cbor"), [0x80]).unwrap();
    assert_eq!(said(&open(&bed, &number)).0, Some(5));
}

#[test]
fn a_tpm_that_is_not_there_is_said() {
    let bed = laid_out();
    let (_file, number) = inherited(&bed, "handover");
    let arguments = |tpm| {
        [
            "open",
            "--tpm",
            tpm,
            "--state",
            "state",
            "--release",
            "release.cose",
            "--runtime-log",
            "runtime.log",
            "--out-fd",
            &number,
        ]
        .map(str::to_owned)
    };
    for (tpm, exit, id) in [
        ("swtpm:path=/nowhere", 3, "tpm.unreachable"),
        ("device:/dev/null", 3, "tpm.unreachable"),
        ("mssim:", 2, "tpm.address"),
    ] {
        let arguments = arguments(tpm);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, text) = said(&unseal(&bed, &arguments));
        assert_eq!(code, Some(exit), "{text}");
        assert!(text.contains(&format!("code {id};")), "{text}");
    }
}

#[test]
fn a_site_approves_a_change_and_the_appliance_takes_it() {
    let bed = laid_out();
    assert_eq!(said(&provision(&bed)).0, Some(0));
    let (seven, eleven) = ("07".repeat(32), "11".repeat(32));
    let approve = |key: &str| {
        let arguments = [
            "approve",
            "--site-key",
            key,
            "--pcr7",
            &seven,
            "--pcr11",
            &eleven,
            "--number",
            "6",
            "--out",
            "approval.cbor",
        ];
        unseal(&bed, &arguments)
    };
    let take = [
        "reseal-site",
        "--state",
        "state",
        "--approval",
        "approval.cbor",
    ];
    assert_eq!(said(&approve("site.key")), (Some(0), String::new()));
    assert_eq!(said(&unseal(&bed, &take)), (Some(0), String::new()));
    assert_eq!(said(&approve("release.key")).0, Some(0));
    let (code, text) = said(&unseal(&bed, &take));
    assert_eq!(code, Some(4));
    assert_eq!(
        text,
        "unseal: cannot let the root open to the change: the approval is not signed by the site \
         key that this root was sealed with\n  code tpm.approval; Have the site approve the change \
         again with the key that this appliance was set up with.\n"
    );
}

#[test]
fn help_is_as_written() {
    let bed = laid_out();
    let output = unseal(&bed, &["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "\
Opens the appliance root that the TPM keeps

Usage: unseal <COMMAND>

Commands:
  provision    First boot: take ownership of the TPM and seal a new root
  open         Each boot: open the root and hand over the derived keys
  recover      When the TPM does not open the root: seal it again with the recovery key
  phase        In the initrd: measure that a phase of the boot begins
  approve      At the site: approve a change of the platform before it happens
  reseal-site  On the appliance: let the root also open to a change that the site approved
  help         Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help
  -V, --version  Print version
"
    );
    let usage = unseal(&bed, &["open"]);
    assert_eq!(usage.status.code(), Some(2));
}
