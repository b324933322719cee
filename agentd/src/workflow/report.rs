//! Verbs by which a script tells what it found. They need no grant: they change
//! nothing but the job's own record.

use casemate_protocol::action::Action;
use starlark::collections::SmallMap;
use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::Value;
use starlark::values::none::NoneType;

use super::answer::done;
use super::code;
use super::failure::Raised;

/// The verbs.
#[starlark_module]
pub fn verbs(builder: &mut GlobalsBuilder) {
    /// Writes a line into the job's log.
    fn log<'v>(
        #[starlark(require = pos)] text: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        done(eval, Action::Log { text })?;
        Ok(NoneType)
    }

    /// Reports something about an item that a person must look at; the job goes on.
    fn finding<'v>(
        #[starlark(require = pos)] item: String,
        #[starlark(require = pos)] text: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        done(eval, Action::Finding { item, text })?;
        Ok(NoneType)
    }

    /// Adds a row to the job's result, by column: `row(number="7", total="1.50")`.
    fn row<'v>(
        #[starlark(kwargs)] cells: SmallMap<String, Value<'v>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        let cells = cells
            .into_iter()
            .map(|(column, value)| (column, value.to_str()))
            .collect();
        done(eval, Action::Row { cells })?;
        Ok(NoneType)
    }

    /// Ends the job as failed with this sentence. `code` is `script.failed`,
    /// `script.document` (a document cannot be opened or is of the wrong kind) or
    /// `script.unsure` (readings do not agree). The language's `fail` is
    /// `fail_job` with `script.failed`.
    fn fail_job<'v>(
        #[starlark(require = pos)] text: &str,
        #[starlark(require = named, default = "script.failed")] code: &str,
    ) -> starlark::Result<NoneType> {
        let Some(known) = code::FOR_SCRIPTS.iter().find(|known| known.id == code) else {
            let ids: Vec<_> = code::FOR_SCRIPTS.iter().map(|known| known.id).collect();
            let why = format!("`code={code:?}`: there are {}", ids.join(", "));
            return Err(Raised::new(&code::ARGUMENT, why).into());
        };
        Err(Raised::new(known, text).into())
    }

    /// The text without spaces: what was read from pixels is compared so.
    fn squash(#[starlark(require = pos)] text: &str) -> starlark::Result<String> {
        Ok(text.chars().filter(|c| !c.is_whitespace()).collect())
    }
}
