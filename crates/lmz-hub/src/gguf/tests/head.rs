//! Heads that are not known, that lie or that are damaged.

use proptest::prelude::*;

use super::vocabulary::vocabulary;
use super::*;

#[test]
fn what_is_not_known_is_named() {
    let said = model("mamba").refused();
    assert!(said.contains("architecture mamba") && said.contains("llama, qwen2"), "{said}");
    let said = model("llama").tensor("output.weight", &[256], 10, vec![0; 84]).refused();
    assert!(said.contains("output.weight: found the type Q2_K; known are F32"), "{said}");
    let said = model("llama").tensor("output.weight", &[256], 77, vec![0; 84]).refused();
    assert!(said.contains("the type number 77"), "{said}");
    let said = model("llama").counted("blk.0.ffn_gate_exps.weight", &[8]).refused();
    assert!(said.contains("blk.0.ffn_gate_exps.weight") && said.contains("llama"), "{said}");
    let said = model("llama").set("split.count", Raw(2, vec![3, 0])).refused();
    assert!(said.contains("llama-gguf-split --merge"), "{said}");
    let mut parts = model("llama").bytes();
    parts[4] = 1;
    assert!(refused(&parts).contains("version 2 or 3 of GGUF, found 1"));
    parts[4..8].copy_from_slice(&[0, 0, 0, 3]);
    assert!(refused(&parts).contains("big-endian"));
    assert!(refused(b"\x80\x02ckpt and more bytes").contains("expected a GGUF file"));
    parts[4..8].copy_from_slice(&[2, 0, 0, 0]);
    assert!(open(&parts).is_ok());
}

/// A file is held against its own length before memory is taken.
#[test]
fn heads_that_lie_are_refused() {
    let good = model("llama").bytes();
    let data: usize = good.len() - model("llama").open().unwrap().elements().len() * 32;
    for end in (0..data).chain([good.len() - 33]) {
        open(&good[..end]).unwrap_err();
    }
    // Counts of tensors, of values, and the length of the first name.
    for at in [8, 16, 24] {
        for lie in [1 << 60, u64::MAX, 1 << 32, good.len() as u64] {
            let mut bytes = good.clone();
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            refused(&bytes);
        }
    }
    let huge =
        |kind: u32, count: u64| Raw(9, [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat());
    let mut nested = Raw(9, vec![0; 12]);
    for _ in 0..5000 {
        nested = array(&[nested]);
    }
    for value in [
        Raw(8, (1u64 << 60).to_le_bytes().into()),
        huge(8, 1 << 60),
        huge(0, 1 << 40),
        huge(10, u64::MAX),
        huge(99, 1),
        nested,
        Raw(13, vec![0; 8]),
    ] {
        refused(&model("llama").set("general.other", value).bytes());
    }
    let sizes: &[&[u64]] = &[
        &[0],
        &[8, 0],
        &[],
        &[1; 5],
        &[1 << 32, 1 << 32],
        &[u64::MAX, u64::MAX],
        &[1 << 62],
        &[u64::MAX],
        &[1 << 40],
        &[9],
    ];
    for sizes in sizes {
        for kind in [0, 1, 8, 14] {
            if *sizes == [9] && kind < 2 {
                continue;
            }
            let said = model("llama").tensor("output.weight", sizes, kind, vec![0; 9]).refused();
            assert!(said.contains("output.weight"), "{said}");
        }
    }
    let twice = model("llama").counted("output_norm.weight", &[8]);
    assert!(twice.refused().contains("output_norm.weight twice"));
    let mut twice = model("llama");
    twice.values.push(("llama.block_count".into(), u32v(2)));
    assert!(twice.refused().contains("llama.block_count twice"));
    for aligned in [0, 3, 1 << 20] {
        let said = model("llama").set("general.alignment", u32v(aligned)).refused();
        assert!(said.contains("general.alignment"), "{said}");
    }
    // The last tensor where the one before is, outside of the file, and between two places.
    let gguf = model("llama");
    let at = gguf.bytes().len() - 32 - 16 - 4 * 8 * 8;
    let head = gguf.bytes();
    let offset = (0..at).rev().find(|i| head[*i..].starts_with(b"blk.0.attn_norm.weight"));
    let offset = offset.unwrap() + "blk.0.attn_norm.weight".len() + 4 + 8 + 4;
    for (lie, says) in [
        (0, "one behind the other"),
        (1, "multiple of 32"),
        (u64::MAX - 31, "within the file"),
        (1 << 40, "download it again"),
    ] {
        let mut bytes = head.clone();
        bytes[offset..offset + 8].copy_from_slice(&lie.to_le_bytes());
        let said = refused(&bytes);
        assert!(said.contains(says), "{lie}: {said}");
    }
}

/// A file that was cut off or changed after it was opened.
#[test]
fn a_file_that_becomes_shorter_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let bytes = model("llama").bytes();
    std::fs::write(&path, &bytes).unwrap();
    let file = GgufFile::open(&path).unwrap();
    assert_eq!((file.length(), file.path()), (bytes.len() as u64, path.as_path()));
    assert!(is_gguf(&path) && !is_gguf(folder.path()));
    std::fs::File::options().write(true).open(&path).unwrap().set_len(900).unwrap();
    let said = file.floats("model.layers.0.input_layernorm.weight").unwrap_err().to_string();
    assert!(said.contains("x.gguf"), "{said}");
}

proptest! {
    /// A few bytes of a good file changed: an error, or a file that can be asked for everything.
    #[test]
    fn damaged_files_do_not_panic(
        gemma in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        tail in any::<bool>(),
    ) {
        let mut bytes = vocabulary(if gemma { "gemma" } else { "llama" }).1.bytes();
        // What comes last in the head, or all of it.
        let from = if tail { bytes.len().saturating_sub(1200) } else { 0 };
        for (at, to) in changes {
            let at = from + at.index(bytes.len() - from);
            bytes[at] = to;
        }
        if let Ok(file) = open(&bytes) {
            let _ = (file.config_json(), file.tokenizer_json());
            for name in file.names() {
                let _ = (file.floats(name), file.describe(name));
            }
        }
    }
}
