//! The vocabulary in a GGUF file, as the `tokenizer.json` that it was made of.
//!
//! Of byte-level BPE the file has the tokens and the merges, and a name for the way in which text
//! is cut into words. Of SentencePiece it has tokens and scores; a merge is everything that makes a
//! token of two others, the best score first, as `transformers` converts such vocabularies.

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use lmz::lm::file::most;
use lmz::vocab::{LONGEST_TOKEN, MOST_BYTES};

use super::GgufError;
use super::header::{Value, brief};

/// The most tokens, and bytes of all of them: twice what Gemma 3 has, and what a vocabulary can
/// have in the longest spelling.
const TOKENS: usize = 1 << 19;
const BYTES: usize = 3 * MOST_BYTES;

/// What a token is, by the numbers in `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Unknown,
    Control,
    User,
    Unused,
    Byte,
}

/// How text is cut into words before it is cut into tokens: the pre-tokenizers of the models'
/// own `tokenizer.json`, by the names that llama.cpp has for them.
const WORDS: [(&str, Words); 7] = [
    ("default", Words::Gpt2),
    ("gpt-2", Words::Gpt2),
    ("smollm", Words::Digits),
    ("llama-bpe", Words::Llama3),
    ("llama3", Words::Llama3),
    ("llama-v3", Words::Llama3),
    ("qwen2", Words::Qwen2),
];

/// The ways that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Gpt2,
    /// As GPT-2, but each digit is a word.
    Digits,
    Llama3,
    Qwen2,
}

/// What Llama 3 and Qwen 2 take for a word, but for numbers, which are between these two parts.
const BEFORE_NUMBERS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|";
const BEHIND_NUMBERS: &str = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Words {
    fn json(self) -> Json {
        let bytes = |use_regex: bool| {
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                "use_regex": use_regex})
        };
        let split = |numbers: &str| {
            let regex = format!("{BEFORE_NUMBERS}{numbers}{BEHIND_NUMBERS}");
            json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated",
                "invert": false})
        };
        let first = match self {
            Self::Gpt2 => return bytes(true),
            Self::Digits => json!({"type": "Digits", "individual_digits": true}),
            Self::Llama3 => split(r"\p{N}{1,3}"),
            Self::Qwen2 => split(r"\p{N}"),
        };
        json!({"type": "Sequence", "pretokenizers": [first, bytes(self == Self::Digits)]})
    }
}

/// `tokenizer.json`.
#[derive(Serialize)]
struct File<'a> {
    version: &'static str,
    truncation: Option<()>,
    padding: Option<()>,
    added_tokens: Vec<Added<'a>>,
    normalizer: Json,
    pre_tokenizer: Json,
    post_processor: Option<()>,
    decoder: Json,
    model: Bpe<'a>,
}

#[derive(Serialize)]
struct Added<'a> {
    id: usize,
    content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

#[derive(Serialize)]
struct Bpe<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    dropout: Option<()>,
    unk_token: Option<&'a str>,
    continuing_subword_prefix: Option<()>,
    end_of_word_suffix: Option<()>,
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    vocab: Vocab<'a>,
    merges: Vec<(&'a str, &'a str)>,
}

/// Tokens by their numbers.
struct Vocab<'a>(BTreeMap<usize, &'a str>);

impl Serialize for Vocab<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, token)| (token, id)))
    }
}

/// The file that a vocabulary was made of.
pub fn json(values: &HashMap<String, Value>) -> Result<Vec<u8>, GgufError> {
    let fields = Fields(values);
    let tokens = fields.tokens()?;
    let file = match fields.text("model") {
        Some("gpt2") => byte_level(&fields, &tokens)?,
        Some("llama") => pieces(&fields, &tokens)?,
        found => {
            return wrong(format!(
                "expected tokenizer.ggml.model to be gpt2 (byte-level BPE) or llama \
                (SentencePiece), found {}; use another model",
                brief(found.unwrap_or("none"))
            ));
        }
    };
    let out = serde_json::to_vec(&file).map_err(|e| GgufError::Tokenizer(e.to_string()))?;
    match out.len() as u64 <= most::WORDS {
        true => Ok(out),
        false => wrong(format!(
            "expected what comes to a tokenizer.json of at most {} bytes, found {}",
            most::WORDS,
            out.len()
        )),
    }
}

/// The vocabulary of a model with byte-level BPE.
fn byte_level<'a>(
    fields: &Fields<'a>,
    tokens: &'a [(String, Kind)],
) -> Result<File<'a>, GgufError> {
    let name = fields.text("pre").unwrap_or("default");
    let Some((_, words)) = WORDS.into_iter().find(|(known, _)| *known == name) else {
        return wrong(format!(
            "expected tokenizer.ggml.pre to be one of {}, found {}; use another model",
            WORDS.map(|(known, _)| known).join(", "),
            brief(name)
        ));
    };
    // Numbers that llama.cpp fills up to the embedding's size are no tokens.
    let vocab = vocabulary(tokens, |kind| kind != Kind::Unused)?;
    let mut merges = Vec::new();
    for merge in fields.array("merges")? {
        let both = match merge {
            Value::Text(merge) => merge.split_once(' '),
            _ => None,
        };
        match both.filter(|(left, right)| vocab.contains_key(left) && vocab.contains_key(right)) {
            Some(both) => merges.push(both),
            None => {
                return wrong(format!(
                    "expected merges of two tokens with a space between, found {}",
                    merge.brief()
                ));
            }
        }
    }
    let mut decoder = json!({"type": "ByteLevel"});
    for field in ["add_prefix_space", "trim_offsets", "use_regex"] {
        decoder[field] = true.into();
    }
    Ok(File {
        normalizer: if words == Words::Qwen2 { json!({"type": "NFC"}) } else { Json::Null },
        pre_tokenizer: words.json(),
        decoder,
        model: Bpe {
            // A word that is a token is one, whether merges make it or not.
            ignore_merges: words == Words::Llama3,
            ..Bpe::new(&vocab, merges)
        },
        ..File::new(tokens)
    })
}

/// The vocabulary of a model with SentencePiece.
fn pieces<'a>(fields: &Fields<'a>, tokens: &'a [(String, Kind)]) -> Result<File<'a>, GgufError> {
    let scores: Vec<f32> = fields
        .array("scores")?
        .iter()
        .map(|score| match score {
            // Also where the best score is -0, which is to be no less than 0.
            Value::F32(score) if *score == 0.0 => Ok(0.0),
            Value::F32(score) if score.is_finite() => Ok(*score),
            found => wrong(format!("expected finite scores of F32, found {}", found.brief())),
        })
        .collect::<Result<_, _>>()?;
    if scores.len() != tokens.len() {
        return wrong(format!(
            "expected a score for each of {} tokens, found {}",
            tokens.len(),
            scores.len()
        ));
    }
    let vocab = vocabulary(tokens, |_| true)?;
    let mut merges: Vec<(f32, &str, &str)> = Vec::new();
    let mut bytes = 0;
    for ((piece, kind), score) in tokens.iter().zip(scores) {
        // What a user defined was given the score 0 when it was trained; llama.cpp says -1000.
        let score = match kind {
            Kind::Normal => score,
            Kind::User => 0.0,
            Kind::Unknown | Kind::Control | Kind::Unused | Kind::Byte => continue,
        };
        // A longer one is no token of a vocabulary, and trying all its cuts would take long.
        if piece.len() > LONGEST_TOKEN {
            continue;
        }
        let begin = merges.len();
        for (cut, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(cut);
            if vocab.contains_key(left) && vocab.contains_key(right) {
                // As it is written: `["LEFT","RIGHT"],`.
                bytes += piece.len() as u64 + 8;
                merges.push((score, left, right));
            }
        }
        if bytes > most::WORDS {
            return wrong(format!("expected merges of at most {} bytes, found more", most::WORDS));
        }
        merges[begin..].sort_by_key(|(_, left, right)| (vocab[left], vocab[right]));
    }
    // Of equal scores in the order of the tokens.
    merges.sort_by(|a, b| b.0.total_cmp(&a.0));
    let prefix = fields.flag("add_space_prefix").unwrap_or(true);
    let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let unknown = fields
        .number("unknown_token_id")
        .and_then(|id| tokens.get(usize::try_from(id).ok()?))
        .or_else(|| tokens.iter().find(|(_, kind)| *kind == Kind::Unknown));
    Ok(File {
        normalizer: match prefix {
            true => json!({"type": "Sequence",
                "normalizers": [{"type": "Prepend", "prepend": "▁"}, spaces]}),
            false => spaces,
        },
        decoder: json!({"type": "Sequence", "decoders": decoders}),
        model: Bpe {
            unk_token: unknown.map(|(token, _)| &token[..]).filter(|token| !token.is_empty()),
            fuse_unk: true,
            byte_fallback: true,
            ..Bpe::new(&vocab, merges.into_iter().map(|(_, left, right)| (left, right)).collect())
        },
        ..File::new(tokens)
    })
}

impl<'a> File<'a> {
    /// What both kinds have, with the tokens that are looked for in text before anything else.
    fn new(tokens: &'a [(String, Kind)]) -> Self {
        let added = tokens.iter().enumerate().filter(|(_, (token, _))| !token.is_empty());
        let added = added.filter_map(|(id, (content, kind))| {
            let special = match kind {
                Kind::Control | Kind::Unknown => true,
                Kind::User => false,
                Kind::Normal | Kind::Unused | Kind::Byte => return None,
            };
            let (single_word, lstrip, rstrip, normalized) = (false, false, false, false);
            Some(Added { id, content, single_word, lstrip, rstrip, normalized, special })
        });
        Self {
            version: "1.0",
            truncation: None,
            padding: None,
            added_tokens: added.collect(),
            normalizer: Json::Null,
            pre_tokenizer: Json::Null,
            post_processor: None,
            decoder: Json::Null,
            model: Bpe::new(&HashMap::new(), Vec::new()),
        }
    }
}

impl<'a> Bpe<'a> {
    fn new(vocab: &HashMap<&'a str, usize>, merges: Vec<(&'a str, &'a str)>) -> Self {
        Self {
            kind: "BPE",
            dropout: None,
            unk_token: None,
            continuing_subword_prefix: None,
            end_of_word_suffix: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab: Vocab(vocab.iter().map(|(token, id)| (*id, *token)).collect()),
            merges,
        }
    }
}

/// The numbers of the tokens of some kinds.
fn vocabulary(
    tokens: &[(String, Kind)],
    with: impl Fn(Kind) -> bool,
) -> Result<HashMap<&str, usize>, GgufError> {
    let mut out = HashMap::with_capacity(tokens.len());
    for (id, (token, kind)) in tokens.iter().enumerate() {
        if token.is_empty() || !with(*kind) {
            continue;
        }
        if let Some(other) = out.insert(&token[..], id) {
            let token = brief(token);
            return wrong(format!("expected each token once, found {token} as {other} and {id}"));
        }
    }
    Ok(out)
}

/// The values `tokenizer.ggml.*`.
struct Fields<'a>(&'a HashMap<String, Value>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(&format!("tokenizer.ggml.{name}"))
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Unsigned(n)) => Some(*n),
            Some(Value::Signed(n)) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    fn array(&self, name: &str) -> Result<&'a [Value], GgufError> {
        match self.get(name) {
            Some(Value::Array(values)) => Ok(values),
            found => wrong(format!(
                "expected an array tokenizer.ggml.{name}, found {}",
                found.map_or_else(|| "none".into(), Value::brief)
            )),
        }
    }

    /// The tokens as the hub has them, each with its kind.
    fn tokens(&self) -> Result<Vec<(String, Kind)>, GgufError> {
        let (tokens, kinds) = (self.array("tokens")?, self.array("token_type")?);
        if tokens.len() != kinds.len() || tokens.len() > TOKENS {
            return wrong(format!(
                "expected at most {TOKENS} tokens, and a type for each, found {} and {}",
                tokens.len(),
                kinds.len()
            ));
        }
        let pieces = self.text("model") == Some("llama");
        let token = |(id, (token, kind)): (usize, (&Value, &Value))| {
            let Value::Text(token) = token else {
                return wrong(format!("expected the token {id} to be text, found another value"));
            };
            let kind = match kind {
                Value::Signed(1) | Value::Unsigned(1) => Kind::Normal,
                Value::Signed(2) | Value::Unsigned(2) => Kind::Unknown,
                Value::Signed(3) | Value::Unsigned(3) => Kind::Control,
                Value::Signed(4) | Value::Unsigned(4) => Kind::User,
                Value::Signed(5) | Value::Unsigned(5) => Kind::Unused,
                Value::Signed(6) | Value::Unsigned(6) => Kind::Byte,
                found => {
                    return wrong(format!(
                        "expected the token {id} to be of a type from 1 to 6, found {}",
                        found.brief()
                    ));
                }
            };
            // The conversion spells out the runs of spaces that SentencePiece has as tokens.
            let spelt = pieces && kind == Kind::User;
            Ok((if spelt { token.replace(' ', "▁") } else { token.clone() }, kind))
        };
        let out: Vec<_> =
            tokens.iter().zip(kinds).enumerate().map(token).collect::<Result<_, _>>()?;
        let bytes: usize = out.iter().map(|(token, _)| token.len()).sum();
        match bytes <= BYTES {
            true => Ok(out),
            false => wrong(format!("expected tokens of {BYTES} bytes at most, found {bytes}")),
        }
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, GgufError> {
    Err(GgufError::Tokenizer(what.into()))
}
