//! What files say of their models.

use serde_json::json;

use super::*;

#[test]
fn configurations_are_those_of_the_hub() {
    let llama = model("llama")
        .set("tokenizer.ggml.bos_token_id", u32v(1))
        .set("tokenizer.ggml.eos_token_id", u32v(2));
    let expected = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8,
        "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 4, "vocab_size": 5, "rms_norm_eps": 1e-6,
        "rope_theta": 1e5, "rope_scaling": null, "max_position_embeddings": 512,
        "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
        "torch_dtype": "float32", "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": null,
        "hidden_act": "silu", "sliding_window": null,
    });
    assert_eq!(llama.open().unwrap().config_json().unwrap(), expected);
    let config = |gguf: Gguf| gguf.open().unwrap().config_json().unwrap();
    let scaled = config(
        llama
            .clone()
            .set("llama.rope.scaling.type", text("linear"))
            .set("llama.rope.scaling.factor", f32v(0.1))
            .set("llama.attention.sliding_window", u32v(64))
            .counted("output.weight", &[8, 5]),
    );
    assert_eq!(
        scaled["rope_scaling"],
        json!({"rope_type": "linear", "type": "linear", "factor": 0.1})
    );
    assert_eq!(
        (&scaled["sliding_window"], &scaled["tie_word_embeddings"]),
        (&json!(64), &json!(false))
    );
    let factors = config(llama.clone().floats("rope_freqs.weight", &[2], &[1.0, 8.5]));
    assert_eq!(factors["lmz_rope_factors"], json!([1.0, 8.5]));
    let qwen = config(model("qwen2").counted("blk.0.attn_q.bias", &[8]));
    assert_eq!((&qwen["attention_bias"], &qwen["model_type"]), (&json!(true), &json!("qwen2")));
    let gemma = config(model("gemma2").set("gemma2.attention.key_length", u32v(6)));
    let known = json!({
        "head_dim": 6, "query_pre_attn_scalar": 6, "sliding_window": 4096,
        "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
        "layer_types": ["sliding_attention", "full_attention"],
        "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh",
    });
    for (name, value) in known.as_object().unwrap() {
        assert_eq!(&gemma[name], value, "{name}");
    }
    let gemma = model("gemma3").set("gemma3.attention.sliding_window", u32v(512));
    let largest = config(gemma.clone().set("gemma3.block_count", u32v(62)));
    let full: Vec<usize> =
        (0..62).filter(|i| largest["layer_types"][i] == "full_attention").collect();
    assert_eq!(full, (5..62).step_by(6).collect::<Vec<_>>());
    assert_eq!(
        (&largest["query_pre_attn_scalar"], &largest["rope_local_base_freq"]),
        (&json!(4), &json!(1e4))
    );
    let stated = array(&[flag(false), flag(true)]);
    let stated = config(gemma.clone().set("gemma3.attention.sliding_window_pattern", stated));
    assert_eq!(stated["layer_types"], json!(["full_attention", "sliding_attention"]));
    assert_eq!(stated["architectures"], json!(["Gemma3ForCausalLM"]));
    // What sees images in the files of Ollama is left out, whatever its type.
    let sees = gemma.tensor("v.blk.0.attn_k.weight", &[8, 4], 24, vec![0; 32]).open().unwrap();
    assert_eq!(sees.elements().len(), 6);
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let refused = |gguf: Gguf| match gguf.open().and_then(|file| file.config_json()) {
        Ok(config) => panic!("{config}"),
        Err(error) => error.to_string(),
    };
    for (name, value, says) in [
        ("embedding_length", u32v(0), "embedding_length to be from 1"),
        ("embedding_length", text("x"), "found \"x\""),
        ("block_count", Raw(10, (1u64 << 60).to_le_bytes().into()), "from 1 to 1024"),
        ("attention.head_count", Raw(5, (-1i32).to_le_bytes().into()), "head_count"),
        ("attention.head_count", u32v(3), "even size"),
        ("attention.head_count_kv", array(&[u32v(1), u32v(2)]), "the same for all layers"),
        ("attention.key_length", u32v(3), "even size"),
        ("attention.value_length", u32v(6), "the same for keys and values"),
        ("rope.dimension_count", u32v(2), "all of it rotary"),
        ("attention.layer_norm_rms_epsilon", f32v(f32::NAN), "to be a number"),
        ("rope.freq_base", f32v(f32::INFINITY), "to be a number"),
        ("rope.scaling.type", text("yarn"), "yarn"),
    ] {
        let said = refused(model("qwen2").set(&format!("qwen2.{name}"), value));
        assert!(said.contains(says), "{name}: {said}");
    }
    assert!(refused(model("gemma3")).contains("sliding_window"));
    let pattern = array(&[flag(true)]);
    let said = refused(model("gemma2").set("gemma2.attention.sliding_window_pattern", pattern));
    assert!(said.contains("2 layers"), "{said}");
    let said = refused(model("llama").counted("rope_freqs.weight", &[3]));
    assert!(said.contains("2 numbers in rope_freqs.weight"), "{said}");
    let said = refused(model("llama").counted("rope_freqs.weight", &[2]));
    assert!(said.contains("above 0"), "{said}");
}
