//! Evaluates a bundle's `main.star`, and the bundle's other files where it loads
//! them.

use std::collections::BTreeMap;
use std::time::Instant;

use casemate_protocol::bundle::Bundle;
use casemate_protocol::source::MAIN;
use starlark::environment::{FrozenModule, Globals, Module};
use starlark::eval::{Evaluator, FileLoader};
use starlark::syntax::{AstModule, Dialect, DialectTypes};

use super::agent::Agent;
use super::failure::{Failure, of_error};
use super::{code, verbs};

/// Function calls and turns of loops in one run. A workflow acts some hundred
/// times; a thousand million turns is a loop without end.
const MAX_TICKS: u64 = 1_000_000_000;

/// The language: Starlark with f-strings, statements at top level, no types.
/// `while` is not part of it, and recursion ends at a call depth of fifty.
pub fn dialect() -> Dialect {
    Dialect {
        enable_types: DialectTypes::Disable,
        enable_f_strings: true,
        enable_top_level_stmt: true,
        enable_load_reexport: false,
        ..Dialect::Standard
    }
}

/// Parses one file of a bundle.
///
/// # Errors
/// Starlark's own, with the place.
pub fn parse(path: &str, text: &str) -> starlark::Result<AstModule> {
    AstModule::parse(path, text.to_owned(), &dialect())
}

/// The files of a bundle as text; `Bundle::check` has seen that they are.
pub fn texts(bundle: &Bundle) -> BTreeMap<&str, &str> {
    bundle
        .files
        .iter()
        .filter_map(|(path, bytes)| Some((path.as_str(), std::str::from_utf8(bytes).ok()?)))
        .collect()
}

/// One run of a workflow.
struct Run<'a> {
    files: BTreeMap<&'a str, &'a str>,
    globals: Globals,
    agent: &'a Agent<'a>,
    /// Heap bytes that the interpreter stops at by itself. Half of what the
    /// process may take: the rest is for parsing, messages and garbage.
    heap: usize,
}

/// What the loads of one file gave.
struct Loaded(BTreeMap<String, FrozenModule>);

impl FileLoader for Loaded {
    fn load(&self, path: &str) -> starlark::Result<FrozenModule> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| starlark::Error::new_other(NotInBundle(path.to_owned())))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no file of this workflow")]
struct NotInBundle(String);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is loaded while it is being loaded")]
struct LoadedByItself(String);

/// Runs a workflow to its end.
///
/// # Errors
/// [`Failure`] with the code and the place.
pub fn run(
    bundle: &Bundle,
    parameters: &[(String, String)],
    inputs: &[String],
    agent: &Agent<'_>,
) -> Result<(), Failure> {
    let mebibytes = usize::try_from(bundle.limits.script_mib).unwrap_or(usize::MAX);
    let run = Run {
        files: texts(bundle),
        globals: verbs::globals(parameters, inputs),
        agent,
        heap: mebibytes.saturating_mul(1 << 19),
    };
    let ended = run.evaluate(MAIN, &mut Vec::new());
    // A halt is the truth even if the script's own error hides it.
    if let Some(halt) = agent.halted() {
        let why = halt.to_string();
        // Why it cancelled is not known to the interpreter.
        let placed = ended
            .err()
            .map(|failure| failure.message.replace(CANCELLED, &why));
        return Err(Failure::new(halt.code(), placed.unwrap_or(why)));
    }
    ended.map(|_| ())
}

/// The interpreter's own words for an end that [`Agent::halted`] asked for.
const CANCELLED: &str = "Evaluation cancelled";

impl Run<'_> {
    fn evaluate(&self, path: &str, above: &mut Vec<String>) -> Result<FrozenModule, Failure> {
        let text = self.files.get(path).copied().unwrap_or_default();
        let ast = parse(path, text).map_err(|e| of_error(&e))?;
        let loaded = self.loads(path, &ast, above)?;
        Module::with_temp_heap(|module| {
            {
                let mut eval = Evaluator::new(&module);
                let agent = self.agent;
                eval.extra = Some(agent);
                eval.set_loader(&loaded);
                eval.set_check_cancelled(Box::new(move || agent.halted().is_some()));
                let unset = |e: starlark::Error| of_error(&e);
                eval.set_max_tick_count(MAX_TICKS)
                    .map_err(|e| unset(e.into()))?;
                eval.set_max_heap_size(self.heap.max(1))
                    .map_err(|e| unset(e.into()))?;
                eval.eval_module(ast, &self.globals)
                    .map_err(|e| of_error(&e))?;
            }
            module
                .freeze()
                .map_err(|e| Failure::new(&code::ERROR, format!("{path}: {e:?}")))
        })
    }

    fn loads(
        &self,
        path: &str,
        ast: &AstModule,
        above: &mut Vec<String>,
    ) -> Result<Loaded, Failure> {
        let mut loaded = BTreeMap::new();
        above.push(path.to_owned());
        for load in ast.loads() {
            let id = load.module_id;
            let mut refused = if !self.files.contains_key(id) {
                starlark::Error::new_other(NotInBundle(id.to_owned()))
            } else if above.iter().any(|name| name == id) {
                starlark::Error::new_other(LoadedByItself(id.to_owned()))
            } else {
                loaded.insert(id.to_owned(), self.evaluate(id, above)?);
                continue;
            };
            let at = &load.span;
            refused.set_span(at.span, &at.file);
            return Err(of_error(&refused));
        }
        above.pop();
        Ok(Loaded(loaded))
    }
}

/// When a run that has so many milliseconds left must have ended.
pub fn deadline(now: Instant, milliseconds: u64) -> Instant {
    let longest = std::time::Duration::from_secs(7 * 24 * 3600);
    now + std::time::Duration::from_millis(milliseconds).min(longest)
}
