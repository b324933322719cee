//! Text for a terminal: nothing untrusted acts on it, and it fits 80 columns.
//!
//! Names, log lines and findings come from documents and screens. Control
//! characters (C0, C1, DEL) could move the cursor or retitle the window, and
//! Unicode's direction overrides could make a line read as another; both are
//! written as escapes.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

/// Columns of the narrowest terminal that is served.
pub const WIDTH: usize = 80;

/// The text with everything that acts on a terminal written as an escape.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            // Writing into a String cannot fail.
            let _ = write!(clean, "{}", c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The text cleaned and cut to `width` columns, with a mark where it was cut.
pub fn fit(text: &str, width: usize) -> String {
    let clean = clean(text);
    if clean.chars().count() <= width {
        return clean;
    }
    let mut cut: String = clean.chars().take(width.saturating_sub(1)).collect();
    cut.push('\u{2026}');
    cut
}

/// Writes a value as JSON that is safe on a terminal, over several lines.
///
/// # Errors
/// The writer's.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    writeln!(out, "{}", clean_json(&text))
}

/// Writes a value as JSON that is safe on a terminal, on one line.
///
/// # Errors
/// The writer's.
pub fn json_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value).map_err(io::Error::other)?;
    writeln!(out, "{}", clean_json(&text))
}

/// serde escapes C0; what else acts can stand only inside strings, where JSON
/// allows `\uXXXX`, and all of it lies below U+FFFF.
fn clean_json(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && acts(c) {
            let _ = write!(clean, "\\u{:04x}", u32::from(c));
        } else {
            clean.push(c);
        }
    }
    clean
}

/// A table whose last column takes what is left of the line.
#[derive(Debug)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these column heads.
    pub fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell a column.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows
            .push(cells.iter().map(|cell| clean(cell)).collect());
    }

    /// Writes it, or `empty` if there are no rows.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, out: &mut dyn Write, empty: &str) -> io::Result<()> {
        if self.rows.is_empty() {
            return writeln!(out, "{empty}");
        }
        let head: Vec<String> = self.head.iter().map(|&name| name.to_owned()).collect();
        let mut widths = vec![0usize; head.len()];
        for row in std::iter::once(&head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            let mut left = WIDTH;
            for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                if at.saturating_add(1) == row.len() {
                    line.push_str(&fit(cell, left));
                } else {
                    let _ = write!(line, "{cell:<width$}  ");
                    left = left.saturating_sub(width.saturating_add(2));
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Writes `name: value` lines with aligned values.
///
/// # Errors
/// The writer's.
pub fn pairs(out: &mut dyn Write, pairs: &[(&str, String)]) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in pairs {
        let indent = width.saturating_add(2);
        let line = format!(
            "{name:<width$}  {}",
            fit(value, WIDTH.saturating_sub(indent))
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Words below each other, behind a head on the first line; no line is wider than a
/// terminal.
pub fn hanging(out: &mut dyn Write, head: &str, words: &str) -> io::Result<()> {
    let indent = head.chars().count();
    let width = WIDTH.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in clean(words).split_whitespace() {
        let used = line.chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        } else if used > 0 {
            line.push(' ');
        }
        // A word that is longer than a line goes on in the next.
        for c in word.chars() {
            if line.chars().count() >= width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    for (number, line) in lines.iter().enumerate() {
        let head = if number == 0 { head } else { "" };
        writeln!(out, "{head:indent$}{line}")?;
    }
    Ok(())
}

/// Seconds since 1970 as `YYYY-MM-DD HH:MM:SSZ` (proleptic Gregorian calendar).
pub fn time(seconds: u64) -> String {
    let days = seconds / 86_400;
    let rest = seconds % 86_400;
    // Days since 1 March of year 0, in eras of 400 years: the leap day is then
    // the last day of a year.
    let from_march = days.saturating_add(719_468);
    let era = from_march / 146_097;
    let day_of_era = from_march % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era.saturating_mul(400) + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Bytes in the largest unit that keeps three digits.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes.div_ceil(1024 * 1024)),
    }
}

/// A number of things, in the singular or plural.
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Milliseconds as seconds with one decimal.
pub fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms / 100 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_terminal() {
        let hostile = "a\x1b]0;owned\x07\r\u{9b}31m\u{202e}z\x7f";
        assert_eq!(
            clean(hostile),
            "a\\u{1b}]0;owned\\u{7}\\u{d}\\u{9b}31m\\u{202e}z\\u{7f}"
        );
        let mut out = Vec::new();
        json(&mut out, &hostile).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.trim_end().chars().any(acts), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }

    #[test]
    fn times_are_calendar_times() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (951_868_800, "2000-03-01 00:00:00Z"),
            (1_798_761_599, "2026-12-31 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let mut table = Table::new(&["ID", "TEXT"]);
        table.row(vec!["1".into(), "x".repeat(200)]);
        let mut out = Vec::new();
        table.write(&mut out, "none").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    }
}
