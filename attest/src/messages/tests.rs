//! Both languages say the same: nothing is missing, no place differs, nothing was left in English.

use std::collections::BTreeSet;

use super::{Language, codes, history, identity, page, phrases, what};
use crate::code::{self, CODES};
use crate::messages::subjects::Subject;

/// The places `{name}` of a template.
fn places(text: &str) -> Vec<&str> {
    let mut places: Vec<&str> = text
        .split('{')
        .skip(1)
        .map(|part| part.split('}').next().unwrap())
        .collect();
    places.sort_unstable();
    places
}

#[test]
fn every_code_speaks_both_languages() {
    let mut ids = BTreeSet::new();
    for (code, french) in codes::all() {
        let id = code.id;
        assert!(ids.insert(id), "{id} is there twice");
        for (english, french) in [(code.what, french.what), (code.next, french.next)] {
            assert!(english.ends_with('.') && french.ends_with('.'), "{id}");
            assert_ne!(english, french, "{id}");
            assert!(!french.contains(" ,") && !french.contains("  "), "{id}");
            for option in english.split_whitespace().filter(|w| w.starts_with("--")) {
                let option = option.trim_end_matches(['.', ';', ',']);
                assert!(french.contains(option), "{id} leaves {option} out");
            }
        }
    }
    assert!(ids.len() > 100);
    assert_eq!(CODES.len(), ids.len());
}

#[test]
fn every_phrase_speaks_both_languages_with_the_same_places() {
    let mut ids = BTreeSet::new();
    for template in phrases::ALL
        .iter()
        .chain(history::ALL)
        .chain(identity::ALL)
        .chain(page::ALL)
    {
        let id = template.id;
        assert!(ids.insert(id), "{id} is there twice");
        let mut declared = template.arguments.to_vec();
        declared.sort_unstable();
        assert_eq!(places(template.english), declared, "{id}");
        assert_eq!(places(template.french), declared, "{id}");
        // A word that both languages share is one word.
        if template.english == template.french {
            let shared = ["note", "code", "nonce", "ok"].contains(&template.english);
            assert!(
                shared || !template.english.contains(char::is_alphabetic),
                "{id}"
            );
        }
        assert_eq!(
            template.english.ends_with('.'),
            template.french.ends_with('.'),
            "{id}"
        );
    }
}

#[test]
fn every_subject_has_a_name_in_both_languages() {
    let names: BTreeSet<&str> = Subject::ALL
        .iter()
        .flat_map(|subject| Language::ALL.map(|language| subject.name(language)))
        .collect();
    let shared = Subject::ALL
        .iter()
        .filter(|subject| subject.name(Language::English) == subject.name(Language::French));
    let shared: Vec<&str> = shared.map(|subject| subject.id()).collect();
    assert_eq!(shared, ["activation"]);
    assert_eq!(names.len(), 2 * Subject::ALL.len() - 1);
}

#[test]
fn a_value_that_looks_like_a_place_is_only_text() {
    let said = phrases::release_holds("{number} {", "}", 7);
    assert_eq!(
        said.text(Language::English),
        "{number} { } (number 7), signed by the release key."
    );
}

#[test]
fn french_punctuation_does_not_begin_a_line() {
    let said = what(&code::CHALLENGE_ABSENT, Language::French);
    assert_eq!(
        said,
        "Aucun défi n'a été donné\u{a0}: la preuve peut être ancienne."
    );
}
