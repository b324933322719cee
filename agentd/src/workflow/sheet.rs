//! Compares a saved workbook with the rows that a workflow expects in it, in a
//! fresh sandbox, without the application that wrote it.
//!
//! The file is hostile until it is read: its size, what it unpacks to and the
//! number of its cells are bounded before they are used, and the cells are read
//! one at a time, so that a cell at the far corner costs nothing. What gets past
//! that is stopped by the sandbox's memory limit.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::str::FromStr;

use calamine::{DataRef, Reader as _, Xlsx};

use super::code;
use super::decimal::Decimal;
use super::failure::Failure;

/// Largest workbook file.
const MAX_FILE: u64 = 32 << 20;
/// Most that its parts may unpack to together.
const MAX_UNPACKED: u64 = 64 << 20;
/// Most parts.
const MAX_PARTS: usize = 1000;
/// Most cells that are not empty.
const MAX_CELLS: usize = 200_000;

/// Compares the first sheet of the workbook at `path` with `rows`, from A1 on.
/// `None` if equal, else the first difference in reading order.
///
/// Text compares exactly. An expected decimal such as `1234.50` equals a number
/// cell whose value, at the fifteen digits that a spreadsheet shows, is that
/// decimal; with a leading zero (`00411`) it is text and no number equals it.
///
/// # Errors
/// [`Failure`] `sheet.unreadable` if it is not a workbook within the bounds.
pub fn difference(path: &Path, rows: &[Vec<String>]) -> Result<Option<String>, Failure> {
    let cells = read(path).map_err(|why| {
        Failure::new(
            &code::SHEET_UNREADABLE,
            format!("the workbook cannot be read: {why}"),
        )
    })?;
    Ok(compare(&cells, rows))
}

/// What a cell holds, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Number(f64),
    Other(&'static str, String),
}

/// Cells by row and column, both from zero.
type Cells = BTreeMap<(u32, u32), Cell>;

fn read(path: &Path) -> Result<Cells, Box<dyn std::error::Error>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > MAX_FILE {
        return Err(format!("it has {size} bytes, at most {MAX_FILE} are read").into());
    }
    check_unpacked(&file)?;
    let mut book: Xlsx<_> = Xlsx::new(BufReader::new(file))?;
    let first = book
        .sheet_names()
        .first()
        .cloned()
        .ok_or("it has no sheet")?;
    let mut reader = book.worksheet_cells_reader(&first)?;
    let mut cells = Cells::new();
    while let Some(cell) = reader.next_cell()? {
        let Some(value) = kept(cell.get_value()) else {
            continue;
        };
        cells.insert(cell.get_position(), value);
        if cells.len() > MAX_CELLS {
            return Err(format!("its first sheet has more than {MAX_CELLS} cells").into());
        }
    }
    Ok(cells)
}

/// Unpacks every part into nothing, counting: the announced sizes are claims.
fn check_unpacked(file: &File) -> Result<(), Box<dyn std::error::Error>> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file))?;
    if archive.len() > MAX_PARTS {
        return Err(format!(
            "it has {} parts, at most {MAX_PARTS} are read",
            archive.len()
        )
        .into());
    }
    let mut left = MAX_UNPACKED;
    for index in 0..archive.len() {
        let part = archive.by_index(index)?;
        let unpacked = io::copy(&mut part.take(left.saturating_add(1)), &mut io::sink())?;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| format!("it unpacks to more than {MAX_UNPACKED} bytes"))?;
    }
    Ok(())
}

fn kept(value: &DataRef<'_>) -> Option<Cell> {
    Some(match value {
        DataRef::Empty => return None,
        DataRef::String(text) if text.is_empty() => return None,
        DataRef::SharedString("") => return None,
        DataRef::String(text) => Cell::Text(text.clone()),
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        DataRef::Float(number) => Cell::Number(*number),
        // Whole numbers of a sheet are doubles as well; the text is exact.
        DataRef::Int(number) => Cell::Number(number.to_string().parse().ok()?),
        DataRef::Bool(value) => Cell::Other("a truth value", value.to_string()),
        DataRef::DateTime(date) => Cell::Other("a date", date.as_f64().to_string()),
        DataRef::DateTimeIso(date) | DataRef::DurationIso(date) => {
            Cell::Other("a date", date.clone())
        }
        DataRef::Error(error) => Cell::Other("an error", error.to_string()),
    })
}

fn compare(cells: &Cells, rows: &[Vec<String>]) -> Option<String> {
    let mut expected: BTreeMap<(u32, u32), &str> = BTreeMap::new();
    for (row, texts) in (0u32..).zip(rows) {
        for (column, text) in (0u32..).zip(texts).filter(|(_, text)| !text.is_empty()) {
            expected.insert((row, column), text);
        }
    }
    let positions: std::collections::BTreeSet<_> =
        expected.keys().chain(cells.keys()).copied().collect();
    positions.into_iter().find_map(|at| {
        let name = cell_name(at);
        match (expected.get(&at), cells.get(&at)) {
            (Some(text), Some(cell)) if equal(cell, text) => None,
            (Some(text), Some(cell)) => {
                Some(format!("{name}: expected {text:?}, found {}", shown(cell)))
            }
            (Some(text), None) => Some(format!("{name}: expected {text:?}, the cell is empty")),
            (None, Some(cell)) => Some(format!(
                "{name}: expected an empty cell, found {}",
                shown(cell)
            )),
            (None, None) => None,
        }
    })
}

fn equal(cell: &Cell, text: &str) -> bool {
    match cell {
        Cell::Text(found) => found == text,
        Cell::Number(found) => match (expected_number(text), shown_digits(*found)) {
            (Some(expected), Some(found)) => expected.order(found).is_ok_and(|o| o.is_eq()),
            _ => false,
        },
        Cell::Other(..) => false,
    }
}

/// A text that stands for a number: no sign `+`, no leading zero.
fn expected_number(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.starts_with('0') && digits != "0" && !digits.starts_with("0.");
    if leading_zero || text.starts_with('+') {
        return None;
    }
    Decimal::from_str(text).ok()
}

/// The decimal of a double at the fifteen significant digits that spreadsheets
/// keep: the sum of 0.1 and 0.2 is 0.3, while 1234.504 is not 1234.50.
fn shown_digits(number: f64) -> Option<Decimal> {
    if !number.is_finite() {
        return None;
    }
    let text = format!("{number:.14e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let plain = if exponent < 0 {
        let zeros = usize::try_from(exponent.checked_neg()?)
            .ok()?
            .checked_sub(1)?;
        format!("0.{}{digits}", "0".repeat(zeros.min(400)))
    } else {
        let whole = usize::try_from(exponent).ok()?.checked_add(1)?;
        let padded = format!("{digits:0<width$}", width = whole.min(400));
        let (whole, fraction) = padded.split_at_checked(whole)?;
        format!("{whole}.{fraction}0")
    };
    let trimmed = plain.trim_end_matches('0').trim_end_matches('.');
    Decimal::from_str(&format!("{sign}{trimmed}")).ok()
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => format!("{:?}", text.chars().take(100).collect::<String>()),
        Cell::Number(number) => format!("the number {number}"),
        Cell::Other(kind, text) => {
            format!("{kind}, {:?}", text.chars().take(40).collect::<String>())
        }
    }
}

/// `A1` for row 0, column 0.
fn cell_name((row, column): (u32, u32)) -> String {
    let mut letters = Vec::new();
    let mut rest = column.saturating_add(1);
    while rest > 0 {
        let digit = rest.saturating_sub(1) % 26;
        letters.push(char::from_u32(u32::from(b'A').saturating_add(digit)).unwrap_or('?'));
        rest = rest.saturating_sub(1) / 26;
    }
    let letters: String = letters.into_iter().rev().collect();
    format!("{letters}{}", row.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_their_usual_names() {
        for (at, name) in [
            ((0, 0), "A1"),
            ((6, 1), "B7"),
            ((0, 25), "Z1"),
            ((0, 26), "AA1"),
            ((9, 701), "ZZ10"),
            ((0, 702), "AAA1"),
        ] {
            assert_eq!(cell_name(at), name);
        }
    }

    #[test]
    fn numbers_compare_as_decimals_at_fifteen_digits() {
        let number = Cell::Number;
        for (cell, text, same) in [
            (number(1234.5), "1234.50", true),
            (number(0.1 + 0.2), "0.30", true),
            (number(1234.504), "1234.50", false),
            (number(411.0), "411", true),
            (number(411.0), "00411", false),
            (number(-0.05), "-0.05", true),
            (number(0.0), "0.00", true),
            (number(1e-7), "0.0000001", true),
            (number(123_456_789_012.25), "123456789012.25", true),
            (number(1e300), "1", false),
            (number(f64::NAN), "0", false),
            (Cell::Text("00411".into()), "00411", true),
            (Cell::Text("1234.5".into()), "1234.50", false),
            (Cell::Other("a date", "1".into()), "1", false),
        ] {
            assert_eq!(equal(&cell, text), same, "{cell:?} {text}");
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        let text = |t: &str| Cell::Text(t.to_owned());
        let cells = Cells::from([
            ((0, 0), text("a")),
            ((1, 1), text("b")),
            ((5, 0), text("x")),
        ]);
        let rows = |b: &str| vec![vec!["a".to_owned()], vec![String::new(), b.to_owned()]];
        assert_eq!(
            compare(&cells, &rows("c")).unwrap(),
            "B2: expected \"c\", found \"b\""
        );
        assert_eq!(
            compare(&cells, &rows("b")).unwrap(),
            "A6: expected an empty cell, found \"x\""
        );
    }
}
