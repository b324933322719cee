//! `casemate tpm`.

use super::args::Tpm;
use super::exit::Exit;
use super::failure::Failure;
use super::{Desk, text};
use crate::api::view::{LockoutView, SealedView, TpmReport};

pub(super) fn run(desk: &mut Desk<'_>, command: &Tpm) -> Result<Exit, Failure> {
    match command {
        Tpm::Status => status(desk),
    }
}

fn status(desk: &mut Desk<'_>) -> Result<Exit, Failure> {
    let report: TpmReport = desk.client.get("asking the TPM", "/v1/tpm")?;
    if desk.json {
        text::json(desk.out, &report)?;
        return Ok(Exit::Done);
    }
    text::pairs(desk.out, &pairs(&report))?;
    Ok(Exit::Done)
}

/// No name is longer than nine: a key's Name of 68 digits then fits the line.
fn pairs(report: &TpmReport) -> Vec<(&'static str, String)> {
    let clock = &report.clock;
    let safe = match clock.safe {
        true => "",
        false => ", not safe: the TPM lost power without warning",
    };
    let certificate = match (report.ek_certificate, report.ek_certificate_rsa) {
        (true, _) => "in the TPM",
        (false, true) => "only of an RSA key, which is not used",
        (false, false) => "none",
    };
    let owner = match report.owned {
        true => "this appliance",
        false => "nobody: the appliance is not set up completely",
    };
    let mut pairs = vec![
        ("TPM", format!("{} {}", report.manufacturer, report.model)),
        ("firmware", report.firmware.clone()),
        ("revision", report.revision.clone()),
        ("lockout", lockout(&report.lockout)),
        (
            "clock",
            format!(
                "{}, powered for {}{safe}",
                text::seconds(clock.ms),
                text::seconds(clock.powered_ms)
            ),
        ),
        (
            "starts",
            format!("{} resets, {} restarts", clock.resets, clock.restarts),
        ),
        ("PCR banks", report.banks.join(" ")),
        ("owner", owner.to_owned()),
        ("EK", report.ek.clone()),
        ("EK cert", certificate.to_owned()),
        ("AK", report.ak.clone()),
        ("counter", report.counter.to_string()),
        (
            "release",
            format!("number {} opened the root", report.release),
        ),
        (
            "floor",
            format!("number {}, older ones are refused", report.floor),
        ),
    ];
    match &report.sealed {
        Some(sealed) => pairs.extend(sealed_to(sealed)),
        None => pairs.push(("sealed", "the record of the root cannot be read".to_owned())),
    }
    pairs
}

fn lockout(state: &LockoutView) -> String {
    let locked = match state.locked {
        true => "LOCKED",
        false => "no",
    };
    format!(
        "{locked}, {} of {} wrong tries, one forgotten every {} s",
        state.counter, state.max, state.interval_s
    )
}

fn sealed_to(sealed: &SealedView) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("PCR 7", sealed.pcr7.clone()),
        ("PCR 11", sealed.pcr11.clone()),
    ];
    match &sealed.approval {
        None => pairs.push(("approval", "none".to_owned())),
        Some(approval) => pairs.extend([
            ("approval", format!("release number {}", approval.number)),
            ("  PCR 7", approval.pcr7.clone()),
            ("  PCR 11", approval.pcr11.clone()),
        ]),
    }
    pairs
}
