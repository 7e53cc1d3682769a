//! The vocabulary file of the RWKV "World" models: lines of an id, a string or bytes as Python
//! writes them, and how many bytes that is.

use super::{LONGEST_TOKEN, MOST_TOKENS, Vocabulary, VocabularyError};

impl Vocabulary {
    /// Parses such a file for a model of `size` tokens. Ids that the file does not have are empty
    /// tokens, id 0 among them, which ends and begins documents.
    pub fn parse_world(file: &[u8], size: usize) -> Result<Self, VocabularyError> {
        if size > MOST_TOKENS {
            return Err(VocabularyError::Count { found: size });
        }
        let mut tokens = vec![Vec::new(); size];
        for (i, line) in
            file.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            let wrong = |expected, found: &[u8]| {
                let found = found[..found.len().min(40)].escape_ascii().to_string();
                VocabularyError::Line { line: i + 1, expected, found }
            };
            let parse = || {
                let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
                let (id, rest) = line.split_once(' ')?;
                let (literal, length) = rest.rsplit_once(' ')?;
                Some((id.parse::<usize>().ok()?, literal, length.parse::<usize>().ok()?))
            };
            let (id, text, length) =
                parse().ok_or_else(|| wrong("an id, a literal and a length", line))?;
            let token = tokens.get_mut(id).filter(|token| id > 0 && token.is_empty());
            let token = token.ok_or_else(|| {
                wrong("an id of its own, from 1 to below the model's tokens", line)
            })?;
            *token = literal(text)
                .ok_or_else(|| wrong("a string or bytes as Python writes them", line))?;
            if token.len() != length || length > LONGEST_TOKEN {
                return Err(wrong("as many bytes as the line says", line));
            }
        }
        Self::new(tokens)
    }
}

/// The bytes of a literal: of a string its UTF-8.
fn literal(text: &str) -> Option<Vec<u8>> {
    let (bytes, text) = match text.strip_prefix('b') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut rest = text.strip_prefix(quote)?.strip_suffix(quote)?.chars();
    let mut out = Vec::new();
    while let Some(c) = rest.next() {
        let code = match c {
            '\\' => match rest.next()? {
                'n' => '\n'.into(),
                'r' => '\r'.into(),
                't' => '\t'.into(),
                c @ ('\\' | '\'' | '"') => c.into(),
                'x' => number(&mut rest, 2)?,
                'u' => number(&mut rest, 4)?,
                'U' => number(&mut rest, 8)?,
                _ => return None,
            },
            c if c == quote => return None,
            c => c.into(),
        };
        match bytes {
            true => out.push(u8::try_from(code).ok()?),
            false => {
                out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes())
            }
        }
    }
    Some(out)
}

fn number(rest: &mut std::str::Chars, digits: usize) -> Option<u32> {
    (0..digits).try_fold(0u32, |value, _| Some(value << 4 | rest.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The single bytes, as ids 1 to 256.
    fn bytes() -> String {
        let line = |b: u8| match b {
            b'\'' => format!("{} \"'\" 1\n", u32::from(b) + 1),
            b'\\' => format!("{} '\\\\' 1\n", u32::from(b) + 1),
            0..0x20 | 0x7f => format!("{} '\\x{b:02x}' 1\n", u32::from(b) + 1),
            0x80.. => format!("{} b'\\x{b:02x}' 1\n", u32::from(b) + 1),
            _ => format!("{} '{}' 1\n", u32::from(b) + 1, char::from(b)),
        };
        (0..=255).map(line).collect()
    }

    #[test]
    fn strings_and_bytes() {
        let file = bytes()
            + "257 '\\r\\n\\t\\x85' 5\n258 \"it's\" 4\n260 'ä\\u3000\\U0001f600' 9\n261 \
                b'\\xe4\\xb8\"' 3\n";
        let vocabulary = Vocabulary::parse_world(file.as_bytes(), 300).unwrap();
        assert_eq!(vocabulary.len(), 300);
        let expected = ["\r\n\t\u{85}", "it's", "", "ä\u{3000}\u{1f600}"].map(str::as_bytes);
        assert_eq!([257, 258, 259, 260].map(|t| vocabulary.token(t)), expected);
        assert_eq!(
            [0, 1, 256, 261].map(|t| vocabulary.token(t)),
            [&b""[..], b"\0", b"\xff", b"\xe4\xb8\""]
        );
    }

    #[test]
    fn what_does_not_parse_is_refused_by_its_line() {
        for bad in [
            "257",
            "257 'a'",
            "x 'a' 1",
            "0 'a' 1",
            "1 'a' 1",
            "300 'a' 1",
            "257 a 1",
            "257 'a 1",
            "257 '' a' 3",
            "257 'a' 2",
            "257 '\\q' 1",
            "257 '\\x4' 1",
            "257 b'\u{100}' 1",
            "257 '\\ud800' 3",
            "257 ' 1",
        ] {
            match Vocabulary::parse_world((bytes() + bad).as_bytes(), 300) {
                Err(VocabularyError::Line { line: 257, .. }) => {}
                other => panic!("{bad:?}: {other:?}"),
            }
        }
        assert!(matches!(
            Vocabulary::parse_world(b"", 300),
            Err(VocabularyError::MissingByte { byte: 0 })
        ));
        assert!(matches!(
            Vocabulary::parse_world(b"", 1 << 30),
            Err(VocabularyError::Count { .. })
        ));
    }
}
