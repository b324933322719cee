//! The TPM's maker: gives the machine's software TPM a certificate of its endorsement key, by a
//! CA of the host, where a real one has it.

use std::fs;
use std::path::Path;

use casemate_device::swtpm::Swtpm;

use crate::raw::{PASSWORD, PLATFORM, Raw, sized};
use crate::tool::run;

const EK_CERTIFICATE: u32 = 0x01C0_000A;
/// Platform-created, read with the owner's or its own empty authorisation, written by the platform.
const ATTRIBUTES: u32 = 0x4206_0001;

/// Makes the TPM's first state. Leaves `maker-root.pem` and `maker-intermediate.pem` in `work`.
pub(crate) fn make(work: &Path, state: &Path) {
    let socket = work.join("maker.sock");
    let swtpm = Swtpm::start(state, &socket).unwrap();
    let mut raw = Raw::connect(&socket);
    raw.run(0x144, &[], &[], &[0, 0]).unwrap();
    drop(raw);
    let ek = swtpm.open().unwrap().ek_public().unwrap();
    let certificate = certify(work, &ek);
    // Makers fill the index up, and some fill it with 0xFF.
    let content = [certificate.as_slice(), &[0xFF; 100]].concat();
    let mut raw = Raw::connect(&socket);
    let size = u16::try_from(content.len()).unwrap();
    let public = casemate_attest::sealing::nv_public(EK_CERTIFICATE, ATTRIBUTES, &[], size);
    let define = [sized(&[]), sized(&public)].concat();
    raw.run(0x12A, &[PLATFORM], &[(PASSWORD, &[])], &define)
        .unwrap();
    for (at, part) in content.chunks(512).enumerate() {
        let offset = u16::try_from(at * 512).unwrap();
        let write = [sized(part), offset.to_be_bytes().to_vec()].concat();
        raw.run(
            0x137,
            &[PLATFORM, EK_CERTIFICATE],
            &[(PASSWORD, &[])],
            &write,
        )
        .unwrap();
    }
    drop(raw);
    swtpm.stop();
}

/// A certificate for this P-256 `TPM2B_PUBLIC`, as libvirt has it made.
fn certify(work: &Path, ek: &[u8]) -> Vec<u8> {
    let folder = work.join("maker");
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let configuration = format!(
        "statedir = {}\nsigningkey = {}\nissuercert = {}\ncertserial = {}\n",
        path(""),
        path("signing.pem"),
        path("issuer.pem"),
        path("serial"),
    );
    let options = "--tpm-manufacturer id:00001014\n--tpm-model swtpm\n--tpm-version id:20191023\n\
                   --platform-manufacturer casemate\n--platform-version 1\n--platform-model test\n";
    fs::write(path("configuration"), configuration).unwrap();
    fs::write(path("options"), options).unwrap();
    let (x, y) = (&ek[ek.len() - 66..ek.len() - 34], &ek[ek.len() - 32..]);
    let point = format!("x={},y={},id=secp256r1", hex::encode(x), hex::encode(y));
    run(
        "swtpm_localca",
        &[
            "--type",
            "ek",
            "--dir",
            &path(""),
            "--ek",
            &point,
            "--vmid",
            "boot-test",
            "--tpm2",
            "--configfile",
            &path("configuration"),
            "--optsfile",
            &path("options"),
            "--tpm-spec-family",
            "2.0",
            "--tpm-spec-level",
            "0",
            "--tpm-spec-revision",
            "164",
        ],
    );
    for (from, to) in [
        ("swtpm-localca-rootca-cert.pem", "maker-root.pem"),
        ("issuer.pem", "maker-intermediate.pem"),
    ] {
        fs::copy(path(from), work.join(to)).unwrap();
    }
    fs::read(path("ek.cert")).unwrap()
}
