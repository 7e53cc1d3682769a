//! Vocabularies of SentencePiece: a merge is everything that makes a token of two others.

use serde_json::json;

use lmz::lm::file::most;
use lmz::vocab::LONGEST_TOKEN;

use super::super::GgufError;
use super::super::header::Value;
use super::{Bpe, Fields, File, Kind, vocabulary, wrong};

/// The vocabulary of a model with SentencePiece.
pub fn pieces<'a>(
    fields: &Fields<'a>,
    tokens: &'a [(String, Kind)],
) -> Result<File<'a>, GgufError> {
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
