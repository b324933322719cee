//! An action asked of agentd, and its outcome as a value or an error of the script.

use casemate_protocol::action::{Action, Outcome};
use starlark::eval::Evaluator;

use super::agent::Agent;
use super::code;
use super::failure::Raised;

/// The outcome of an action as agentd gave it, also a failed one.
pub fn outcome(eval: &Evaluator<'_, '_, '_>, action: Action) -> starlark::Result<Outcome> {
    let agent = eval
        .extra
        .and_then(|extra| extra.downcast_ref::<Agent<'_>>())
        .ok_or_else(|| Raised::new(&code::ERROR, "a check does not perform actions"))?;
    agent.ask(action)
}

/// The outcome of an action; a failed one is raised in the script.
pub fn ask(eval: &Evaluator<'_, '_, '_>, action: Action) -> starlark::Result<Outcome> {
    match outcome(eval, action)? {
        Outcome::Failed { code, message } => Err(Raised { code, message }.into()),
        outcome => Ok(outcome),
    }
}

/// For an action that only is done.
pub fn done(eval: &Evaluator<'_, '_, '_>, action: Action) -> starlark::Result<()> {
    match ask(eval, action)? {
        Outcome::Done | Outcome::Text(_) => Ok(()),
        other => Err(unexpected(&other)),
    }
}

/// For an action that gives text.
pub fn text(eval: &Evaluator<'_, '_, '_>, action: Action) -> starlark::Result<String> {
    match ask(eval, action)? {
        Outcome::Text(text) => Ok(text),
        other => Err(unexpected(&other)),
    }
}

/// An outcome of a kind that the action cannot have.
pub fn unexpected(outcome: &Outcome) -> starlark::Error {
    let kind = match outcome {
        Outcome::Done => "nothing",
        Outcome::Text(_) => "text",
        Outcome::Lines(_) => "lines",
        Outcome::Names(_) => "names",
        Outcome::Failed { .. } => "a failure",
    };
    Raised::new(
        &code::ERROR,
        format!("agentd answered with {kind}, which is no answer to this action"),
    )
    .into()
}
