//! Archives that need a model of the hub, in a build that may have none.

use lmz::format::{BlockHead, DeviceBoundEntry, FrameHeader, Layout, Method, ModelRef, Numerics};

#[test]
fn what_is_needed_is_said() {
    let numerics = Numerics {
        backend: "candle 0".into(),
        device: "cpu of another kind".into(),
        dtype: "f32".into(),
    };
    let entry = DeviceBoundEntry {
        identity: [0xab; 32],
        probe: [0; 16],
        batch: 1,
        limit: 64,
        keep: 32,
        numerics,
    };
    let mut archive = Vec::new();
    FrameHeader { models: vec![ModelRef::DeviceBound(entry)], ..FrameHeader::default() }
        .write(&mut archive);
    let layout = Layout::whole(100, Some(0));
    BlockHead { last: true, method: Method::DeviceLmCm, raw: 100, coded: 40, layout }
        .write(&mut archive);
    archive.extend([0; 48]);
    let said = lmz::decompress(&archive).unwrap_err().to_string();
    assert!(said.contains("cpu of another kind") && said.contains("abababab"), "{said}");
}

#[test]
fn a_folder_for_candle_is_refused_by_name() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hub/llama");
    let said = lmz::Predictor::find(folder.to_str().unwrap()).unwrap_err().to_string();
    assert!(said.contains("LlamaForCausalLM") && said.contains("RWKV-7"), "{said}");
}
