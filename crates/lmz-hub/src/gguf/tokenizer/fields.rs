//! What a GGUF file says of its vocabulary.

use std::collections::HashMap;

use lmz::vocab::MOST_BYTES;

use super::super::GgufError;
use super::super::header::Value;
use super::wrong;

/// The most tokens, and bytes of all of them: twice what Gemma 3 has, and what a vocabulary can
/// have in the longest spelling.
const TOKENS: usize = 1 << 19;
const BYTES: usize = 3 * MOST_BYTES;

/// What a token is, by the numbers in `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Normal,
    Unknown,
    Control,
    User,
    Unused,
    Byte,
}

/// The values `tokenizer.ggml.*`.
pub struct Fields<'a>(pub &'a HashMap<String, Value>);

impl<'a> Fields<'a> {
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(&format!("tokenizer.ggml.{name}"))
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Unsigned(n)) => Some(*n),
            Some(Value::Signed(n)) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    pub fn array(&self, name: &str) -> Result<&'a [Value], GgufError> {
        match self.get(name) {
            Some(Value::Array(values)) => Ok(values),
            found => wrong(format!(
                "expected an array tokenizer.ggml.{name}, found {}",
                found.map_or_else(|| "none".into(), Value::brief)
            )),
        }
    }

    /// The tokens as the hub has them, each with its kind.
    pub fn tokens(&self) -> Result<Vec<(String, Kind)>, GgufError> {
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
