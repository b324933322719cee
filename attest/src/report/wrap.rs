//! Lines of at most 80 columns.

const WIDTH: usize = 80;

/// `text` behind `lead`, broken between words; further lines begin with `indent` spaces. A word
/// that is longer than a line is cut.
pub(super) fn wrapped(lead: &str, indent: usize, text: &str) -> String {
    let mut line = lead.to_owned();
    let mut lines = String::new();
    let mut bare = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let space = usize::from(!bare);
        let used = line.chars().count();
        let letters = word.chars().count();
        if !bare && used.saturating_add(space).saturating_add(letters) > WIDTH {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = " ".repeat(indent);
        } else if !bare {
            line.push(' ');
        }
        // Letter by letter: a word of a hostile evidence may be a megabyte long.
        let mut used = line.chars().count();
        for letter in word.chars() {
            if used >= WIDTH && used > indent {
                lines.push_str(&line);
                lines.push('\n');
                line = " ".repeat(indent);
                used = indent;
            }
            line.push(letter);
            used = used.saturating_add(1);
        }
        bare = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, wrapped};

    #[test]
    fn no_line_is_longer_than_a_terminal() {
        let text = format!("short {} and {} end", "w".repeat(70), "x".repeat(300));
        let out = wrapped("  lead: ", 4, &text);
        assert!(
            out.lines().all(|line| line.chars().count() <= WIDTH),
            "{out}"
        );
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
        assert_eq!(letters(&out), letters(&text) + letters("  lead: "));
        assert_eq!(wrapped("a ", 2, ""), "a\n");
    }

    #[test]
    fn a_word_of_megabytes_is_cut_in_one_pass() {
        let out = wrapped("  lead: ", 4, &"x".repeat(4 << 20));
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH));
    }
}
