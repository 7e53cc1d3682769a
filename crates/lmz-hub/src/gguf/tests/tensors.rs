//! Tensors of files: names, order and numbers.

use super::*;

#[test]
fn tensors_are_those_of_the_hub() {
    let file = model("llama").open().unwrap();
    assert_eq!(
        file.names(),
        [
            "model.embed_tokens.weight",
            "model.layers.0.input_layernorm.weight",
            "model.layers.0.self_attn.k_proj.bias",
            "model.layers.0.self_attn.k_proj.weight",
            "model.layers.0.self_attn.q_proj.weight",
            "model.norm.weight",
        ]
    );
    let query = "model.layers.0.self_attn.q_proj.weight";
    assert_eq!(file.shape("model.embed_tokens.weight"), Some(&[5, 8][..]));
    assert_eq!(file.describe(query), "F32 [8, 8]");
    // Each head's rows are in pairs in the file.
    let rows: Vec<f32> = floats(&file, query).iter().step_by(8).map(|x| x / 8.0).collect();
    assert_eq!(rows, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    assert_eq!(floats(&file, "model.layers.0.self_attn.k_proj.bias"), [0.0, 2.0, 1.0, 3.0]);
    assert_eq!(floats(&file, "model.norm.weight")[..3], [0.0, 1.0, 2.0]);
    assert_eq!(file.floats("model.norm.bias").unwrap(), None);
    assert_eq!((file.architecture(), file.elements().iter().sum()), ("llama", 156));
    // Gemma's norms begin at 0; its rows, and Qwen's, are as they were.
    let gemma = model("gemma2").counted("blk.1.post_ffw_norm.weight", &[8]).open().unwrap();
    assert_eq!(floats(&gemma, "model.norm.weight")[..3], [-1.0, 0.0, 1.0]);
    let last = "model.layers.1.post_feedforward_layernorm.weight";
    assert_eq!(floats(&gemma, last)[..2], [-1.0, 0.0]);
    for file in [gemma, model("qwen2").open().unwrap()] {
        assert_eq!(floats(&file, query)[..3], [0.0, 1.0, 2.0]);
        assert_eq!(floats(&file, query)[8], 8.0);
    }
}

/// Blocks by hand: what is multiplied with 0.5, and 8, 16 or 1 taken off or added.
#[test]
fn quantised_tensors_are_read() {
    let half = [0x00, 0x38];
    let one = [0x00, 0x3c];
    let q8: Vec<u8> = half.into_iter().chain(0..31).chain([0xff]).collect();
    let q4: Vec<u8> = half.into_iter().chain([0xf0; 16]).collect();
    let q5: Vec<u8> =
        half.into_iter().chain(one).chain([1, 0, 0, 0x80]).chain([0x21; 16]).collect();
    let file = model("llama")
        .tensor("blk.0.ffn_up.weight", &[32, 1], 8, q8)
        .tensor("blk.0.ffn_gate.weight", &[32], 2, q4)
        .tensor("blk.0.ffn_down.weight", &[32, 2], 7, [&q5[..], &q5].concat())
        .open()
        .unwrap();
    let up = floats(&file, "model.layers.0.mlp.up_proj.weight");
    assert_eq!((up.len(), &up[..3], up[31]), (32, &[0.0, 0.5, 1.0][..], -0.5));
    let gate = floats(&file, "model.layers.0.mlp.gate_proj.weight");
    assert_eq!((gate[0], gate[15], gate[16], gate[31]), (-4.0, -4.0, 3.5, 3.5));
    let down = floats(&file, "model.layers.0.mlp.down_proj.weight");
    assert_eq!((down[0], down[1], down[16], down[31]), (9.5, 1.5, 2.0, 10.0));
    assert_eq!(down[..32], down[32..]);
    assert_eq!(file.describe("model.layers.0.mlp.down_proj.weight"), "Q5_1 [2, 32]");
}

/// Parts of a tensor are read one after the other.
#[test]
fn long_tensors_are_read_whole() {
    let count = PART / 34 * 32 * 2 + 96;
    let block = |i: usize| [&[0, 0x3c][..], &[(i % 100) as u8; 32]].concat();
    let bytes: Vec<u8> = (0..count / 32).flat_map(block).collect();
    let gguf = model("llama").tensor("output.weight", &[count as u64], 8, bytes);
    let found = floats(&gguf.open().unwrap(), "lm_head.weight");
    assert_eq!(found.len(), count);
    assert!(found.iter().enumerate().all(|(i, x)| *x == (i / 32 % 100) as f32));
}

/// Whatever was done to them.
#[test]
fn rows_are_those_of_the_whole() {
    for architecture in ["llama", "gemma"] {
        let file = model(architecture).open().unwrap();
        for name in file.names() {
            let (all, height) = (floats(&file, name), file.shape(name).unwrap()[0]);
            let width = all.len() / height;
            for begin in 0..=height {
                for end in begin..=height + 1 {
                    let found = file.rows(name, begin..end).unwrap().unwrap();
                    let end = end.min(height);
                    assert_eq!(found, all[begin * width..end * width], "{name} {begin} {end}");
                }
            }
        }
        assert!(file.rows("nothing", 0..1).unwrap().is_none());
    }
}
