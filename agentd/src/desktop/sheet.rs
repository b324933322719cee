//! Spreadsheet cells, by the name box and the entry line.
//!
//! Gnumeric's cells have no accessible element, but these two fields have: the
//! name box goes to a cell and says which it is, the entry line says what it
//! holds. They are the two editable fields that stand in one row of the active
//! window, the narrower name box to the left.
//!
//! What is put into a cell is never a formula and never becomes anything else: a
//! plain decimal number is typed as it is, every other text with an apostrophe
//! before it, which the program takes as "this is text" and drops. So `00411`
//! stays `00411`, `2026-11-24` is no date, and `=1+1` from a document is
//! four harmless characters. A cell is read back as the entry line shows it,
//! less one leading apostrophe; numbers compare as decimals.

use std::time::{Duration, Instant};

use atspi::State;
use casemate_protocol::action::{Area, Button, Outcome};

use crate::desktop::deadline::Deadline;
use crate::desktop::element::{Address, Snapshot};
use crate::desktop::failure::{Failure, quoted};
use crate::desktop::keyboard::{Chord, Keyboard};
use crate::desktop::target::{Eyes, middle};
use crate::desktop::{code, pointer};

/// How long the program may take to follow.
const PATIENCE: Duration = Duration::from_secs(15);
/// After how long a click or a Return that showed no effect is given again. A
/// window that was just opened may lose the first; neither can do harm twice,
/// since every cell is gone to by name and read back.
const AGAIN: Duration = Duration::from_secs(1);
/// How long going to a cell may take in all, and one attempt at it.
const GOING: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(5);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Longest text of a cell, in characters.
const LONGEST: usize = 4000;
/// Digits that a number keeps in a spreadsheet (IEEE 754 double).
const DIGITS: usize = 15;

/// The two fields, as found in the active window.
#[derive(Debug)]
struct Fields {
    name_box: (Address, Area),
    entry: (Address, Area),
}

/// What came of it, and where on the screen.
type Done = (Outcome, Option<Area>);

/// Puts a text into a cell and reads it back.
///
/// # Errors
/// `desktop.sheet`, `desktop.readback`, `desktop.invalid`, `desktop.lost`.
pub fn set(
    eyes: &mut Eyes,
    keyboard: &mut Keyboard,
    cell: &str,
    text: &str,
    deadline: Deadline,
) -> Result<Done, Failure> {
    check_cell(cell)?;
    if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        let message = format!("a cell takes one line of at most {LONGEST} characters");
        return Err(Failure::new(&code::INVALID, message));
    }
    let fields = go(eyes, keyboard, cell, deadline)?;
    if text.is_empty() {
        press(eyes, keyboard, "Delete")?;
    } else {
        enter(eyes, keyboard, &fields, text, deadline)?;
    }
    let fields = go(eyes, keyboard, cell, deadline)?;
    let patience = deadline.or_in(PATIENCE);
    loop {
        let found = eyes.accessibility.text(&fields.entry.0).unwrap_or_default();
        if holds(&found, text) {
            return Ok((Outcome::Done, Some(fields.entry.1)));
        }
        if patience.is_over() {
            let message = format!("{cell} holds {} and not {}", quoted(&found), quoted(text));
            return Err(Failure::new(&code::READBACK, message));
        }
        eyes.screen.wait_for_change(LOOK)?;
    }
}

/// What a cell holds.
///
/// # Errors
/// `desktop.sheet`, `desktop.invalid`, `desktop.lost`.
pub fn get(
    eyes: &mut Eyes,
    keyboard: &mut Keyboard,
    cell: &str,
    deadline: Deadline,
) -> Result<Done, Failure> {
    check_cell(cell)?;
    let fields = go(eyes, keyboard, cell, deadline)?;
    // The entry line may follow the name box a moment later: two equal looks.
    let patience = deadline.or_in(PATIENCE);
    let mut before = eyes.accessibility.text(&fields.entry.0);
    loop {
        eyes.screen.wait_for_change(LOOK)?;
        let now = eyes.accessibility.text(&fields.entry.0);
        if let (Some(text), true) = (&now, now == before) {
            return Ok((Outcome::Text(bare(text).to_owned()), Some(fields.entry.1)));
        }
        if patience.is_over() {
            return Err(Failure::new(
                &code::SHEET,
                "the entry line does not come to rest",
            ));
        }
        before = now;
    }
}

/// Goes to a cell: afterwards the name box says it and the sheet has the keyboard.
///
/// A program that is still loading takes the keyboard away again, so this is
/// tried until the time is over; going somewhere changes nothing.
fn go(
    eyes: &mut Eyes,
    keyboard: &mut Keyboard,
    cell: &str,
    deadline: Deadline,
) -> Result<Fields, Failure> {
    let deadline = deadline.or_in(GOING);
    loop {
        match go_once(eyes, keyboard, cell, deadline.or_in(ATTEMPT)) {
            Err(failure) if !failure.is_loss() && !deadline.is_over() => {
                press(eyes, keyboard, "Escape")?;
            }
            ended => return ended,
        }
    }
}

fn go_once(
    eyes: &mut Eyes,
    keyboard: &mut Keyboard,
    cell: &str,
    patience: Deadline,
) -> Result<Fields, Failure> {
    let fields = wait_for_fields(eyes, patience)?;
    take_keyboard(eyes, &fields.name_box, patience)?;
    press(eyes, keyboard, "ctrl+a")?;
    keyboard.press_text(eyes.screen.connection(), cell)?;
    wait_for_text(eyes, &fields.name_box.0, cell, patience)?;
    // The name box says this as well if it lost the keyboard meanwhile and the
    // letters went into that very cell: then they must not be committed there.
    if focus(&eyes.accessibility.snapshot()?).as_ref() != Some(&fields.name_box.0) {
        let message = "the name box lost the keyboard while it was typed into";
        return Err(Failure::new(&code::SHEET, message));
    }
    press(eyes, keyboard, "Return")?;
    loop {
        let snapshot = eyes.accessibility.snapshot()?;
        let elsewhere = focus(&snapshot).is_some_and(|a| a != fields.name_box.0);
        let there = eyes.accessibility.text(&fields.name_box.0).as_deref() == Some(cell);
        if elsewhere && there {
            return Ok(fields);
        }
        if patience.is_over() {
            let message = format!("the sheet did not go to {cell}");
            return Err(Failure::new(&code::SHEET, message));
        }
        eyes.screen.wait_for_change(LOOK)?;
    }
}

/// Types into the entry line, looks, and commits.
fn enter(
    eyes: &mut Eyes,
    keyboard: &mut Keyboard,
    fields: &Fields,
    text: &str,
    deadline: Deadline,
) -> Result<(), Failure> {
    let patience = deadline.or_in(PATIENCE);
    let typed = if is_number(text) {
        text.to_owned()
    } else {
        format!("'{text}")
    };
    take_keyboard(eyes, &fields.entry, patience)?;
    press(eyes, keyboard, "ctrl+a")?;
    let mut rest = typed.as_str();
    let mut done = String::new();
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .nth(keyboard.pressable(rest))
            .map_or(rest.len(), |(at, _)| at);
        let (now, later) = rest.split_at_checked(end).unwrap_or((rest, ""));
        keyboard.press_text(eyes.screen.connection(), now)?;
        // A completion is selected behind the caret; this takes it away.
        press(eyes, keyboard, "Delete")?;
        done.push_str(now);
        wait_for_text(eyes, &fields.entry.0, &done, patience)?;
        rest = later;
    }
    press(eyes, keyboard, "Return")?;
    let mut pressed = Instant::now();
    loop {
        let snapshot = eyes.accessibility.snapshot()?;
        let focus = focus(&snapshot);
        if focus.as_ref().is_some_and(|a| *a != fields.entry.0) {
            return Ok(());
        }
        if patience.is_over() {
            let message = format!("the sheet did not take {}", quoted(text));
            return Err(Failure::new(&code::READBACK, message));
        }
        if focus.is_some() && pressed.elapsed() > AGAIN {
            press(eyes, keyboard, "Return")?;
            pressed = Instant::now();
        }
        eyes.screen.wait_for_change(LOOK)?;
    }
}

fn wait_for_fields(eyes: &Eyes, patience: Deadline) -> Result<Fields, Failure> {
    loop {
        let snapshot = eyes.accessibility.snapshot()?;
        if let Some(fields) = Fields::find(eyes, &snapshot) {
            return Ok(fields);
        }
        if patience.is_over() {
            let message = "the active window has no name box and entry line in one row";
            return Err(Failure::new(&code::SHEET, message));
        }
        eyes.screen.wait_for_change(LOOK)?;
    }
}

impl Fields {
    /// Exactly one pair of editable fields in one row of the active window.
    fn find(eyes: &Eyes, snapshot: &Snapshot) -> Option<Self> {
        let fields: Vec<(Address, Area)> = snapshot
            .elements()
            .iter()
            .filter(|e| {
                e.has_text && e.is(State::Editable) && e.is_shown() && e.is(State::Sensitive)
            })
            .filter(|e| snapshot.window_of(e).is_some_and(|w| w.is(State::Active)))
            .take(32)
            .filter_map(|e| Some((e.address.clone(), eyes.accessibility.area(&e.address)?)))
            .filter_map(|(address, area)| Some((address, eyes.clip(area)?.area())))
            .collect();
        let mut pairs = fields.iter().flat_map(|left| {
            fields.iter().filter_map(move |right| {
                let row = (left.1.y - right.1.y).abs() < left.1.h / 2;
                let order = left.1.x + left.1.w <= right.1.x && left.1.w < right.1.w;
                (row && order).then(|| Self {
                    name_box: left.clone(),
                    entry: right.clone(),
                })
            })
        });
        let only = pairs.next()?;
        if pairs.next().is_some() {
            None
        } else {
            Some(only)
        }
    }
}

fn focus(snapshot: &Snapshot) -> Option<Address> {
    snapshot.focused().map(|e| e.address.clone())
}

fn take_keyboard(
    eyes: &Eyes,
    (address, area): &(Address, Area),
    patience: Deadline,
) -> Result<(), Failure> {
    pointer::click(&eyes.screen, middle(*area), Button::Left, 1)?;
    let mut clicked = Instant::now();
    loop {
        if focus(&eyes.accessibility.snapshot()?).as_ref() == Some(address) {
            return Ok(());
        }
        if patience.is_over() {
            let message = "the name box or entry line did not take the keyboard";
            return Err(Failure::new(&code::SHEET, message));
        }
        if clicked.elapsed() > AGAIN {
            // It may stand elsewhere by now.
            let now = eyes
                .accessibility
                .area(address)
                .and_then(|now| eyes.clip(now));
            let area = now.map_or(*area, |now| now.area());
            pointer::click(&eyes.screen, middle(area), Button::Left, 1)?;
            clicked = Instant::now();
        }
        eyes.screen.wait_for_change(LOOK)?;
    }
}

fn wait_for_text(
    eyes: &Eyes,
    address: &Address,
    expected: &str,
    patience: Deadline,
) -> Result<(), Failure> {
    loop {
        let found = eyes.accessibility.text(address);
        if found.as_deref() == Some(expected) {
            return Ok(());
        }
        if patience.is_over() {
            let found = quoted(&found.unwrap_or_default());
            let message = format!("{} was typed and {found} is there", quoted(expected));
            return Err(Failure::new(&code::READBACK, message));
        }
        eyes.screen.wait_for_change(LOOK)?;
    }
}

fn press(eyes: &Eyes, keyboard: &mut Keyboard, chord: &str) -> Result<(), Failure> {
    keyboard.press(eyes.screen.connection(), &Chord::parse(chord)?)
}

/// A cell of A1 to IV65536, which every sheet has.
///
/// Beyond a sheet's edge the same text would not be a place but a new name for
/// the cell where the cursor happens to be.
fn check_cell(cell: &str) -> Result<(), Failure> {
    let letters = cell.bytes().take_while(u8::is_ascii_uppercase).count();
    let (column, row) = cell.split_at_checked(letters).unwrap_or((cell, ""));
    let near = column.len() == 1 || (column.len() == 2 && column <= "IV");
    let digits = row.bytes().all(|b| b.is_ascii_digit()) && !row.starts_with('0');
    if near && digits && row.len() <= 5 && row.parse::<u32>().is_ok_and(|row| row <= 65_536) {
        return Ok(());
    }
    let message = format!("{} is not a cell from A1 to IV65536", quoted(cell));
    Err(Failure::new(&code::INVALID, message))
}

/// A decimal number that a spreadsheet shows as it was typed, but for zeros at
/// the end: no leading zero, plus sign, exponent or more digits than it keeps.
fn is_number(text: &str) -> bool {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && whole.len().saturating_add(fraction.len()) <= DIGITS
}

/// Whether the entry line shows what was put in.
fn holds(entry: &str, text: &str) -> bool {
    if is_number(text) {
        return is_number(entry) && canonical(entry) == canonical(text);
    }
    bare(entry) == text
}

/// A number without what does not count.
fn canonical(number: &str) -> &str {
    let short = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    if short == "-0" { "0" } else { short }
}

/// The entry line less the apostrophe that marks text.
fn bare(entry: &str) -> &str {
    entry.strip_prefix('\'').unwrap_or(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_as_typed_is_a_number() {
        for number in ["0", "7", "-12.50", "0.19", "999999999999.99", "100"] {
            assert!(is_number(number), "{number}");
        }
        for text in [
            "",
            "-",
            "00411",
            "1.",
            ".5",
            "1,5",
            "+1",
            "1e5",
            "2026-11-24",
            "=1+1",
            "1 000",
            "1234567890123456",
            "٣",
            "TRUE",
            "0x10",
            "--1",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn a_cell_holds_text_exactly_and_a_number_by_its_value() {
        assert!(holds("100", "100.00"));
        assert!(holds("0", "-0"));
        assert!(holds("'00411", "00411"));
        assert!(holds("''quoted", "'quoted"));
        assert!(holds("Nordwind", "Nordwind"));
        assert!(!holds("411", "00411"));
        assert!(!holds("100.01", "100.00"));
        assert!(!holds("'100", "100"), "text instead of a number");
        assert!(!holds("Nordwind GmbH", "Nordwind"));
    }

    #[test]
    fn cells_are_letters_and_a_number() {
        for cell in ["A1", "B7", "Z9", "IV65536"] {
            assert!(check_cell(cell).is_ok(), "{cell}");
        }
        for cell in [
            "",
            "A",
            "7",
            "A0",
            "a1",
            "A1:B2",
            "ABCD1",
            "A1 ",
            "A12345678",
            "=A1",
            "IW1",
            "XFD1",
            "A65537",
        ] {
            assert_eq!(
                check_cell(cell).unwrap_err().code.id,
                "desktop.invalid",
                "{cell}"
            );
        }
    }
}
