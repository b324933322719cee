//! The version floor deleted and made again, lower, under the same Name.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bed;

use bed::Bed;
use bed::raw::{LOCKOUT, OWNER, PASSWORD, PLATFORM, Raw, sized};
use casemate_attest::sealing;

const DEFINE: u32 = 0x12A;
const UNDEFINE: u32 = 0x122;
const WRITE: u32 = 0x137;
const READ: u32 = 0x14E;
const READ_PUBLIC: u32 = 0x169;
const CLEAR: u32 = 0x126;

fn define(raw: &mut Raw, owner: &[u8]) -> Result<(), u32> {
    let policy = sealing::floor_write_policy();
    let public = sealing::nv_public(sealing::FLOOR_INDEX, sealing::FLOOR_ATTRIBUTES, &policy, 8);
    let parameters = [sized(&[]), sized(&public)].concat();
    raw.run(DEFINE, &[OWNER], &[(PASSWORD, owner)], &parameters)
        .map(drop)
}

fn write(raw: &mut Raw, value: u64) {
    let session = raw.floor_session(&[]).unwrap();
    let parameters = [sized(&value.to_be_bytes()), vec![0, 0]].concat();
    let floor = sealing::FLOOR_INDEX;
    raw.run(WRITE, &[floor, floor], &[(session, &[])], &parameters)
        .unwrap();
    raw.run(0x165, &[], &[], &session.to_be_bytes()).unwrap();
}

fn read(raw: &mut Raw) -> Vec<u8> {
    let floor = sealing::FLOOR_INDEX;
    raw.ask(READ, &[floor, floor], 1, &[0, 8, 0, 0])[2..].to_vec()
}

fn name(raw: &mut Raw) -> Vec<u8> {
    let answer = raw
        .run(READ_PUBLIC, &[sealing::FLOOR_INDEX], &[], &[])
        .unwrap();
    let public = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
    answer[2 + public + 2..].to_vec()
}

#[test]
fn with_an_empty_owner_authorisation_the_floor_is_lowered_under_its_own_name() {
    let bed = Bed::new();
    drop(bed.start());
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    define(&mut raw, &[]).unwrap();
    write(&mut raw, 9);
    assert_eq!(name(&mut raw), sealing::floor_name());
    assert_eq!(read(&mut raw), 9u64.to_be_bytes());
    // The attack.
    let floor = sealing::FLOOR_INDEX;
    raw.run(UNDEFINE, &[OWNER, floor], &[(PASSWORD, &[])], &[])
        .unwrap();
    define(&mut raw, &[]).unwrap();
    write(&mut raw, 1);
    assert_eq!(name(&mut raw), sealing::floor_name());
    assert_eq!(read(&mut raw), 1u64.to_be_bytes());
}

#[test]
fn on_an_appliance_nobody_deletes_lowers_or_clears_without_the_roots_authorisations() {
    let bed = Bed::new();
    let tpm = bed.start();
    bed.provision(&tpm).unwrap();
    drop(tpm);
    let mut raw = Raw::connect(&bed.path("tpm.sock"));
    assert_eq!(name(&mut raw), sealing::floor_name());
    for index in [sealing::FLOOR_INDEX, sealing::COUNTER_INDEX] {
        for hierarchy in [OWNER, PLATFORM] {
            let refused = raw.run(UNDEFINE, &[hierarchy, index], &[(PASSWORD, &[])], &[]);
            assert_eq!(refused, Err(0x9A2), "TPM_RC_BAD_AUTH for session 1");
        }
    }
    for hierarchy in [LOCKOUT, PLATFORM] {
        let refused = raw
            .run(CLEAR, &[hierarchy], &[(PASSWORD, &[])], &[])
            .unwrap_err();
        // A wrong lockout authorisation locks that hierarchy itself (TPM_RC_AUTH_FAIL).
        assert!([0x98E, 0x9A2].contains(&refused), "{refused:#x}");
    }
    assert_eq!(raw.floor_session(&[]), Err(0x9A2));
    assert_eq!(define(&mut raw, &[]), Err(0x9A2));
    assert_eq!(read(&mut raw), 5u64.to_be_bytes());
    drop(raw);
    bed.open(&bed.tpm()).unwrap();
}
