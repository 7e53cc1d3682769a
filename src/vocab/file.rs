//! `vocab.txt`: one token a line, in the order of ids. Bytes 0x21 to 0x7e stand for themselves,
//! except the backslash; every other byte is written `\xNN`.

use super::{LONGEST_TOKEN, MOST_TOKENS, Vocabulary, VocabularyError};

impl Vocabulary {
    /// Parses a vocabulary file.
    pub fn parse(file: &[u8]) -> Result<Self, VocabularyError> {
        // One piece of memory for the bytes of all tokens, and where each ends.
        let (mut bytes, mut ends) = (Vec::with_capacity(file.len()), vec![0]);
        for (i, line) in file.split_inclusive(|b| *b == b'\n').enumerate() {
            let number = i + 1;
            let wrong = |expected, found| VocabularyError::Line { line: number, expected, found };
            let line = line
                .strip_suffix(b"\n")
                .ok_or_else(|| wrong("a line end after the last token", "none".into()))?;
            if i == MOST_TOKENS {
                return Err(VocabularyError::Count { found: number });
            }
            // What is as long as this is too long whatever it says.
            let line = &line[..line.len().min(4 * LONGEST_TOKEN + 4)];
            unescape(line, &mut bytes).map_err(|(expected, found)| wrong(expected, found))?;
            ends.push(bytes.len());
        }
        Self::new(ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]))
    }

    /// The vocabulary as a file, which [`parse`](Self::parse) reads.
    pub fn to_file(&self) -> String {
        let mut out = String::new();
        for token in 0..self.len() as u32 {
            for byte in self.token(token) {
                match byte {
                    b'\\' | 0..=0x20 | 0x7f..=0xff => out += &format!("\\x{byte:02x}"),
                    _ => out.push(char::from(*byte)),
                }
            }
            out.push('\n');
        }
        out
    }
}

/// Appends the bytes of a line, or says what was expected and what found.
fn unescape(line: &[u8], out: &mut Vec<u8>) -> Result<(), (&'static str, String)> {
    let mut rest = line;
    while let [byte, tail @ ..] = rest {
        match (byte, tail) {
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let value = digits
                    .iter()
                    .try_fold(0, |value, d| Some(16 * value + char::from(*d).to_digit(16)?));
                let found = || format!("\\x{}", digits.escape_ascii());
                out.push(value.ok_or_else(|| ("two hexadecimal digits after \\x", found()))? as u8);
                rest = tail;
            }
            (b'\\', _) => {
                return Err(("\\xNN", rest[..rest.len().min(4)].escape_ascii().to_string()));
            }
            (0x21..=0x7e, _) => {
                out.push(*byte);
                rest = tail;
            }
            _ => {
                return Err((
                    "bytes 0x21 to 0x7e, others as \\xNN",
                    format!("the byte {byte:#04x}"),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(last: &str) -> Vec<u8> {
        (Vocabulary::bytes().to_file() + last).into_bytes()
    }

    #[test]
    fn what_is_written_is_read() {
        let vocabulary = Vocabulary::parse(&file("\\x20the\\x0A\n\n\\x5cn\n")).unwrap();
        assert_eq!(vocabulary.len(), 259);
        assert_eq!([256, 257, 258].map(|t| vocabulary.token(t)), [&b" the\n"[..], b"", b"\\n"]);
        let again = Vocabulary::parse(vocabulary.to_file().as_bytes()).unwrap();
        assert!((0..259).all(|t| again.token(t) == vocabulary.token(t)));
    }

    #[test]
    fn what_does_not_parse_is_refused_by_its_line() {
        for bad in [
            "a b\n",
            "\\n\n",
            "\\x4\n",
            "\\x4g\n",
            "\\x+1\n",
            "\u{e4}\n",
            "a\r\n",
            "no line end",
            "\\",
        ] {
            match Vocabulary::parse(&file(bad)) {
                Err(VocabularyError::Line { line: 257, .. }) => {}
                other => panic!("{bad:?}: {other:?}"),
            }
        }
        assert_eq!(Vocabulary::parse(b"").unwrap_err(), VocabularyError::MissingByte { byte: 0 });
        let long = "\\x41".repeat(LONGEST_TOKEN + 5) + "\n";
        assert!(matches!(
            Vocabulary::parse(&file(&long)),
            Err(VocabularyError::TokenLength { token: 256, .. })
        ));
    }
}
