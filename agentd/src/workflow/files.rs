//! Verbs on workspace files and spreadsheet cells.

use casemate_protocol::action::{Action, Outcome};
use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::list_or_tuple::UnpackListOrTuple;
use starlark::values::none::NoneType;

use super::answer::{ask, done, text, unexpected};

/// The verbs.
#[starlark_module]
pub fn verbs(builder: &mut GlobalsBuilder) {
    /// Puts text into a cell of the open spreadsheet through the name box, such
    /// as `set_cell("B7", "12.50")`, and reads the entry line back; a difference
    /// is a failure. A plain decimal becomes a number; everything else, `00411`
    /// and `2026-11-03` and `=A1` too, stays exactly that text.
    fn set_cell<'v>(
        #[starlark(require = pos)] cell: String,
        #[starlark(require = pos)] text: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        done(eval, Action::SetCell { cell, text })?;
        Ok(NoneType)
    }

    /// What the entry line shows for a cell of the open spreadsheet.
    fn get_cell<'v>(
        #[starlark(require = pos)] cell: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<String> {
        text(eval, Action::GetCell { cell })
    }

    /// Names of the files in a workspace folder, `in` or `out`.
    fn list_files<'v>(
        #[starlark(require = pos)] folder: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Vec<String>> {
        match ask(eval, Action::ListFiles { folder })? {
            Outcome::Names(names) => Ok(names),
            other => Err(unexpected(&other)),
        }
    }

    /// The text of a workspace file.
    fn read_file<'v>(
        #[starlark(require = pos)] path: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<String> {
        text(eval, Action::ReadFile { path })
    }

    /// Writes a text file under `out/`; its name must be a granted output.
    fn write_file<'v>(
        #[starlark(require = pos)] path: String,
        #[starlark(require = pos)] text: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        done(eval, Action::WriteFile { path, text })?;
        Ok(NoneType)
    }

    /// Copies a template of the pack, such as `blank.xlsx`, to a file under
    /// `out/`; its name must be a granted output.
    fn template<'v>(
        #[starlark(require = pos)] name: String,
        #[starlark(require = pos)] path: String,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        done(eval, Action::Template { name, path })?;
        Ok(NoneType)
    }

    /// Has a saved spreadsheet read in a fresh sandbox without the application:
    /// its first sheet must hold exactly these rows of text from A1 on. A number
    /// compares as a decimal; one with a leading zero compares as text.
    fn verify_sheet<'v>(
        #[starlark(require = pos)] path: String,
        #[starlark(require = pos)] rows: UnpackListOrTuple<UnpackListOrTuple<String>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<NoneType> {
        let rows = rows.items.into_iter().map(|row| row.items).collect();
        done(eval, Action::VerifySheet { path, rows })?;
        Ok(NoneType)
    }
}
