//! The names that tensors have in the layouts in which checkpoints are published.

/// Whose names the tensors have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The reference code's: those of the engine, with low-rank matrices `[inputs][outputs]`.
    Reference,
    /// The names of `transformers`.
    Transformers,
}

/// A tensor in a checkpoint: its name, and whether it is `[inputs][outputs]`.
pub struct Place {
    pub name: String,
    pub transposed: bool,
}

impl Layout {
    /// Where the engine's matrix or vector of this name is.
    pub fn place(self, name: &str) -> Place {
        let low_rank =
            |part: &str| matches!(part, "w1" | "w2" | "a1" | "a2" | "v1" | "v2" | "g1" | "g2");
        let part = name.rsplit('.').next().unwrap_or(name);
        let plain = |name: String| Place { name, transposed: false };
        if self == Self::Reference {
            return match part {
                _ if low_rank(part) => Place { name: name.to_owned(), transposed: true },
                "emb" | "head" | "receptance" | "key" | "value" | "output" => {
                    plain(format!("{name}.weight"))
                }
                _ => plain(name.to_owned()),
            };
        }
        let Some((layer, rest)) =
            name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'))
        else {
            return plain(match name {
                "emb" => "model.embeddings.weight".to_owned(),
                "head" => "lm_head.weight".to_owned(),
                _ => name.replace("ln_out", "model.norm"),
            });
        };
        let of_layer = |rest: String| plain(format!("model.layers.{layer}.{rest}"));
        if let Some(part) = rest.strip_prefix("att.") {
            let lora = |suffix: &str| of_layer(format!("attn.{}_lora.lora.{suffix}", &part[..1]));
            return match part {
                "w1" | "a1" | "v1" | "g1" => lora("0.weight"),
                "w2" | "a2" | "v2" | "g2" => lora("2.weight"),
                "w0" | "a0" | "v0" => lora("2.bias"),
                "receptance" => of_layer("attn.r_proj.weight".into()),
                "key" => of_layer("attn.k_proj.weight".into()),
                "value" => of_layer("attn.v_proj.weight".into()),
                "output" => of_layer("attn.o_proj.weight".into()),
                _ => of_layer(format!("attn.{}", part.replace("ln_x", "g_norm"))),
            };
        }
        of_layer(match rest {
            "ffn.key" | "ffn.value" => format!("{rest}.weight"),
            _ => rest
                .replace("ln0", "pre_norm")
                .replace("ln1", "attn_norm")
                .replace("ln2", "ffn_norm"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tensor_has_its_place_in_both_layouts() {
        let place = |layout: Layout, name| {
            let Place { name, transposed } = layout.place(name);
            (name, transposed)
        };
        for (name, reference, transposed, transformers) in [
            ("emb", "emb.weight", false, "model.embeddings.weight"),
            ("head", "head.weight", false, "lm_head.weight"),
            ("ln_out.bias", "ln_out.bias", false, "model.norm.bias"),
            ("blocks.0.ln0.weight", "blocks.0.ln0.weight", false, "model.layers.0.pre_norm.weight"),
            (
                "blocks.3.ln1.weight",
                "blocks.3.ln1.weight",
                false,
                "model.layers.3.attn_norm.weight",
            ),
            ("blocks.3.ln2.bias", "blocks.3.ln2.bias", false, "model.layers.3.ffn_norm.bias"),
            (
                "blocks.3.att.w1",
                "blocks.3.att.w1",
                true,
                "model.layers.3.attn.w_lora.lora.0.weight",
            ),
            (
                "blocks.3.att.g2",
                "blocks.3.att.g2",
                true,
                "model.layers.3.attn.g_lora.lora.2.weight",
            ),
            ("blocks.3.att.v0", "blocks.3.att.v0", false, "model.layers.3.attn.v_lora.lora.2.bias"),
            ("blocks.3.att.x_g", "blocks.3.att.x_g", false, "model.layers.3.attn.x_g"),
            ("blocks.3.att.r_k", "blocks.3.att.r_k", false, "model.layers.3.attn.r_k"),
            (
                "blocks.3.att.output",
                "blocks.3.att.output.weight",
                false,
                "model.layers.3.attn.o_proj.weight",
            ),
            (
                "blocks.3.att.ln_x.bias",
                "blocks.3.att.ln_x.bias",
                false,
                "model.layers.3.attn.g_norm.bias",
            ),
            ("blocks.3.ffn.x_k", "blocks.3.ffn.x_k", false, "model.layers.3.ffn.x_k"),
            (
                "blocks.3.ffn.value",
                "blocks.3.ffn.value.weight",
                false,
                "model.layers.3.ffn.value.weight",
            ),
        ] {
            assert_eq!(
                place(Layout::Reference, name),
                (reference.to_owned(), transposed),
                "{name}"
            );
            assert_eq!(
                place(Layout::Transformers, name),
                (transformers.to_owned(), false),
                "{name}"
            );
        }
    }
}
