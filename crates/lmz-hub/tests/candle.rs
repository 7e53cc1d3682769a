//! Models of the hub through candle, from the command's and library's side: tests/golden/hub has
//! tiny ones of each architecture.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use lmz::Archive;
use lmz::format::{DeviceBoundEntry, FrameHeader, Input, Limits, Method, ModelRef};
use lmz::lm::Found;
use lmz::lm::device::DeviceBoundModel;
use lmz::recover::recover;
use lmz::write::Encoder;
use lmz::{
    CodecError, DecoderOptions, Dictionary, EncoderOptions, Error, Predictor, decompress_with,
};
use lmz_hub::{Finder, HubError, Settings};

const NAMES: [&str; 16] = [
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3",
    "mamba",
    "phi",
    "phi3",
    "stablelm",
    "olmo",
    "olmo2",
    "starcoder2",
    "bigcode",
    "smollm3",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/hub").join(name)
}

fn open(folder: &Path) -> Result<DeviceBoundModel, HubError> {
    // Without a type of numbers the exact engine would compute them.
    let settings = Settings { dtype: Some("f32".into()), ..Settings::default() };
    let finder = Finder { settings, ..Finder::default() };
    match finder.find(folder.to_str().expect("paths here are UTF-8"))? {
        Found::DeviceBound(model) => Ok(model),
        other => panic!("{other:?}"),
    }
}

fn options(name: &str) -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::DeviceBound(open(&folder(name)).unwrap()))
}

/// A full frame, however short the content is: its first block is flushed.
fn compress(raw: &[u8], options: &EncoderOptions) -> Result<Vec<u8>, Error> {
    let mut encoder = Encoder::with_options(Vec::new(), options.clone()).unwrap();
    encoder.write_all(raw)?;
    encoder.flush()?;
    encoder.finish()
}

fn methods(archive: &[u8]) -> Vec<Method> {
    let mut scan = Archive::open(std::io::Cursor::new(archive), DecoderOptions::default()).unwrap();
    let frame = scan.frames()[0].clone();
    frame.blocks.iter().map(|block| scan.method(&frame, block).unwrap()).collect()
}

fn text(lines: usize) -> Vec<u8> {
    let line = |i: usize| {
        format!(
            "It was the best of times {i}, it was the age of foolishness; naïve café, 你好 {}.\n",
            i * i % 71
        )
    };
    (0..lines).map(line).collect::<String>().into_bytes()
}

/// A copy of a model's folder.
fn copy(name: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder(name)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
    }
    to
}

/// What the models know by heart (scripts/hub/golden.py).
const KNOWN: &str = "The quick brown fox jumps over the lazy dog. It was the best of times, it \
    was the worst of times, it was \
    the age\nof wisdom, it was the age of foolishness. def main(argc, argv): return 0 if argc == \
    1 else [x for x in argv]\n\
    {\"name\": \"value\", \"number\": 1234, \"list\": [1, 2, 3]} Grüße aus Köln, naïve café, \
    привет мир, 你好。 ";

#[test]
fn every_architecture_gives_back_what_it_got() {
    for name in NAMES {
        // More tokens than the context has, which is 64 or fewer.
        for streams in [None, Some(3)] {
            for (mix, method) in [(true, Method::DeviceLmCm), (false, Method::DeviceLm)] {
                let options = options(name).mix(mix).streams(streams);
                let archive = compress(KNOWN.as_bytes(), &options).unwrap();
                assert_eq!(methods(&archive)[0], method, "{name}");
                assert_eq!(
                    decompress_with(&archive, &options.decoding()).unwrap(),
                    KNOWN.as_bytes(),
                    "{name}"
                );
            }
        }
        // Each has learnt it, so that what is computed is what was trained.
        let alone = compress(KNOWN.as_bytes(), &options(name).mix(false)).unwrap();
        assert!(alone.len() < 320, "{name}: {} bytes", alone.len());
    }
}

/// The header takes more than a hundred bytes: what the model does not gain back is coded without
/// it, and decodes anywhere.
#[test]
fn the_header_has_to_pay() {
    let options = options("llama");
    let short = lmz::compress_with(&KNOWN.as_bytes()[..113], &options).unwrap();
    assert!(short.len() < 113, "{}", short.len());
    assert_eq!(lmz::decompress(&short).unwrap(), &KNOWN.as_bytes()[..113]);
}

/// Without a frame nothing else is tried: whatever the bytes are, the model's codec has to take
/// them.
#[test]
fn any_bytes_come_back() {
    let noise: Vec<u8> = (0..500u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let crlf = text(4)
        .into_iter()
        .flat_map(|b| if b == b'\n' { vec![b'\r', b'\n'] } else { vec![b] })
        .collect::<Vec<_>>();
    let special = b"<|endoftext|>a<|pad|><bos> <0x41><unk>    \xe2\x96\x81x".repeat(3);
    for name in ["llama", "gemma", "mamba", "phi"] {
        for mix in [true, false] {
            let options = options(name).mix(mix);
            for raw in [
                &b""[..],
                b"a",
                b" ",
                b"\xff",
                b"\xc0",
                &noise,
                &crlf,
                &special,
                &[0; 500],
                "e\u{301}\u{fb01}".as_bytes(),
            ] {
                let coded = lmz::compress_bare(raw, &options).unwrap();
                assert_eq!(
                    lmz::decompress_bare(&coded, raw.len(), &options).unwrap(),
                    raw,
                    "{name}"
                );
                let archive = compress(raw, &options).unwrap();
                assert_eq!(decompress_with(&archive, &options.decoding()).unwrap(), raw, "{name}");
            }
        }
    }
}

#[test]
fn several_blocks_and_a_dictionary() {
    let raw = KNOWN.repeat(3).into_bytes();
    let dictionary = Dictionary::new(&text(5)).unwrap();
    for dictionary in [None, Some(dictionary)] {
        let options =
            options("qwen3").block_size(KNOWN.len()).streams(2).dictionary(dictionary).threads(2);
        let archive = compress(&raw, &options).unwrap();
        assert_eq!(methods(&archive)[0], Method::DeviceLmCm);
        assert_eq!(decompress_with(&archive, &options.decoding()).unwrap(), raw);
        // Any block by itself.
        let mut scan = Archive::open(std::io::Cursor::new(&archive), options.decoding()).unwrap();
        let mut out = Vec::new();
        let (from, to) = (KNOWN.len() as u64 + 5, KNOWN.len() as u64 + 50);
        scan.read_range(from..to, |bytes| out.write_all(bytes)).unwrap();
        assert_eq!(out, raw[from as usize..to as usize]);
    }
}

/// The header's entry of the device-bound model.
fn entry(archive: &[u8]) -> DeviceBoundEntry {
    let header = FrameHeader::read(&mut Input::new(archive), &Limits::default()).unwrap();
    match &header.models[..] {
        [ModelRef::DeviceBound(entry)] => entry.clone(),
        other => panic!("{other:?}"),
    }
}

/// The archive with another entry of the same length.
fn with_entry(archive: &[u8], entry: DeviceBoundEntry) -> Vec<u8> {
    let mut input = Input::new(archive);
    let mut header = FrameHeader::read(&mut input, &Limits::default()).unwrap();
    header.models = vec![ModelRef::DeviceBound(entry)];
    let mut out = Vec::new();
    header.write(&mut out);
    assert_eq!(out.len(), input.position());
    out.extend_from_slice(&archive[input.position()..]);
    out
}

/// A model whose frequencies drift from the encoder's, in spite of identity and probe: here one
/// that claims to be another.
#[test]
fn a_divergence_stops_at_once_and_says_where() {
    let raw = KNOWN.repeat(4);
    for mix in [true, false] {
        let options = options("llama").mix(mix).streams(1);
        let archive = compress(raw.as_bytes(), &options).unwrap();
        // One weight is another.
        let folder = copy("llama");
        let path = folder.path().join("model.safetensors");
        let mut tensors = fs::read(&path).unwrap();
        let last = tensors.len() - 1;
        tensors[last] ^= 1;
        fs::write(&path, tensors).unwrap();
        let other = Predictor::DeviceBound(open(folder.path()).unwrap());
        let other = options.predictor(other);
        let Error::NoDeviceModel { .. } = decompress_with(&archive, &other.decoding()).unwrap_err()
        else {
            panic!()
        };
        // It forges what it needs to be taken for the first.
        let theirs = entry(&compress(raw.as_bytes(), &other).unwrap());
        let (mine, forged) =
            (entry(&archive), DeviceBoundEntry { numerics: entry(&archive).numerics, ..theirs });
        assert_ne!((mine.identity, mine.probe), (forged.identity, forged.probe));
        let forged = with_entry(&archive, forged);
        match decompress_with(&forged, &other.decoding()).unwrap_err() {
            // The walk itself may notice before the first check does.
            Error::Block { source: CodecError::Diverged { at }, .. } => {
                assert!((1..400).contains(&at), "{at}")
            }
            Error::Block { source: CodecError::NotACodeword, .. } => assert!(!mix),
            other => panic!("{other}"),
        }
        // With the forged identity alone, the probe finds it.
        let forged = with_entry(&archive, DeviceBoundEntry { probe: mine.probe, ..entry(&forged) });
        let error = decompress_with(&forged, &other.decoding()).unwrap_err();
        assert!(matches!(error, Error::OtherNumbers { .. }), "{error}");
        assert!(error.to_string().contains("Made with candle"), "{error}");
    }
}

#[test]
fn what_cannot_be_decoded_here_is_said() {
    let options = options("llama");
    let archive = compress(KNOWN.as_bytes(), &options).unwrap();
    let mine = entry(&archive);
    let error = |entry: DeviceBoundEntry, options: &DecoderOptions| {
        decompress_with(&with_entry(&archive, entry), options)
            .map_err(|e| lmz::error::told(&e))
            .unwrap_err()
    };
    let said = error(DeviceBoundEntry { identity: [9; 32], ..mine.clone() }, &options.decoding());
    assert!(said.contains(&"09".repeat(32)), "{said}");
    let said = error(mine.clone(), &DecoderOptions::default());
    assert!(said.contains("whose identity is"), "{said}");
    let mut numerics = mine.numerics.clone();
    numerics.device = numerics.device.replace("cpu", "tpu");
    let said =
        error(DeviceBoundEntry { probe: [0; 16], numerics, ..mine.clone() }, &options.decoding());
    assert!(said.contains("tpu"), "{said}");
    // A context that the model does not have, a type of numbers that there is not, and more streams
    // than rows.
    let limit = if mine.limit < 128 { 127 } else { panic!("{}", mine.limit) };
    assert!(
        error(DeviceBoundEntry { limit, ..mine.clone() }, &options.decoding()).contains("context")
    );
    // None kept, or all: the parser says so.
    for keep in [0, mine.limit, 127] {
        let said = error(DeviceBoundEntry { keep, ..mine.clone() }, &options.decoding());
        assert!(said.contains("a context or batch that cannot be"), "{keep}: {said}");
    }
    let numerics = lmz::format::Numerics { dtype: "f99".into(), ..mine.numerics.clone() };
    assert!(error(DeviceBoundEntry { numerics, ..mine }, &options.decoding()).contains("f99"));
}

#[test]
fn damaged_archives_give_an_error_and_no_panic() {
    let options = options("llama").streams(2);
    let archive = compress(KNOWN.as_bytes(), &options).unwrap();
    let decoding = options.decoding();
    for at in (0..archive.len()).step_by(7) {
        let mut damaged = archive.clone();
        damaged[at] ^= 0x10;
        assert!(decompress_with(&damaged, &decoding).is_err(), "byte {at}");
        assert!(decompress_with(&archive[..at], &decoding).is_err(), "cut at {at}");
    }
}

/// Of an archive whose header is lost, with the model and whatever --context and --dtype were given
/// when compressing.
#[test]
fn blocks_are_recovered_without_their_header() {
    let raw = KNOWN.repeat(3).into_bytes();
    let options = options("llama").block_size(KNOWN.len() * 5 / 4).streams(2);
    let mut archive = compress(&raw, &options).unwrap();
    archive[5] ^= 1;
    let mut out = Vec::new();
    let mut recover = |options: &DecoderOptions| {
        out.clear();
        let found =
            recover(std::io::Cursor::new(&archive), options, |raw| out.write_all(raw)).unwrap();
        (found.blocks, found.holes.len(), out.clone())
    };
    assert_eq!(recover(&options.decoding()), (4, 1, raw)); // three blocks, and the empty one that ends the frame
    assert_eq!(recover(&DecoderOptions::default()).2, b"");
}

#[test]
fn folders_that_cannot_be_used_are_refused() {
    let change = |file: &str, from: &str, to: &str| {
        let folder = copy("llama");
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = match open(folder.path()) {
            Err(error) => error.to_string(),
            // Shapes show only when the weights are loaded.
            Ok(model) => {
                let options = EncoderOptions::new().predictor(Predictor::DeviceBound(model));
                compress(KNOWN.as_bytes(), &options).unwrap_err().to_string()
            }
        };
        drop(folder);
        error
    };
    let config = |from: &str, to: &str| change("config.json", from, to);
    // candle-transformers computes another function for these, or none.
    for other in ["FalconForCausalLM", "GraniteForCausalLM", "MptForCausalLM"] {
        assert!(config("LlamaForCausalLM", other).contains(other));
    }
    let said = config("LlamaForCausalLM", "GPT2LMHeadModel");
    assert!(
        said.contains("GPT2LMHeadModel")
            && said.contains("Qwen3ForCausalLM")
            && said.contains("RWKV-7"),
        "{said}"
    );
    assert!(config("\"rope_type\": \"llama3\"", "\"rope_type\": \"yarn\"").contains("yarn"));
    assert!(config("\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"").contains("relu"));
    assert!(config("\"num_attention_heads\": 4", "\"num_attention_heads\": 3").contains("heads"));
    assert!(
        config("\"num_attention_heads\": 4", "\"num_attention_heads\": 0")
            .contains("num_attention_heads")
    );
    assert!(config("\"intermediate_size\": 48", "\"intermediate_size\": 47").contains("shape"));
    assert!(config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3").contains("missing"));
    let said = change("tokenizer.json", "ByteLevel", "Whitespace");
    assert!(said.contains("tokenizer.json"), "{said}");
    for (file, said) in
        [("tokenizer.json", "tokenizer.json"), ("model.safetensors", "model.safetensors")]
    {
        let folder = copy("llama");
        fs::remove_file(folder.path().join(file)).unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains(said));
    }
    // Cut and overwritten files.
    for length in [0, 7, 9, 100, 3000] {
        let folder = copy("llama");
        let path = folder.path().join("model.safetensors");
        let tensors = fs::read(&path).unwrap();
        fs::write(&path, &tensors[..length]).unwrap();
        assert!(open(folder.path()).is_err(), "{length}");
    }
}

/// The tokenizer of another model makes it another model.
#[test]
fn another_tokenizer_is_another_model() {
    let folder = copy("qwen3");
    fs::copy(self::folder("gemma").join("tokenizer.json"), folder.path().join("tokenizer.json"))
        .unwrap();
    assert_ne!(
        open(folder.path()).unwrap().identity(),
        open(&self::folder("qwen3")).unwrap().identity()
    );
    // Where files come from, their number and the order of what is in them does not.
    let again = copy("qwen2");
    assert_eq!(
        open(again.path()).unwrap().identity(),
        open(&self::folder("qwen2")).unwrap().identity()
    );
}

#[test]
fn a_reader_gets_the_same_as_a_slice() {
    let options = options("mistral");
    let archive = compress(KNOWN.as_bytes(), &options).unwrap();
    let mut out = String::new();
    lmz::read::Decoder::with_options(&archive[..], options.decoding())
        .read_to_string(&mut out)
        .unwrap();
    assert_eq!(out, KNOWN);
    // Where the text cannot be worth a model, the archive needs none.
    let archive = lmz::compress_with(&[7; 900], &options).unwrap();
    assert_eq!(lmz::decompress(&archive).unwrap(), [7; 900]);
}
