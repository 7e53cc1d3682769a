//! Vocabularies of byte-level BPE as `tokenizer.json` has them: every byte is written as a
//! printable character, by the table that came with GPT-2.

use std::collections::HashMap;

use serde::Deserialize;

use super::{LONGEST_TOKEN, MOST_TOKENS, Vocabulary, VocabularyError};

/// What of `tokenizer.json` says which tokens there are.
#[derive(Deserialize)]
struct File {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct Added {
    id: usize,
    content: String,
    #[serde(default)]
    special: bool,
}

impl Vocabulary {
    /// Parses such a file for a model of `size` tokens. Special tokens are empty, and so are ids
    /// that the file does not have; others that were added stand for their text as it is.
    pub fn parse_byte_level(file: &[u8], size: usize) -> Result<Self, VocabularyError> {
        let wrong = |expected, found: String| VocabularyError::Tokenizer { expected, found };
        if size > MOST_TOKENS {
            return Err(VocabularyError::Count { found: size });
        }
        let file: File = serde_json::from_slice(file).map_err(|e| {
            wrong("model.vocab with a token's id for each of its strings", e.to_string())
        })?;
        let mut tokens = vec![Vec::new(); size];
        let mut place = |id: usize, bytes: Vec<u8>| {
            let length = bytes.len();
            let found = || format!("id {id} of {length} bytes");
            let token = tokens.get_mut(id).filter(|_| length <= LONGEST_TOKEN);
            *token.ok_or_else(|| {
                wrong("ids below the model's tokens, of at most 1,024 bytes", found())
            })? = bytes;
            Ok(())
        };
        let added: HashMap<usize, &Added> =
            file.added_tokens.iter().map(|added| (added.id, added)).collect();
        for (text, id) in &file.model.vocab {
            // Added tokens may be in the list too, and are not written by the table.
            if !added.contains_key(id) {
                let bytes = text.chars().map(byte).collect::<Option<_>>();
                place(
                    *id,
                    bytes
                        .ok_or_else(|| wrong("bytes as GPT-2 writes them", format!("{text:?}")))?,
                )?;
            }
        }
        for (id, added) in added {
            place(id, if added.special { Vec::new() } else { added.content.clone().into_bytes() })?;
        }
        Self::new(tokens)
    }
}

/// The byte that a character stands for. Those that are printable in Latin-1 stand for themselves;
/// the others, in order, follow U+00FF.
pub fn byte(c: char) -> Option<u8> {
    let code = u32::from(c);
    let byte = match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The characters of all bytes, in the order of bytes, as GPT-2's own program makes them.
    fn table() -> Vec<char> {
        let printable = |b: &u32| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let mut next = 0x100;
        let mut character = |b: u32| {
            let code = if printable(&b) { b } else { next };
            next += u32::from(!printable(&b));
            char::from_u32(code).unwrap()
        };
        (0..256).map(&mut character).collect()
    }

    fn file(first: usize, others: &str, added: &str) -> Vec<u8> {
        let vocab: HashMap<String, usize> =
            table().iter().map(|c| c.to_string()).zip(first..).collect();
        let vocab = serde_json::to_string(&vocab).unwrap();
        let vocab = vocab.trim_end_matches('}');
        format!(
            r#"{{"model": {{"type": "BPE", "vocab": {vocab}{others}}}, "merges": []}},
                "added_tokens": [{added}]}}"#
        )
        .into_bytes()
    }

    #[test]
    fn the_table_is_a_bijection() {
        let table = table();
        assert_eq!(
            (table[0], table[0x20], table[0x7f], table[0xad], table[0xff]),
            ('Ā', 'Ġ', 'ġ', 'Ń', 'ÿ')
        );
        assert!(table.iter().enumerate().all(|(b, c)| byte(*c) == Some(b as u8)));
        assert_eq!([' ', '\u{a0}', '\u{144}', '€'].map(byte), [None; 4]);
    }

    #[test]
    fn tokens_are_bytes() {
        let others = r#", "Ġthe": 258, "Ã¤": 259, "Ġ": 33, "<|end|>": 0"#;
        let added = r#"{"id": 0, "content": "<|end|>", "special": true},
            {"id": 260, "content": " ä ", "special": false}"#;
        let vocabulary = Vocabulary::parse_byte_level(&file(1, others, added), 264).unwrap();
        let tokens = [0, 1, 33, 256, 258, 259, 260, 263].map(|t| vocabulary.token(t));
        assert_eq!(
            tokens,
            [&b""[..], b"\0", b" ", b"\xff", b" the", "ä".as_bytes(), " ä ".as_bytes(), b""]
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let refused =
            |file: &[u8]| Vocabulary::parse_byte_level(file, 264).unwrap_err().to_string();
        for (others, added, words) in [
            (r#", "a b": 258"#, "", "as GPT-2 writes them"),
            (r#", "ab": 264"#, "", "id 264"),
            ("", r#"{"id": 999, "content": "x"}"#, "id 999"),
            (r#", "ab": -1"#, "", "model.vocab"),
        ] {
            let error = refused(&file(1, others, added));
            assert!(error.contains(words), "{error}");
        }
        assert!(refused(b"{}").contains("model.vocab"));
        assert!(refused(&file(9, "", "")).contains("id 264"));
        assert!(Vocabulary::parse_byte_level(br#"{"model": {"vocab": {}}}"#, 264).is_err());
    }
}
