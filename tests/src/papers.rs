//! Papers that are made from the code, so that they cannot drift from it.

use std::collections::BTreeMap;

/// One code as a program prints it: id, meaning, next step.
type Entry = (&'static str, &'static str, &'static str);

macro_rules! entries {
    ($codes:expr) => {
        $codes
            .iter()
            .map(|code| (code.id, code.what, code.next))
            .collect::<Vec<Entry>>()
    };
}

/// Every stable code of every program, by id; a code that two programs share is
/// listed once and must say the same in both.
///
/// # Errors
/// The id that has two meanings.
pub fn codes() -> Result<BTreeMap<&'static str, Entry>, String> {
    let all = [
        entries!(casemate_attest::code::CODES),
        entries!(casemate_device::code::CODES),
        entries!(casemate_protocol::code::CODES),
        entries!(casemate_agentd::code::CODES),
        entries!(casemate_agentd::supervisor::code::CODES),
        entries!(casemate_agentd::desktop::code::CODES),
        entries!(casemate_agentd::egress::code::CODES),
        entries!(casemate_agentd::vision::code::CODES),
        entries!(casemate_agentd::workflow::code::CODES),
        entries!(casemate_appliance::code::CODES),
        entries!(casemate_image::code::CODES),
    ];
    let mut codes = BTreeMap::new();
    for entry in all.into_iter().flatten() {
        if codes
            .insert(entry.0, entry)
            .is_some_and(|known| known != entry)
        {
            return Err(entry.0.to_owned());
        }
    }
    Ok(codes)
}

/// The text of `docs/errors.md`.
///
/// # Errors
/// See [`codes`].
pub fn errors() -> Result<String, String> {
    let mut text = String::from(
        "# Errors\n\n\
         Made from the code by `cargo run -p casemate-tests --bin papers`; a test compares.\n\n\
         Every failure of every program is one sentence, one of these codes, and a next step. A code keeps its\n\
         meaning for ever. Exit codes are in [operations.md](operations.md).\n",
    );
    let mut area = "";
    for (id, what, next) in codes()?.into_values() {
        let of = id.split('.').next().unwrap_or_default();
        if of != area {
            area = of;
            text.push_str(&format!("\n## {area}\n"));
        }
        text.push_str(&format!("\n**`{id}`** {what}  \n*Next:* {next}\n"));
    }
    Ok(text)
}
