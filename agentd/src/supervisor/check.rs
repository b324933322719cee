//! Checking a workflow without running it, in a fresh `strict` sandbox.

use std::time::{Duration, Instant};

use casemate_protocol::compartment::{FromScript, ScriptSetup};
use casemate_protocol::lease::Diagnosis;
use minicbor::bytes::ByteVec;

use super::compartments::Strict;
use super::ground::Ground;

/// Time that a check may take; parsing a hostile file must not hold us longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Diagnoses of a bundle; a checker that fails is itself a diagnosis.
pub fn check(ground: &Ground, uid: u32, bundle: Vec<u8>) -> Vec<Diagnosis> {
    let whole = |message: String| {
        vec![Diagnosis {
            file: "main.star".to_owned(),
            line: 0,
            column: 0,
            message,
        }]
    };
    let setup = ScriptSetup::Check {
        bundle: ByteVec::from(bundle),
    };
    let answer = Strict::start(ground, uid, None)
        .and_then(|mut strict| strict.ask(&setup, Instant::now() + PATIENCE));
    match answer {
        Ok(FromScript::Checked { mut diagnoses }) => {
            diagnoses.truncate(200);
            diagnoses
        }
        Ok(FromScript::Failed { code, message }) => whole(format!("{message} ({code})")),
        Ok(_) => whole("the checker gave an answer that does not fit".to_owned()),
        Err(why) => whole(format!("the workflow could not be checked: {why}")),
    }
}
