//! Vocabularies of the Hugging Face hub: `tokenizer.json` as byte strings, and text cut as its
//! tokenizer cuts it.
//!
//! Two kinds are known: byte-level BPE, whose strings spell bytes by letters of their own, and
//! those of SentencePiece, with `▁` for a space and `<0xNN>` for bytes. The tokens that can occur
//! in text get numbers of their own ([`Token`]), so that of ids with equal bytes an ordinary token
//! comes before a byte of last resort; `id` says what the model calls them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::{Model, Tokenizer};

use lmz::vocab::{LONGEST_TOKEN, Token, Vocabulary, VocabularyError};

/// Longest text that the tokenizer gets at once, in bytes.
const PIECE: usize = 1 << 20;

/// Why `tokenizer.json` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    #[error("{0}")]
    Parse(String),
    #[error(
        "expected byte-level BPE, or a SentencePiece vocabulary (with the decoder Replace, \
        Metaspace or ByteFallback), found a \
         model of type {found} without either"
    )]
    Kind { found: String },
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
}

/// How many times as long normalising may make a text: a space becomes three bytes, in one or two
/// ways.
const GROWTH: u64 = 64;

/// A vocabulary of the hub with its tokenizer.
#[derive(Debug)]
pub struct HubVocabulary {
    vocabulary: Arc<Vocabulary>,
    /// What the model calls each token; of bytes that it lacks nothing.
    ids: Vec<Option<u32>>,
    /// The token of each of the model's ids; nothing where it cannot occur in text.
    tokens: Vec<Option<Token>>,
    tokenizer: Tokenizer,
    /// Bytes that the model lacks.
    added: Vec<u8>,
}

impl HubVocabulary {
    /// Parses `tokenizer.json` for a model with so many logits. `special`: ids that do not occur in
    /// text, whatever the file says.
    pub fn parse(json: &[u8], logits: usize, special: &[u32]) -> Result<Self, TokenizerError> {
        Self::parse_as(json, logits, special, false)
    }

    /// As [`parse`](Self::parse); `literal`: added tokens stand for their strings as the file has
    /// them, as releases up to 1.0.1 took them, whose archives were made so.
    pub(crate) fn parse_as(
        json: &[u8],
        logits: usize,
        special: &[u32],
        literal: bool,
    ) -> Result<Self, TokenizerError> {
        let parse = |e: &dyn std::fmt::Display| TokenizerError::Parse(e.to_string());
        let stated: Stated = serde_json::from_slice(json).map_err(|e| parse(&e))?;
        let growth = growth(&stated.normalizer).saturating_mul(growth(&stated.pre_tokenizer));
        if growth > GROWTH {
            return Err(TokenizerError::Parse(format!(
                "expected a normaliser that makes a text at most {GROWTH} times as long, found \
                one of {growth} times"
            )));
        }
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(|e| parse(&e))?;
        // Special tokens that are spelt out in a text are text.
        tokenizer.set_encode_special_tokens(true);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| parse(&e))?;
        let spelling = Spelling::of(&stated)?;
        let added = tokenizer.get_added_tokens_decoder();
        let model = tokenizer.get_model();
        let mut strings: Vec<(bool, u32, Vec<u8>)> = Vec::new();
        for (string, id) in tokenizer.get_vocab(true) {
            if id as usize >= logits || special.contains(&id) {
                continue;
            }
            let (last_resort, bytes) = match added.get(&id) {
                Some(token) if token.special => continue,
                Some(token) => {
                    let normalized = token.normalized || model.token_to_id(&string).is_some();
                    let normalized = normalized && !literal;
                    (false, Some(spelling.added(&token.content, normalized)))
                }
                None => spelling.bytes(&string),
            };
            if let Some(bytes) = bytes.filter(|b| (1..=LONGEST_TOKEN).contains(&b.len())) {
                strings.push((last_resort, id, bytes));
            }
        }
        strings.sort_unstable();
        let mut there = [false; 256];
        for (_, _, bytes) in &strings {
            if let [byte] = bytes[..] {
                there[usize::from(byte)] = true;
            }
        }
        let lacking: Vec<u8> = (0..=255).filter(|byte| !there[usize::from(*byte)]).collect();
        // Token 0 begins a document.
        let all = std::iter::once(&[][..]).chain(strings.iter().map(|(_, _, bytes)| &bytes[..]));
        let vocabulary = Arc::new(Vocabulary::new(all.chain(lacking.chunks(1)))?);
        let mut ids = vec![None];
        let mut tokens = vec![None; logits];
        for (token, (_, id, _)) in (1..).zip(&strings) {
            ids.push(Some(*id));
            tokens[*id as usize] = Some(token);
        }
        ids.resize(vocabulary.len(), None);
        Ok(Self { vocabulary, ids, tokens, tokenizer, added: lacking })
    }

    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The vocabulary, to be held elsewhere too.
    pub fn shared(&self) -> Arc<Vocabulary> {
        Arc::clone(&self.vocabulary)
    }

    /// What the model calls a token; nothing for token 0 and bytes that it lacks.
    pub fn id(&self, token: Token) -> Option<u32> {
        self.ids[token as usize]
    }

    /// The id of a token that does not occur in text.
    pub fn special(&self, string: &str) -> Option<u32> {
        let id = self.tokenizer.token_to_id(string)?;
        let is_token = self.tokens.get(id as usize).is_some_and(Option::is_none);
        is_token.then_some(id)
    }

    /// The single bytes that the model lacks, which have the least frequency there is.
    pub fn added(&self) -> &[u8] {
        &self.added
    }

    /// Tokens of a text whose bytes, joined, are the text: the tokenizer's own, as far as they
    /// spell it byte for byte, and greedy ones where they do not or where the text is not UTF-8.
    pub fn segment(&self, text: &[u8]) -> Vec<Token> {
        let mut out = Vec::with_capacity(text.len() / 3);
        for chunk in text.utf8_chunks() {
            let mut rest = chunk.valid();
            while !rest.is_empty() {
                let piece;
                (piece, rest) = rest.split_at(end_of_piece(rest));
                self.segment_piece(piece, &mut out);
            }
            out.extend(self.vocabulary.segment(chunk.invalid()));
        }
        out
    }

    fn segment_piece(&self, text: &str, out: &mut Vec<Token>) {
        let bytes = text.as_bytes();
        let mut at = 0;
        if let Ok(encoding) = self.tokenizer.encode(text, false) {
            for (id, (begin, _)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
                let Some(token) = self.tokens.get(*id as usize).copied().flatten() else {
                    continue;
                };
                let string = self.vocabulary.token(token);
                let begin = (*begin).min(bytes.len());
                if at < begin && !bytes[at..].starts_with(string) {
                    out.extend(self.vocabulary.segment(&bytes[at..begin]));
                    at = begin;
                }
                if bytes[at..].starts_with(string) {
                    out.push(token);
                    at += string.len();
                }
            }
        }
        out.extend(self.vocabulary.segment(&bytes[at..]));
    }
}

/// Where to cut a text that is too long for the tokenizer: at a line end, if there is one.
fn end_of_piece(text: &str) -> usize {
    if text.len() <= PIECE {
        return text.len();
    }
    let end = text.floor_char_boundary(PIECE);
    text[..end].rfind('\n').map_or(end, |at| at + 1)
}

/// How strings of the file spell bytes.
enum Spelling {
    /// By a letter for each byte.
    Letters(HashMap<char, u8>),
    /// As UTF-8, with `▁` for a space; bytes as `<0xNN>`.
    Text,
}

/// What the file says of the way in which strings spell bytes. The lists of tokens and merges, most
/// of the file, are passed over.
#[derive(Deserialize)]
struct Stated {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(default)]
    model: StatedModel,
}

#[derive(Deserialize, Default)]
struct StatedModel {
    #[serde(default, rename = "type")]
    kind: Value,
    #[serde(default)]
    byte_fallback: Value,
}

impl Spelling {
    fn of(stated: &Stated) -> Result<Self, TokenizerError> {
        let decodes = |kind: &str| mentions(&stated.decoder, kind);
        if decodes("ByteLevel") || mentions(&stated.pre_tokenizer, "ByteLevel") {
            return Ok(Self::Letters(letters()));
        }
        let replaces = ["Replace", "Metaspace", "ByteFallback"].into_iter().any(decodes);
        if replaces || stated.model.byte_fallback == true {
            return Ok(Self::Text);
        }
        let found = stated.model.kind.as_str().unwrap_or("unknown").to_owned();
        Err(TokenizerError::Kind { found })
    }

    /// The bytes of a string, and whether it is a byte of last resort.
    fn bytes(&self, string: &str) -> (bool, Option<Vec<u8>>) {
        match self {
            Self::Letters(letters) => {
                (false, string.chars().map(|c| letters.get(&c).copied()).collect())
            }
            Self::Text => {
                match string.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>')) {
                    Some(digits) if digits.len() == 2 => {
                        (true, u8::from_str_radix(digits, 16).ok().map(|byte| vec![byte]))
                    }
                    _ => (false, Some(string.replace('▁', " ").into_bytes())),
                }
            }
        }
    }

    /// The bytes of an added token. `normalized`: whether the tokenizer meets it in text that is
    /// normalised, also or only, as the runs of spaces that Gemma has as `▁▁`: its own string is
    /// looked for in text as it is and found nowhere, but the model makes it of two spaces.
    fn added(&self, content: &str, normalized: bool) -> Vec<u8> {
        match self {
            Self::Text if normalized => content.replace('▁', " ").into_bytes(),
            Self::Text | Self::Letters(_) => content.as_bytes().to_vec(),
        }
    }
}

/// How many times as long a text can become by what a part of the file puts into it: by each step
/// one byte becomes that many.
fn growth(part: &Value) -> u64 {
    match part {
        Value::Object(fields) => {
            let put = ["content", "prepend"].iter().filter_map(|name| fields.get(*name)?.as_str());
            let own = put.fold(1u64, |all, text| all.saturating_mul(text.len().max(1) as u64));
            fields.values().fold(own, |all, part| all.saturating_mul(growth(part)))
        }
        Value::Array(parts) => parts.iter().fold(1, |all, part| all.saturating_mul(growth(part))),
        _ => 1,
    }
}

/// Whether a part of the file is of a type, or one of those in it.
fn mentions(part: &Value, kind: &str) -> bool {
    match part {
        Value::Object(fields) => {
            fields.get("type").and_then(Value::as_str) == Some(kind)
                || fields.values().any(|v| mentions(v, kind))
        }
        Value::Array(parts) => parts.iter().any(|v| mentions(v, kind)),
        _ => false,
    }
}

/// The letters of byte-level BPE: printable bytes stand for themselves, the others for letters from
/// U+0100 on, in order.
fn letters() -> HashMap<char, u8> {
    let mut next = 0x100;
    let letter = |byte: u8| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => (char::from(byte), byte),
        _ => {
            next += 1;
            (char::from_u32(next - 1).unwrap_or_default(), byte)
        }
    };
    (0..=255).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    fn load(name: &str) -> HubVocabulary {
        let path =
            format!("{}/../../tests/golden/hub/{name}/tokenizer.json", env!("CARGO_MANIFEST_DIR"));
        HubVocabulary::parse(&std::fs::read(path).unwrap(), 340, &[0])
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    static BYTES: LazyLock<HubVocabulary> = LazyLock::new(|| load("llama"));
    static PIECES: LazyLock<HubVocabulary> = LazyLock::new(|| load("gemma"));

    fn strings<'a>(vocabulary: &'a HubVocabulary, text: &[u8]) -> Vec<&'a [u8]> {
        vocabulary.segment(text).iter().map(|t| vocabulary.vocabulary().token(*t)).collect()
    }

    #[test]
    fn letters_spell_bytes() {
        let letters = letters();
        assert_eq!(letters.len(), 256);
        for (letter, byte) in [
            ('a', b'a'),
            ('Ġ', b' '),
            ('Ċ', b'\n'),
            ('Ā', 0),
            ('ł', 0xa0),
            ('Ń', 0xad),
            ('ÿ', 0xff),
        ] {
            assert_eq!(letters[&letter], byte);
        }
        assert!(BYTES.added().is_empty());
    }

    #[test]
    fn text_is_cut_as_the_tokenizer_cuts_it() {
        let text = "It was the best of times";
        let ids = |v: &HubVocabulary, text: &str| {
            v.tokenizer.encode(text, false).unwrap().get_ids().to_vec()
        };
        let found: Vec<u32> =
            BYTES.segment(text.as_bytes()).iter().map(|t| BYTES.id(*t).unwrap()).collect();
        assert_eq!(found, ids(&BYTES, text));
        // Behind the space that it puts in front, which is not in the text, all is as it says.
        let found: Vec<u32> =
            PIECES.segment(text.as_bytes()).iter().map(|t| PIECES.id(*t).unwrap()).collect();
        let expected = ids(&PIECES, text);
        assert!(
            found.len() > 3 && found[found.len() - 3..] == expected[expected.len() - 3..],
            "{found:?} {expected:?}"
        );
    }

    #[test]
    fn special_tokens_are_text_where_they_are_spelt_out() {
        for vocabulary in [&*BYTES, &*PIECES] {
            let text = b"<|endoftext|><bos>x<unk>";
            let found = strings(vocabulary, text);
            assert_eq!(found.concat(), text);
            assert!(found.iter().all(|string| string.len() < 6), "{found:?}");
        }
        // One that is added, and not special, is met.
        assert_eq!(strings(&BYTES, b"a    b"), [&b"a"[..], b"    ", b"b"]);
    }

    /// Gemma's runs of spaces are added tokens, and the model's too; what only was added is met as
    /// it is written.
    #[test]
    fn added_tokens_of_spaces_are_met() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/hub/gemma/tokenizer.json");
        let mut file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        // As Gemma's, without the space in front.
        file["normalizer"] = file["normalizer"]["normalizers"][1].clone();
        let size = file["model"]["vocab"].as_object().unwrap().len();
        file["model"]["vocab"]["▁▁"] = size.into();
        file["model"]["merges"].as_array_mut().unwrap().insert(0, serde_json::json!(["▁", "▁"]));
        for (id, content, normalized) in
            [(size, "▁▁", false), (size + 1, "=▁=", false), (size + 2, "+▁+", true)]
        {
            file["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({
                "id": id, "content": content, "normalized": normalized, "special": false,
                "single_word": false, "lstrip": false, "rstrip": false,
            }));
        }
        let found = HubVocabulary::parse(file.to_string().as_bytes(), size + 3, &[0]).unwrap();
        for (text, expected) in [
            ("x    x", &["x", "  ", "  ", "x"][..]),
            ("x  =▁=", &["x", "  ", "=▁="]),
            ("x  + +", &["x", "  ", "+ +"]),
        ] {
            let expected: Vec<&[u8]> = expected.iter().map(|t| t.as_bytes()).collect();
            assert_eq!(strings(&found, text.as_bytes()), expected, "{text}");
        }
        // What stands for spaces is none.
        assert_eq!(strings(&found, "▁▁".as_bytes()).concat(), "▁▁".as_bytes());
    }

    #[test]
    fn bytes_of_last_resort_come_last() {
        assert_eq!(PIECES.added(), [0xc0, 0xff]);
        // "a" is a letter of its own and one of the bytes; the letter stands for both.
        let a = PIECES.vocabulary().longest(b"a").0;
        assert_eq!(PIECES.id(a), PIECES.tokenizer.token_to_id("a"));
        let walked = PIECES.vocabulary().children(PIECES.vocabulary().root());
        let (_, node) = walked[usize::from(b'a')];
        let node = PIECES.vocabulary().node(node);
        assert_eq!((node.own, PIECES.vocabulary().sorted()[node.first as usize]), (2, a));
        // What the tokenizer has no letter for is spelt by bytes.
        assert_eq!(strings(&PIECES, "你".as_bytes()), [[0xe4u8], [0xbd], [0xa0]]);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(
            text in prop::collection::vec(prop_oneof![
                any::<Vec<u8>>(), "[ -~]{0,20}".prop_map(String::into_bytes), "\\PC{0,8}".prop_map(String::into_bytes),
                Just(b"\r\n".to_vec()), Just(b"  ".to_vec()), Just("▁e\u{301}".into()),
            ], 0..12).prop_map(|parts| parts.concat()),
        ) {
            for vocabulary in [&*BYTES, &*PIECES] {
                prop_assert_eq!(strings(vocabulary, &text).concat(), text.clone());
            }
        }
    }

    /// A chain of replacements can make a terabyte of a line.
    #[test]
    fn a_normaliser_that_makes_texts_long_is_refused() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/hub/llama/tokenizer.json");
        let mut file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let step = |to: &str| serde_json::json!({"type": "Replace", "pattern": {"String": "a"}, "content": to});
        for (steps, fits) in [
            (vec![step("▁")], true),
            (vec![step("▁"), step("b"), step("")], true),
            (vec![step(&"a".repeat(65))], false),
            (vec![step("aaaa"); 4], false),
            (vec![step("aaaa"); 200], false),
            (vec![serde_json::json!({"type": "Prepend", "prepend": "a".repeat(1000)})], false),
        ] {
            file["normalizer"] = serde_json::json!({"type": "Sequence", "normalizers": steps});
            let found = HubVocabulary::parse(file.to_string().as_bytes(), 340, &[0]);
            assert_eq!(found.is_ok(), fits, "{}", file["normalizer"]);
        }
    }

    #[test]
    fn other_kinds_are_refused() {
        let words = r#"{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
            "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
        let found = HubVocabulary::parse(words.as_bytes(), 340, &[]).err().unwrap();
        assert_eq!(found, TokenizerError::Kind { found: "WordLevel".into() });
        assert!(matches!(HubVocabulary::parse(b"{", 340, &[]), Err(TokenizerError::Parse(_))));
    }
}
