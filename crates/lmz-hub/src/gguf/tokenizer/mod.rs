//! The vocabulary in a GGUF file, as the `tokenizer.json` that it was made of.
//!
//! Of byte-level BPE the file has the tokens and the merges, and a name for the way in which text
//! is cut into words. Of SentencePiece it has tokens and scores; a merge is everything that makes a
//! token of two others, the best score first, as `transformers` converts such vocabularies.

mod byte_level;
mod fields;
mod pieces;

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use lmz::lm::file::most;

use super::GgufError;
use super::header::{Value, brief};
use byte_level::byte_level;
use fields::{Fields, Kind};
use pieces::pieces;

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

fn wrong<T>(what: impl Into<String>) -> Result<T, GgufError> {
    Err(GgufError::Tokenizer(what.into()))
}
