//! The tiny model of tests/golden, and archives made with it. An encoder would not choose it, since
//! it knows nothing: the frames are put together here.

use std::sync::LazyLock;

use lmz::codec::lm_cm::LmBlock;
use lmz::format::{
    BlockHead, Entry, FrameHeader, Index, Layout, Method, ModelRef, Segment, ShortFrame,
    ShortModel, Trailer,
};
use lmz::format::{TRAILER_BYTES, content_check};
use lmz::lm::LoadedModel;
use lmz::lm::rwkv7::{self, Files};

pub fn tiny() -> LoadedModel {
    static TINY: LazyLock<LoadedModel> = LazyLock::new(|| {
        let files = Files {
            config: include_bytes!("../golden/tiny-model/config.json"),
            vocabulary: include_bytes!("../golden/tiny-model/vocab.txt"),
            tensors: include_bytes!("../golden/tiny-model/model.safetensors"),
            mixer: None,
        };
        let model = rwkv7::Model::parse("tiny", &files).expect("the golden model is sound");
        LoadedModel::new(&model).expect("and can be computed")
    });
    TINY.clone()
}

/// A segment that the model reads.
pub fn read(length: u64) -> Segment {
    Segment { length, model: Some(0) }
}

/// One that it does not.
pub fn unread(length: u64) -> Segment {
    Segment { length, model: None }
}

/// These segments, read by so many streams in stripes of so many bytes.
pub fn layout(segments: &[Segment], streams: u64, stripe: u64) -> Layout {
    Layout { segments: segments.to_vec(), streams, stripe }
}

fn coded(raw: &[u8], layout: &Layout, model: &LoadedModel) -> Vec<u8> {
    LmBlock { layout, dictionary: None, model, threads: 1, progress: None }.encode(raw)
}

/// A short frame.
pub fn short(raw: &[u8]) -> Vec<u8> {
    short_by(&tiny(), raw)
}

/// The same by another model.
pub fn short_by(model: &LoadedModel, raw: &[u8]) -> Vec<u8> {
    let coded = coded(raw, &Layout::whole(raw.len() as u64, Some(0)), model);
    let model = Some(ShortModel::of(&model.identity().0));
    let head = ShortFrame {
        method: Method::LmCm,
        model,
        dictionary: None,
        raw: raw.len() as u64,
        coded: coded.len() as u64,
    };
    let mut out = Vec::new();
    head.write(&mut out);
    out.extend(&coded);
    out.extend((content_check(raw, &coded) as u32).to_le_bytes());
    out
}

/// A full frame of blocks with these layouts.
pub fn full(blocks: &[(&[u8], Layout)]) -> Vec<u8> {
    let mut out = Vec::new();
    let models = vec![ModelRef::Rwkv7 { identity: tiny().identity().0.to_vec() }];
    FrameHeader { models, ..FrameHeader::default() }.write(&mut out);
    let mut index = Index::default();
    for (i, (raw, layout)) in blocks.iter().enumerate() {
        let begin = out.len();
        let coded = coded(raw, layout, &tiny());
        BlockHead {
            last: i + 1 == blocks.len(),
            method: Method::LmCm,
            raw: raw.len() as u64,
            coded: coded.len() as u64,
            layout: layout.clone(),
        }
        .write(&mut out);
        out.extend(&coded);
        out.extend(content_check(raw, &coded).to_le_bytes());
        index.0.push(Entry { bytes: (out.len() - begin) as u64, raw: raw.len() as u64 });
    }
    let begin = out.len();
    index.write(&mut out);
    let index = (out.len() - begin) as u64;
    Trailer { frame: out.len() as u64 + TRAILER_BYTES as u64, index }.write(&mut out);
    out
}
