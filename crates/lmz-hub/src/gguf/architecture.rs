//! The architectures that are known, and how the conversion to GGUF (`convert_hf_to_gguf.py` of
//! llama.cpp) names and changes their tensors.

use std::io;
use std::ops::Range;

use super::GgufError;
use super::config::Heads;

/// The architectures, as llama.cpp calls them.
pub const ARCHITECTURES: [&str; 6] = ["llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"];

/// An architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
    Gemma,
    Gemma2,
    Gemma3,
}

const ALL: [Architecture; 6] = [
    Architecture::Llama,
    Architecture::Qwen2,
    Architecture::Qwen3,
    Architecture::Gemma,
    Architecture::Gemma2,
    Architecture::Gemma3,
];

/// What the conversion did to a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Nothing,
    /// The rows of each head, of which the first half turns with the second one, were put in pairs:
    /// row `i` of half `t` became row `2 i + t`.
    Halves {
        heads: usize,
    },
    /// Gemma multiplies with a weight and 1; the 1 was added to the weight.
    One,
}

/// Names of a layer's tensors, in GGUF files and on the hub.
const LAYER: [(&str, &str); 8] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];
/// Of architectures that norm queries and keys.
const NORMED: [(&str, &str); 2] =
    [("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")];
/// The norm before the second part of a layer, of those that have none behind it.
const BEFORE: [(&str, &str); 1] = [("ffn_norm", "post_attention_layernorm")];
/// The norms of those that have.
const AROUND: [(&str, &str); 3] = [
    ("post_attention_norm", "post_attention_layernorm"),
    ("ffn_norm", "pre_feedforward_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];

impl Architecture {
    pub fn of(name: &str) -> Result<Self, GgufError> {
        let found = ALL.into_iter().find(|architecture| architecture.name() == name);
        found.ok_or_else(|| GgufError::Architecture { found: name.to_owned() })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma => "gemma",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3",
        }
    }

    /// The class and the type in `config.json`.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Llama => ("LlamaForCausalLM", "llama"),
            Self::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
            Self::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
            Self::Gemma => ("GemmaForCausalLM", "gemma"),
            Self::Gemma2 => ("Gemma2ForCausalLM", "gemma2"),
            Self::Gemma3 => ("Gemma3ForCausalLM", "gemma3_text"),
        }
    }

    pub fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma | Self::Gemma2 | Self::Gemma3)
    }

    /// The name on the hub of a tensor, if a model of this architecture has one of this name.
    pub fn tensor(self, name: &str) -> Option<String> {
        let of_all = match name {
            "token_embd.weight" => Some("model.embed_tokens.weight"),
            "output_norm.weight" => Some("model.norm.weight"),
            "output.weight" => Some("lm_head.weight"),
            _ => None,
        };
        if let Some(name) = of_all {
            return Some(name.to_owned());
        }
        let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
        let number: u32 = layer.parse().ok()?;
        let (part, kind) = rest.rsplit_once('.')?;
        // Each name in one way alone.
        if number.to_string() != layer || !matches!(kind, "weight" | "bias") {
            return None;
        }
        let normed: &[_] = if matches!(self, Self::Qwen3 | Self::Gemma3) { &NORMED } else { &[] };
        let norms: &[_] =
            if matches!(self, Self::Gemma2 | Self::Gemma3) { &AROUND } else { &BEFORE };
        let mut all = LAYER.iter().chain(normed).chain(norms);
        let (_, part) = all.find(|(known, _)| *known == part)?;
        Some(format!("model.layers.{number}.{part}.{kind}"))
    }

    /// What the conversion did to a tensor with this name on the hub.
    pub fn change(self, name: &str, heads: &Heads) -> Change {
        let ends = |part: &str| {
            let name = name.strip_suffix(".weight").or(name.strip_suffix(".bias"));
            name.is_some_and(|name| name.ends_with(part))
        };
        match self {
            Self::Llama if ends("q_proj") => Change::Halves { heads: heads.queries },
            Self::Llama if ends("k_proj") => Change::Halves { heads: heads.keys },
            _ if self.is_gemma() && name.ends_with("norm.weight") => Change::One,
            _ => Change::Nothing,
        }
    }
}

impl Change {
    /// The rows, of so many, that must be known to undo it in some of them, and how it is undone in
    /// these.
    pub fn around(self, rows: &Range<usize>, height: usize) -> (Range<usize>, Self) {
        match self {
            Self::Halves { heads } => {
                let size = height / heads;
                let (begin, end) = (rows.start / size, rows.end.div_ceil(size));
                (begin * size..end * size, Self::Halves { heads: end - begin })
            }
            Self::Nothing | Self::One => (rows.clone(), self),
        }
    }

    /// The numbers of a tensor with so many rows as they were before the conversion.
    #[allow(clippy::float_arithmetic, reason = "runs inside of the gate")]
    pub fn undo(self, mut numbers: Vec<f32>, rows: usize) -> io::Result<Vec<f32>> {
        match self {
            Self::Nothing => Ok(numbers),
            Self::One => {
                numbers.iter_mut().for_each(|x| *x -= 1.0);
                Ok(numbers)
            }
            Self::Halves { .. } if rows == 0 => Ok(numbers),
            Self::Halves { heads } => {
                let (columns, size) = (numbers.len() / rows, rows / heads);
                let mut out = Vec::new();
                out.try_reserve_exact(numbers.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
                for head in numbers.chunks_exact(size * columns) {
                    for half in 0..2 {
                        for i in 0..size / 2 {
                            out.extend_from_slice(&head[(2 * i + half) * columns..][..columns]);
                        }
                    }
                }
                Ok(out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_have_the_names_of_the_hub() {
        for (architecture, name, expected) in [
            (Architecture::Llama, "output.weight", Some("lm_head.weight")),
            (
                Architecture::Llama,
                "blk.31.attn_q.bias",
                Some("model.layers.31.self_attn.q_proj.bias"),
            ),
            (
                Architecture::Qwen3,
                "blk.0.attn_k_norm.weight",
                Some("model.layers.0.self_attn.k_norm.weight"),
            ),
            (
                Architecture::Gemma,
                "blk.0.ffn_norm.weight",
                Some("model.layers.0.post_attention_layernorm.weight"),
            ),
            (
                Architecture::Gemma2,
                "blk.0.ffn_norm.weight",
                Some("model.layers.0.pre_feedforward_layernorm.weight"),
            ),
            (Architecture::Qwen2, "blk.0.attn_k_norm.weight", None),
            (Architecture::Llama, "blk.0.post_ffw_norm.weight", None),
            (Architecture::Llama, "blk.0.ffn_gate_exps.weight", None),
            (Architecture::Llama, "blk.00.attn_q.weight", None),
            (Architecture::Llama, "blk.+1.attn_q.weight", None),
            (Architecture::Llama, "blk.0.attn_q.scale", None),
            (Architecture::Llama, "blk.attn_q.weight", None),
            (Architecture::Llama, "", None),
        ] {
            assert_eq!(architecture.tensor(name).as_deref(), expected, "{architecture:?} {name}");
        }
        assert_eq!(ALL.map(Architecture::name), ARCHITECTURES);
    }

    #[test]
    fn rows_come_back_in_halves() {
        // Two heads of four rows with two columns, each number its row on the hub.
        let before: Vec<f32> = (0..16u8).map(|i| f32::from(i / 2)).collect();
        let pairs = [0, 2, 1, 3, 4, 6, 5, 7].map(|row| [f32::from(row as u8); 2]).concat();
        assert_eq!(Change::Halves { heads: 2 }.undo(pairs, 8).unwrap(), before);
        for (rows, whole, heads) in [(1..3, 0..4, 1), (3..5, 0..8, 2), (4..8, 4..8, 1)] {
            let around = Change::Halves { heads: 2 }.around(&rows, 8);
            assert_eq!(around, (whole, Change::Halves { heads }));
        }
        assert_eq!(Change::One.undo(vec![1.5, 1.0], 2).unwrap(), [0.5, 0.0]);
    }
}
