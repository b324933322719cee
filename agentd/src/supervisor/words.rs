//! What compartments say, cut to size; what steps are, in words.

use casemate_protocol::action::{Action, Outcome, Target};

/// Longest description of a target in an event.
const DESCRIPTION: usize = 300;

/// Whether an answer is of the kind that the action can have.
pub(super) fn fits(action: &Action, outcome: &Outcome) -> bool {
    matches!(
        (action, outcome),
        (_, Outcome::Failed { .. })
            | (
                Action::Read { .. } | Action::GetCell { .. },
                Outcome::Text(_)
            )
            | (Action::ReadScreen { .. }, Outcome::Lines(_))
            | (
                Action::Wait { .. }
                    | Action::Click { .. }
                    | Action::Type { .. }
                    | Action::Keys { .. }
                    | Action::SetCell { .. }
                    | Action::Screenshot { .. },
                Outcome::Done
            )
    )
}

/// Cuts what the eyes and hands claim to what an event and a script should hold.
pub(super) fn bounded(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed { code, message } => Outcome::Failed {
            code: shorten(code, 64),
            message: shorten(message, 500),
        },
        Outcome::Text(text) => Outcome::Text(shorten(text, 64 << 10)),
        Outcome::Lines(mut lines) => {
            lines.truncate(2000);
            Outcome::Lines(lines)
        }
        other => other,
    }
}

/// Cuts a text to `limit` bytes at a character.
pub(super) fn shorten(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let cut = (0..=limit)
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(0);
        text.truncate(cut);
    }
    text
}

/// What a step is about, in words for people.
pub(super) fn describe(action: &Action) -> String {
    let target = |target: &Target| match target {
        Target::Element { name, role, .. } => {
            format!("{} \"{name}\"", role.as_deref().unwrap_or("element"))
        }
        Target::Text { text, .. } => format!("text \"{text}\""),
        Target::Window { title } => format!("window \"{title}\""),
    };
    let text = match action {
        Action::Open { app, files } => format!("{app} {}", files.join(" ")),
        Action::Close { app } => app.clone(),
        Action::Wait {
            target: what, gone, ..
        } => {
            format!("{}{}", target(what), if *gone { " gone" } else { "" })
        }
        Action::Click {
            target: what,
            count,
            ..
        } => match count {
            1 => target(what),
            n => format!("{} x{n}", target(what)),
        },
        Action::Type { text, into } => match into {
            Some(into) => format!("\"{text}\" into {}", target(into)),
            None => format!("\"{text}\""),
        },
        Action::Keys { chords } => chords.join(" "),
        Action::Read { target: what } => target(what),
        Action::ReadScreen { within: None } => "screen".to_owned(),
        Action::ReadScreen { within: Some(a) } => format!("screen {}x{}+{}+{}", a.w, a.h, a.x, a.y),
        Action::SetCell { cell, text } => format!("{cell} = \"{text}\""),
        Action::GetCell { cell } => cell.clone(),
        Action::ListFiles { folder } => folder.clone(),
        Action::ReadFile { path } | Action::WriteFile { path, .. } => path.clone(),
        Action::Template { name, path } => format!("{name} as {path}"),
        Action::Screenshot { label } => label.clone(),
        Action::VerifySheet { path, rows } => format!("{path}, {} rows", rows.len()),
        Action::Log { text } => text.clone(),
        Action::Finding { item, text } => format!("{item}: {text}"),
        Action::Row { .. } => "row".to_owned(),
    };
    shorten(text, DESCRIPTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_must_be_of_the_kind_asked_for() {
        let keys = Action::Keys { chords: vec![] };
        assert!(fits(&keys, &Outcome::Done));
        assert!(!fits(&keys, &Outcome::Text("x".into())));
        assert!(fits(
            &Action::GetCell { cell: "A1".into() },
            &Outcome::Text("x".into())
        ));
        assert!(!fits(
            &Action::GetCell { cell: "A1".into() },
            &Outcome::Done
        ));
        assert!(!fits(
            &Action::Open {
                app: "a".into(),
                files: vec![]
            },
            &Outcome::Done
        ));
    }

    #[test]
    fn text_is_cut_at_a_character() {
        assert_eq!(shorten("äää".into(), 3), "ä");
        assert_eq!(shorten("äää".into(), 6), "äää");
    }
}
