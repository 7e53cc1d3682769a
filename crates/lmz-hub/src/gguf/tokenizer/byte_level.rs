//! Byte-level BPE, with the ways to cut text into words.

use serde_json::{Value as Json, json};

use super::super::GgufError;
use super::super::header::{Value, brief};
use super::{Bpe, Fields, File, Kind, vocabulary, wrong};

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

/// The vocabulary of a model with byte-level BPE.
pub fn byte_level<'a>(
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
