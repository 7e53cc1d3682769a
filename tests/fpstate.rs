//! Archives are the same in every floating-point state of the processor, and the state is the
//! host's again afterwards. Everything here in one process, to whose tables the normal state comes
//! first; tests/fpstate_processes.rs has others.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Mutex;

use archives::decoding;
use lmz::Archive;
use lmz::read::Decoder;
use lmz::write::Encoder;
use lmz::{
    DecoderOptions, EncoderOptions, Predictor, compress_bare, compress_many, compress_with,
    decompress_bare, decompress_with, explain, recover,
};
use state::{NORMAL, STATES, State, get, set, under};

#[path = "common/archives.rs"]
mod archives;
#[path = "common/state.rs"]
mod state;
#[expect(dead_code, reason = "frames are not needed here")]
#[path = "common/tiny.rs"]
mod tiny;

/// The state in which an archive is decoded that was made in this one: another.
fn other(number: usize) -> State {
    STATES[(number + 4) % STATES.len()]
}

/// Each codec, in the states that this test is for: the others share their arithmetic, and are for
/// two states each.
const EACH: [&str; 7] = [
    "noise.bin",
    "zeros.bin",
    "primed.txt",
    "mix-message.txt",
    "mix-primed.txt",
    "joint-message.txt",
    "unmixed.txt",
];

/// Every codec, in short and full frames, with dictionaries and without: tests/golden has what each
/// must give.
#[test]
fn golden_archives_in_every_state() {
    for (golden_number, golden) in archives::all().into_iter().enumerate() {
        for (number, state) in STATES.into_iter().enumerate() {
            let two = number % (STATES.len() - 1) == golden_number % (STATES.len() - 1);
            if !EACH.contains(&golden.name) && !two {
                continue;
            }
            let options = golden.options.clone().threads(1 + number % 2);
            let mut archive = golden.archive.to_vec();
            if golden.written {
                archive = under(state, || compress_with(golden.raw, &options).unwrap());
                assert!(archive == golden.archive, "{}, {}: another archive", golden.name, state.0);
            }
            let raw = under(other(number), || decompress_with(&archive, &decoding()));
            assert!(
                raw.unwrap() == golden.raw,
                "{}, {}: decodes to something else",
                golden.name,
                other(number).0
            );
        }
    }
}

/// A text that has something for every part of the mixer.
fn text() -> Vec<u8> {
    (0..150u32)
        .flat_map(|i| {
            format!("line {i} of a file, {:x}\n", i.wrapping_mul(0x9e37_79b1)).into_bytes()
        })
        .collect()
}

fn predictors() -> Vec<EncoderOptions> {
    let by = |predictor| EncoderOptions::new().predictor(predictor).block_size(1500);
    let mut all = vec![by(Predictor::None), by(Predictor::Ppm), by(Predictor::Model(tiny::tiny()))];
    all.push(by(Predictor::Model(tiny::tiny())).mix(false).streams(3));
    #[cfg(feature = "nano")]
    all.push(by(Predictor::find("nano").unwrap()));
    all
}

/// What goes another way than a whole archive at once: streams with flushes, messages in bulk and
/// bare, parts, recovery, explanations.
fn everything(options: &EncoderOptions) -> Vec<Vec<u8>> {
    let (text, decoding) = (text(), options.decoding());
    let mut encoder = Encoder::with_options(Vec::new(), options.clone()).unwrap();
    for part in text.chunks(2001) {
        encoder.write_all(part).unwrap();
        encoder.flush().unwrap();
    }
    let archive = encoder.finish().unwrap();
    let messages: Vec<&[u8]> = text.chunks(300).take(4).collect();
    let bare = compress_bare(messages[0], options).unwrap();
    let message = decompress_bare(&bare, messages[0].len(), options).unwrap();
    let mut streamed = Vec::new();
    Decoder::with_options(&archive[..], decoding.clone()).read_to_end(&mut streamed).unwrap();
    let mut seeked = Archive::open(Cursor::new(&archive), decoding.clone()).unwrap();
    let mut range = Vec::new();
    seeked.read_range(100..2500, |bytes| range.write_all(bytes)).unwrap();
    seeked.seek(SeekFrom::Start(3000)).unwrap();
    let mut rest = Vec::new();
    seeked.read_to_end(&mut rest).unwrap();
    let mut damaged = archive.clone();
    damaged[archive.len() / 2] ^= 1;
    let mut recovered = Vec::new();
    let holes =
        recover::recover(Cursor::new(&damaged), &decoding, |bytes| recovered.write_all(bytes))
            .unwrap();
    let explained = explain(&text[..800], options, 300).unwrap();
    let bits = explained.tokens.iter().flat_map(|token| token.bits.to_le_bytes()).collect();
    assert!(
        streamed == text
            && range == text[100..2500]
            && rest == text[3000..]
            && message == messages[0]
    );
    assert!(!holes.holes.is_empty());
    let mut out = compress_many(&messages, options).unwrap();
    out.extend([archive, bare, recovered, bits]);
    out
}

#[test]
fn every_way_in_in_every_state() {
    for options in predictors() {
        let expected = everything(&options);
        for (number, state) in STATES.into_iter().enumerate() {
            // What takes longest, in every third.
            if options.get_predictor() != Some(&Predictor::None) && number % 3 != 0 {
                continue;
            }
            let found = under(state, || everything(&options));
            assert!(found == expected, "{:?}, {}", options.get_predictor(), state.0);
        }
    }
}

/// Models are read and quantised alike: their identity is a hash of all of their numbers.
#[test]
fn models_are_loaded_in_every_state() {
    use lmz::lm::LoadedModel;
    use lmz::lm::rwkv7::Model;

    let golden = |folder| format!("{}/tests/golden/{folder}", env!("CARGO_MANIFEST_DIR"));
    for folder in [golden("checkpoint/reference"), golden("tiny-model")] {
        let load = || {
            let model = Model::find(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
            let ready = LoadedModel::new(&model).unwrap();
            let archive = compress_bare(
                b"a few words",
                &EncoderOptions::new().predictor(Predictor::Model(ready.clone())),
            )
            .unwrap();
            (model.identity(), ready.identity(), archive)
        };
        let expected = load();
        for state in STATES {
            assert!(under(state, load) == expected, "{folder}, {}", state.0);
        }
    }
}

/// A reader and writer that notes the states in which it is called, and changes it now and then.
struct Noting<T> {
    inner: T,
    calls: usize,
}

static SEEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());

fn see() {
    SEEN.lock().unwrap().push(get());
}

impl<T> Noting<T> {
    fn new(inner: T) -> Self {
        Self { inner, calls: 0 }
    }

    /// From its third call on, the host is in another state.
    fn call(&mut self) {
        see();
        self.calls += 1;
        if self.calls == 3 {
            set(STATES[1].1);
        }
    }
}

impl<T: Read> Read for Noting<T> {
    /// In small pieces, so that it is called more than a few times.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.call();
        let most = to.len().min(300);
        self.inner.read(&mut to[..most])
    }
}

impl<T: Write> Write for Noting<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call();
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.call();
        self.inner.flush()
    }
}

impl<T: Seek> Seek for Noting<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        see();
        self.inner.seek(to)
    }
}

/// What the host gives to the library runs in the host's state, also where it changes it; and the
/// archive is right.
#[test]
fn the_host_keeps_its_state_in_callbacks() {
    let text = text();
    let options = EncoderOptions::new().predictor(Predictor::None).block_size(800);
    let expected = compress_with(&text, &options).unwrap();
    let (one, two) = (STATES[0].1, STATES[1].1);
    let finish = |what: &str, least: usize| {
        let after = get();
        set(NORMAL);
        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
        let changed = seen.iter().position(|state| *state == two).unwrap_or(seen.len());
        assert!(seen.len() >= least, "{what}: called {} times only", seen.len());
        assert!(
            changed > 1 && seen[..changed].iter().all(|state| *state == one),
            "{what}: {seen:x?}"
        );
        assert!(
            seen[changed..].iter().all(|state| *state == two) && after == two,
            "{what}: {seen:x?}, {after:x}"
        );
    };

    set(one);
    let mut encoder = Encoder::with_options(Noting::new(Vec::new()), options.clone()).unwrap();
    encoder.on_block(|_| see());
    encoder.write_all(&text).unwrap();
    let archive = encoder.finish().unwrap().inner;
    finish("an encoder", 6);
    assert!(archive == expected);

    set(one);
    let mut raw = Vec::new();
    let mut decoder = Decoder::new(Noting::new(Cursor::new(&expected).take(1 << 20)));
    decoder.on_block(|_| see());
    decoder.read_to_end(&mut raw).unwrap();
    finish("a decoder", 6);
    assert!(raw == text);

    set(one);
    raw.clear();
    let mut seeked =
        Archive::open(Noting::new(Cursor::new(&expected)), DecoderOptions::default()).unwrap();
    let noted = |bytes: &[u8]| {
        see();
        raw.write_all(bytes)
    };
    seeked.read_range(0..u64::MAX, noted).unwrap();
    finish("an archive", 6);
    assert!(raw == text);

    set(one);
    raw.clear();
    let reader = Noting { inner: Cursor::new(&expected), calls: 1 };
    let noted = |bytes: &[u8]| {
        see();
        raw.write_all(bytes)
    };
    recover::recover(reader, &DecoderOptions::default(), noted).unwrap();
    finish("recovery", 3);
    assert!(raw == text);
}
