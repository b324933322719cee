//! Text of outside origin that a terminal or a reader is shown.

/// Text with every character replaced that a terminal obeys or that a reader cannot see: controls,
/// and the format characters that turn or hide text (Unicode categories Cc, Zl, Zp and the Cf that
/// are in use).
#[must_use]
pub fn printable(text: &str) -> String {
    let shown = |c: char| if is_hidden(c) { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_turns_or_hides_text_is_replaced() {
        let hostile = "a\u{1b}[31mb\u{202e}c\u{2066}d\u{200b}e\nf\u{9b}g";
        let shown = printable(hostile);
        assert_eq!(
            shown,
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}f\u{fffd}g"
        );
        assert_eq!(printable("déjà vu\u{a0}: ü 漢"), "déjà vu\u{a0}: ü 漢");
    }
}
