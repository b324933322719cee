//! Lines of at most 80 columns.

const WIDTH: usize = 80;

/// `text` behind `lead`, broken between words; further lines begin with `indent` spaces. A word
/// that is longer than a line is cut.
pub(super) fn wrapped(lead: &str, indent: usize, text: &str) -> String {
    let mut line = lead.to_owned();
    let mut lines = String::new();
    let mut bare = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut letters: Vec<char> = word.chars().collect();
        let space = usize::from(!bare);
        let used = line.chars().count();
        if !bare && used.saturating_add(space).saturating_add(letters.len()) > WIDTH {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = " ".repeat(indent);
        } else if !bare {
            line.push(' ');
        }
        loop {
            let room = WIDTH.saturating_sub(line.chars().count()).max(1);
            if letters.len() <= room {
                break;
            }
            let rest = letters.split_off(room);
            line.extend(letters);
            lines.push_str(&line);
            lines.push('\n');
            line = " ".repeat(indent);
            letters = rest;
        }
        line.extend(letters);
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
}
