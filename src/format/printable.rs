//! Text of others, made harmless where it is printed.

use std::fmt::{self, Display, Write};

/// Text from an archive, a model's file, a server or a path, or an error that quotes such text, as
/// it may be shown on a terminal or put into a log.
///
/// Control characters (C0, DEL and C1), separators of lines, the byte order mark and the characters
/// that change the direction of what stands around them are shown as `\u{..}`; everything else is
/// shown as it is. A backslash stays one: the result is for reading, not for parsing.
///
/// ```
/// use lmz::format::printable;
///
/// assert_eq!(printable("a\x1b[2Jb").to_string(), r"a\u{1b}[2Jb");
/// assert_eq!(printable("naïve 你好").to_string(), "naïve 你好");
/// ```
pub fn printable<T: Display + ?Sized>(text: &T) -> Printable<'_, T> {
    Printable(text)
}

/// What [`printable`] gives.
#[derive(Debug)]
pub struct Printable<'a, T: ?Sized>(&'a T);

impl<T: Display + ?Sized> Display for Printable<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Passes text on, escaped.
struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // In runs, since most text has nothing to be escaped.
        let mut rest = text;
        while let Some(at) = rest.find(acts) {
            self.0.write_str(&rest[..at])?;
            let mut behind = rest[at..].chars();
            if let Some(c) = behind.next() {
                write!(self.0, "\\u{{{:x}}}", u32::from(c))?;
            }
            rest = behind.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Whether a character does something else than stand where it is.
fn acts(c: char) -> bool {
    // Marks, embeddings, overrides and isolates of the bidirectional algorithm; separators of lines
    // and paragraphs; the byte order mark.
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_escaped_and_what_stands_is_not() {
        for (text, shown) in [
            ("", ""),
            (
                "plain, \\ and \"quoted\" naïve 你好 🦀 e\u{301}",
                "plain, \\ and \"quoted\" naïve 你好 🦀 e\u{301}",
            ),
            ("\0", "\\u{0}"),
            ("a\tb\r\nc", "a\\u{9}b\\u{d}\\u{a}c"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("\u{7f}\u{80}\u{9b}31m\u{9f}", "\\u{7f}\\u{80}\\u{9b}31m\\u{9f}"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            (
                "\u{2066}\u{2069}\u{200e}\u{200f}\u{feff}",
                "\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{feff}",
            ),
            ("\u{2028}\u{2029}\u{61c}", "\\u{2028}\\u{2029}\\u{61c}"),
        ] {
            assert_eq!(printable(text).to_string(), shown);
            assert_eq!(printable(&format_args!("{text}")).to_string(), shown);
        }
    }

    #[test]
    fn every_character_is_there_or_escaped() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let shown = printable(&c).to_string();
            assert!(
                shown == c.to_string() || shown == format!("\\u{{{:x}}}", u32::from(c)),
                "{shown}"
            );
            assert!(!shown.chars().any(acts), "{shown:?}");
        }
    }
}
