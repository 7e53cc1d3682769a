//! The shape of a Mamba, as `config.json` has it.

use serde::Serialize;

use super::{File, MOST, wrong};
use lmz::lm::rwkv7::ModelError;

/// Sizes of Mamba.
#[derive(Debug, Clone, Serialize)]
pub struct Mamba {
    pub vocab: usize,
    pub hidden: usize,
    pub inner: usize,
    /// Numbers of state for each inner channel.
    pub state: usize,
    /// Tokens that the convolution sees.
    pub kernel: usize,
    pub rank: usize,
    pub eps: f64,
    pub layers: usize,
}

impl File<'_> {
    /// Channels inside a Mamba, stated or as many times the others.
    fn inner(&self, hidden: usize) -> Result<usize, ModelError> {
        let inner =
            self.size_or("intermediate_size", self.size_or("expand", 2)?.saturating_mul(hidden))?;
        if inner as u64 <= MOST {
            Ok(inner)
        } else {
            wrong(format!("expected at most {MOST} inner channels, found {inner}"))
        }
    }

    pub fn mamba(&self) -> Result<Mamba, ModelError> {
        let hidden = self.size("hidden_size")?;
        let rank = hidden.div_ceil(16);
        let act = self.0["hidden_act"].as_str().unwrap_or("silu");
        let tied = self.flag("tie_word_embeddings", true);
        if act != "silu"
            || self.flag("use_bias", false)
            || !self.flag("use_conv_bias", true)
            || !tied
        {
            return wrong(
                "expected a Mamba with silu, a bias of the convolution, none of the other \
                products and tied embeddings"
                    .into(),
            );
        }
        Ok(Mamba {
            vocab: self.size("vocab_size")?,
            hidden,
            inner: self.inner(hidden)?,
            state: self.small_or("state_size", 16)?,
            kernel: self.small_or("conv_kernel", 4)?,
            rank: if self.0["time_step_rank"] == "auto" {
                rank
            } else {
                self.size_or("time_step_rank", rank)?
            },
            eps: self.number_or("layer_norm_epsilon", 1e-5)?,
            layers: self.small_or("num_hidden_layers", 32)?,
        })
    }
}
