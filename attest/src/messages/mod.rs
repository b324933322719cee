//! Every sentence that a person reads, in English and French, in one place.
//!
//! - [`codes`]: what each stable code means and what to do next. Shown for what does not hold.
//! - [`phrases`]: what was found to hold, headings, the verdict's words. A phrase has an id and
//!   typed arguments.
//! - [`history`]: what the auditor's own ledger says of earlier verdicts.
//! - [`identity`]: one quote alone, endorsement certificates, the self-test.
//! - [`page`]: the words of the printable page.
//! - [`subjects`]: the names of what a verdict judges.
//!
//! What stands beside them (an error's own text, digests, places in a log) is technical detail: it
//! is English in every language and is shown as such.

/// Phrases of one file: for each a function and its template.
macro_rules! phrases {
    ($($name:ident($($argument:ident: $type:ty),*) = $id:literal,
        en $english:literal,
        fr $french:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $english)]
            #[must_use]
            pub fn $name($($argument: $type),*) -> $crate::messages::Phrase {
                const TEMPLATE: $crate::messages::Template = $crate::messages::Template {
                    id: $id,
                    english: $english,
                    french: $french,
                    arguments: &[$(stringify!($argument)),*],
                };
                $crate::messages::Phrase::new(&TEMPLATE, vec![$($argument.to_string()),*])
            }
        )*
        /// Every template.
        pub const ALL: &[$crate::messages::Template] = &[$($crate::messages::Template {
            id: $id,
            english: $english,
            french: $french,
            arguments: &[$(stringify!($argument)),*],
        }),*];
    };
}

pub mod codes;
pub mod history;
pub mod identity;
mod language;
pub mod page;
pub mod phrases;
pub mod subjects;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use language::Language;

use crate::code::Code;

/// A code's sentences in French; the English ones stand in the [`Code`] itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct French {
    /// What it means.
    pub what: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// A sentence with places for arguments, in every language.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    /// `area.what`, stable.
    pub id: &'static str,
    /// English, `{name}` for an argument.
    pub english: &'static str,
    /// French, with the same arguments.
    pub french: &'static str,
    /// The arguments' names.
    pub arguments: &'static [&'static str],
}

/// A sentence that was said: a template and what stands in its places. Made by the functions of
/// [`phrases`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    template: &'static Template,
    values: Vec<String>,
}

impl Phrase {
    const fn new(template: &'static Template, values: Vec<String>) -> Self {
        Self { template, values }
    }

    /// The template's id.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.template.id
    }

    /// The sentence. A value that itself looks like a place is not looked into.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let mut rest = match language {
            Language::English => self.template.english,
            Language::French => self.template.french,
        };
        let mut text = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, behind)) = after.split_once('}') else {
                break;
            };
            let mut named = self.template.arguments.iter().zip(&self.values);
            let value = named.find(|(known, _)| **known == name);
            let value = value.map_or("", |(_, value)| value.as_str());
            let _ = write!(text, "{}{value}", typeset(before, language));
            rest = behind;
        }
        text.push_str(&typeset(rest, language));
        text
    }
}

/// What a code means. A code of another crate has English words only.
#[must_use]
pub fn what(code: &Code, language: Language) -> String {
    match (language, french(code)) {
        (Language::French, Some(words)) => typeset(words.what, language).into_owned(),
        _ => code.what.to_owned(),
    }
}

/// What to do next about a code.
#[must_use]
pub fn next(code: &Code, language: Language) -> String {
    match (language, french(code)) {
        (Language::French, Some(words)) => typeset(words.next, language).into_owned(),
        _ => code.next.to_owned(),
    }
}

fn french(code: &Code) -> Option<&'static French> {
    let known = codes::all().find(|(known, _)| known.id == code.id);
    known.map(|(_, words)| words)
}

/// French puts a space before its high punctuation, and no line may break there. The tables are
/// written with an ordinary one.
fn typeset(text: &'static str, language: Language) -> Cow<'static, str> {
    let high = |text: &str| {
        [" ;", " :", " ?", " !", " »"]
            .iter()
            .any(|mark| text.contains(mark))
    };
    if language != Language::French || !high(text) {
        return Cow::Borrowed(text);
    }
    let mut set = text.to_owned();
    for mark in [';', ':', '?', '!', '»'] {
        set = set.replace(&format!(" {mark}"), &format!("\u{a0}{mark}"));
    }
    Cow::Owned(set.replace("« ", "«\u{a0}"))
}
