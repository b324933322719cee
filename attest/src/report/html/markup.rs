//! HTML that is built so that text from outside cannot become markup.

use std::fmt::Display;

use super::super::printable;

/// A growing page. Markup of ours comes in as constants of the program, everything else through
/// [`Markup::text`].
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Our own markup.
    pub(super) fn raw(&mut self, html: &'static str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Text of any origin: shown, never obeyed.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in printable(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A number, as text or inside an attribute of ours.
    pub(super) fn number(&mut self, number: impl Into<u64> + Display) -> &mut Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// A long digest, which may be broken anywhere.
    pub(super) fn digest(&mut self, digest: &str) -> &mut Self {
        self.raw("<code>").text(digest).raw("</code>")
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Markup;

    #[test]
    fn text_stays_text() {
        let mut page = Markup::default();
        page.text("<script>&\"'\u{202e}\0");
        assert_eq!(
            page.finish(),
            "&lt;script&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}"
        );
    }
}
