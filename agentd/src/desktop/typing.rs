//! Typing text, and making sure that it arrived.
//!
//! Key maps, completion, input masks and a lost newline all change silently what
//! arrives. So where what has the keyboard can be read, it is read before and
//! after, and has to hold exactly what it held with the text at the caret.

use std::time::Duration;

use atspi::State;

use crate::desktop::accessible::TEXT;
use crate::desktop::code;
use crate::desktop::deadline::Deadline;
use crate::desktop::element::Element;
use crate::desktop::failure::{Failure, quoted};
use crate::desktop::keyboard::Keyboard;
use crate::desktop::target::Eyes;

/// Longest text of one step, in characters.
const LONGEST: usize = 20_000;
/// How long an application may take to show what was typed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Types into what has the keyboard.
///
/// # Errors
/// `desktop.readback`, `desktop.invalid`, `desktop.lost`.
pub fn type_text(
    eyes: &Eyes,
    keyboard: &mut Keyboard,
    text: &str,
    deadline: Deadline,
) -> Result<(), Failure> {
    if text.chars().count() > LONGEST {
        return Err(Failure::new(
            &code::INVALID,
            format!("a text of over {LONGEST} characters"),
        ));
    }
    let mut rest = text;
    while !rest.is_empty() {
        let field = Field::focused(eyes)?;
        let (chunk, leaves) = field.as_ref().map_or((rest, false), |f| f.chunk(rest));
        let fitting = keyboard.pressable(chunk);
        let end = chunk
            .char_indices()
            .nth(fitting)
            .map_or(chunk.len(), |(at, _)| at);
        let (now, _) = chunk.split_at_checked(end).unwrap_or((chunk, ""));
        keyboard.press_text(eyes.screen.connection(), now)?;
        if let Some(field) = field.filter(|_| !leaves) {
            field.verify(eyes, now, deadline.or_in(PATIENCE))?;
        }
        rest = rest.get(now.len()..).unwrap_or_default();
    }
    Ok(())
}

/// What has the keyboard, as it was before typing.
#[derive(Debug)]
struct Field {
    element: Element,
    before: Vec<char>,
    /// From and to; equal at the caret if nothing is selected.
    selected: (usize, usize),
}

impl Field {
    /// The field that has the keyboard, if there is one that can be read.
    fn focused(eyes: &Eyes) -> Result<Option<Self>, Failure> {
        let snapshot = eyes.accessibility.snapshot()?;
        let Some(element) = snapshot
            .focused()
            .filter(|e| e.has_text && e.is(State::Editable))
        else {
            return Ok(None);
        };
        let address = &element.address;
        let Some(text) = eyes.accessibility.text(address) else {
            return Ok(None);
        };
        let before: Vec<char> = text.chars().collect();
        let number = |n: i32| usize::try_from(n).unwrap_or_default().min(before.len());
        let caret = eyes
            .accessibility
            .caret(address)
            .map_or(before.len(), number);
        let selected = eyes
            .accessibility
            .selection(address)
            .map(|(a, b)| (number(a.min(b)), number(a.max(b))))
            .filter(|(a, b)| a < b)
            .unwrap_or((caret, caret));
        Ok(Some(Self {
            element: element.clone(),
            before,
            selected,
        }))
    }

    /// How much of a text to type before looking, and whether that leaves the
    /// field: Return and Tab do in a field of one line.
    fn chunk<'t>(&self, text: &'t str) -> (&'t str, bool) {
        let leaves = |c: char| c == '\n' || c == '\t';
        if self.element.is(State::MultiLine) {
            return (text, false);
        }
        match text.find(leaves) {
            None => (text, false),
            Some(0) => {
                let first = text.chars().next().map_or(0, char::len_utf8);
                (text.get(..first).unwrap_or(text), true)
            }
            Some(at) => (text.get(..at).unwrap_or(text), false),
        }
    }

    /// Waits until the field holds what it held with `typed` at the caret.
    fn verify(&self, eyes: &Eyes, typed: &str, deadline: Deadline) -> Result<(), Failure> {
        let expected = self.expected(typed);
        let hidden = self.element.is_role("password text");
        // More than can be read back in one go: only its length is compared.
        let long = usize::try_from(TEXT).is_ok_and(|most| expected.len() > most);
        loop {
            let found = eyes.accessibility.text(&self.element.address);
            let same = found.as_ref().is_some_and(|found| {
                if hidden || long {
                    found.chars().count() == expected.len()
                } else {
                    found.chars().eq(expected.iter().copied())
                }
            });
            if same {
                return Ok(());
            }
            if deadline.is_over() {
                return Err(mismatch(hidden, &expected, found.as_deref()));
            }
            eyes.screen.wait_for_change(LOOK.min(deadline.left()))?;
        }
    }

    fn expected(&self, typed: &str) -> Vec<char> {
        let (from, to) = self.selected;
        let head = self.before.get(..from).unwrap_or(&self.before);
        let tail = self.before.get(to..).unwrap_or_default();
        head.iter()
            .copied()
            .chain(typed.chars())
            .chain(tail.iter().copied())
            .collect()
    }
}

/// Quotes both from a little before the first difference on.
fn mismatch(hidden: bool, expected: &[char], found: Option<&str>) -> Failure {
    let Some(found) = found else {
        return Failure::new(&code::READBACK, "what was typed into is gone");
    };
    let found: Vec<char> = found.chars().collect();
    if hidden {
        let message = format!(
            "a hidden field holds {} characters, not {}",
            found.len(),
            expected.len()
        );
        return Failure::new(&code::READBACK, message);
    }
    let equal = expected
        .iter()
        .zip(&found)
        .take_while(|(a, b)| a == b)
        .count();
    let from = equal.saturating_sub(10);
    let show = |text: &[char]| quoted(&text.iter().skip(from).collect::<String>());
    let message = format!(
        "from character {from} on {} was expected and {} is there",
        show(expected),
        show(&found)
    );
    Failure::new(&code::READBACK, message)
}
