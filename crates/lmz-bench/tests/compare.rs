//! Codecs beside each other: every adapter, what is measured of them, and the command `lmz
//! compare`.

use std::fs;
use std::process::{Command, Output};

use lmz_bench::codecs::{self, LIBRARIES};
use lmz_bench::{Codec, CodecFailure, Failure, Form, Job, Sample, Settings, Worker, measure};
use tempfile::TempDir;

const TEXT: &str = "It is a truth universally acknowledged, that a single man in possession of a \
    good fortune, must be in \
    want of a wife. However little known the feelings or views of such a man may be on his first \
    entering a \
    neighbourhood, this truth is so well fixed in the minds of the surrounding families.\n";

/// Bytes that no codec makes smaller.
fn random(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn sample(form: Form, bytes: Vec<u8>) -> Sample {
    Sample { name: format!("{} bytes", bytes.len()), form, bytes }
}

/// Waves, as samples of a byte.
fn waves(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (128.0 + 100.0 * (i as f64 / 9.0).sin() + 20.0 * (i as f64 / 2.3).sin()) as u8)
        .collect()
}

fn samples() -> Vec<Sample> {
    let stereo = waves(6_000).iter().flat_map(|b| [0, *b ^ 128]).collect();
    let mut all = vec![
        sample(Form::Gray { width: 31, height: 17 }, waves(31 * 17)),
        sample(Form::Gray { width: 1, height: 1 }, vec![7]),
        sample(Form::Rgb { width: 20, height: 30 }, waves(3 * 600)),
        sample(Form::Rgb { width: 13, height: 11 }, random(3 * 143)),
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, waves(9_000)),
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, vec![0]),
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, Vec::new()),
        sample(Form::Pcm { rate: 44_100, channels: 2, bits: 16 }, stereo),
        sample(Form::Pcm { rate: 8_000, channels: 1, bits: 16 }, random(4_100)),
    ];
    for length in [0, 1, 2, 5, 17, 31, 63, 64, 257] {
        all.push(sample(Form::Bytes, TEXT.as_bytes()[..length].to_vec()));
    }
    for bytes in [TEXT.repeat(3).into_bytes(), random(3_001), vec![0; 9_000], (0..=255).collect()] {
        all.push(sample(Form::Bytes, bytes));
    }
    all
}

#[test]
fn every_codec_is_lossless() {
    for name in codecs::names() {
        let codec = codecs::find(&name, 1).unwrap();
        assert_eq!(codec.name(), name);
        let mut taken: Vec<Sample> =
            samples().into_iter().filter(|sample| codec.takes(&sample.form)).collect();
        if name.starts_with("lmz") {
            // It has tests of its own, and is slow on many small ones.
            taken.drain(2..taken.len() - 4);
        }
        assert!(taken.len() >= 2, "{name}");
        let measured = measure(&*codec, &taken, Settings { repeat: 1, header: true }).unwrap();
        assert_eq!(measured.pieces, taken.len() as u64);
    }
}

#[test]
fn many_pieces_are_coded_as_each_alone() {
    for name in codecs::names() {
        let codec = codecs::find(&name, 2).unwrap();
        let Some(form) =
            samples().iter().map(|s| s.form).find(|form| codec.takes(form) && form.fits(100))
        else {
            continue;
        };
        let pieces: Vec<Vec<u8>> = TEXT.as_bytes().chunks_exact(100).map(<[u8]>::to_vec).collect();
        let many = codec
            .compress_each(&pieces.iter().map(|p| (&p[..], &form)).collect::<Vec<_>>())
            .unwrap();
        let alone: Vec<_> =
            pieces.iter().map(|piece| codec.compress(piece, &form).unwrap()).collect();
        assert!(many == alone, "{name}");
    }
}

#[test]
fn damage_is_an_error_or_other_bytes_but_no_panic() {
    let data = TEXT.repeat(4).into_bytes();
    for name in codecs::names().into_iter().filter(|name| !name.starts_with("lmz")) {
        let codec = codecs::find(&name, 1).unwrap();
        if codec.takes(&Form::Bytes) {
            let coded = codec.compress(&data, &Form::Bytes).unwrap();
            for cut in [1, coded.len() / 2, coded.len() - 1] {
                let back = codec.decompress(&coded[..cut], &Form::Bytes);
                // What ends a PNG file holds nothing of the picture.
                let spared = name == "png-bytes" && cut == coded.len() - 1;
                assert!(
                    spared || back.is_err() || back.is_ok_and(|back| back != data),
                    "{name} of {cut} bytes"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_its_form_is_an_error() {
    for (name, form) in [
        ("png", Form::Gray { width: 3, height: 3 }),
        ("webp", Form::Rgb { width: 3, height: 3 }),
        ("flac", Form::Pcm { rate: 8_000, channels: 1, bits: 16 }),
    ] {
        assert!(codecs::find(name, 1).unwrap().compress(b"seven b", &form).is_err(), "{name}");
    }
}

#[test]
fn versions_are_those_of_the_lock_file() {
    let lock = include_str!("../../../Cargo.lock");
    let others = codecs::names().into_iter().filter(|name| !name.starts_with("lmz"));
    let users: Vec<_> = others.map(|name| codecs::find(&name, 1).unwrap().version()).collect();
    for (name, version) in LIBRARIES {
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
            "{name} {version}"
        );
        assert!(
            users.iter().any(|user| user.contains(&format!("{name} {version}"))),
            "{name} is not named"
        );
    }
}

/// A codec that does what it is told to, which is not what a codec should.
struct Wrong(fn(&[u8]) -> Result<Vec<u8>, CodecFailure>);

impl Codec for Wrong {
    fn name(&self) -> &str {
        "wrong"
    }

    fn version(&self) -> String {
        "none".to_owned()
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        Ok(bytes.to_vec())
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        (self.0)(coded)
    }
}

#[test]
fn a_codec_that_lies_is_caught() {
    let data = [sample(Form::Bytes, b"some text".to_vec())];
    let result = |back| measure(&Wrong(back), &data, Settings::default());
    assert!(matches!(result(|_| Ok(b"some tExt".to_vec())), Err(Failure::Mismatch { at: 6, .. })));
    assert!(matches!(
        result(|_| Ok(b"some".to_vec())),
        Err(Failure::Mismatch { at: 4, found: 4, .. })
    ));
    assert!(matches!(result(|_| Err(CodecFailure("no".into()))), Err(Failure::Decompress { .. })));
    let honest = result(|coded| Ok(coded.to_vec())).unwrap();
    assert_eq!((honest.raw, honest.coded, honest.header_once), (9, 9, 9));
}

#[test]
fn a_header_is_counted_once() {
    let pieces = sample(Form::Bytes, TEXT.as_bytes().to_vec()).chunks(100);
    let gzip = codecs::find("gzip-9", 1).unwrap();
    let measured = measure(&*gzip, &pieces, Settings { repeat: 2, header: true }).unwrap();
    let alone = |bytes: &[u8]| gzip.compress(bytes, &Form::Bytes).unwrap().len() as u64;
    let sum: u64 = pieces.iter().map(|piece| alone(&piece.bytes)).sum();
    assert_eq!((measured.coded, measured.header), (sum, Some(alone(&[0]))));
    assert_eq!(measured.header_once, sum - (pieces.len() as u64 - 1) * alone(&[0]));
}

#[test]
fn a_process_of_its_own_measures_the_same_and_its_memory() {
    let worker = Worker::new(env!("CARGO_BIN_EXE_lmz-bench").into(), vec!["--bench-worker".into()]);
    let settings = Settings { repeat: 1, header: true };
    let job = |codec: &str| Job { codec: codec.to_owned(), threads: 1, settings };
    let pieces =
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, waves(5_000)).chunks(2_048);
    for name in ["flac", "gzip-9"] {
        let there = worker.measure(&job(name), &pieces).unwrap();
        let here = measure(&*codecs::find(name, 1).unwrap(), &pieces, settings).unwrap();
        assert_eq!(
            (there.coded, there.header_once, there.pieces),
            (here.coded, here.header_once, here.pieces)
        );
        if cfg!(target_os = "linux") {
            assert!(there.memory.is_some_and(|bytes| bytes > 1 << 20), "{:?}", there.memory);
        }
    }
    let error = worker.measure(&job("no-such"), &pieces).unwrap_err().to_string();
    assert!(error.contains("no codec no-such"), "{error}");
    let ended = Worker::new(env!("CARGO_BIN_EXE_lmz-bench").into(), vec!["--no-such-flag".into()]);
    assert!(matches!(ended.measure(&job("gzip-9"), &pieces), Err(Failure::Process { .. })));
}

/// A folder with a few small files.
fn files() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("set/deep")).unwrap();
    for (name, bytes) in [
        ("set/b.txt", TEXT.repeat(8).into_bytes()),
        ("set/a|b,c.txt", TEXT.as_bytes()[..90].to_vec()),
        ("set/deep/random", random(500)),
        ("set/empty", Vec::new()),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn lmz(folder: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lmz-bench"))
        .arg("compare")
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// What the command prints, which must go well.
fn printed(folder: &TempDir, args: &[&str]) -> String {
    let output = lmz(folder, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The command ends with this exit code and a message that holds `words`.
fn fails(output: &Output, code: i32, words: &str) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(words), "expected {words:?} in {message:?}");
}

const FEW: &str = "gzip-9,zstd-19,ppmd,lmz-none,png";

#[test]
fn tables_are_as_they_were() {
    let folder = files();
    for (format, golden) in [
        ("csv", include_str!("golden/compare.csv")),
        ("markdown", include_str!("golden/compare.md")),
        ("table", include_str!("golden/compare.txt")),
    ] {
        let text = printed(&folder, &["set", "--codecs", FEW, "--sizes-only", "--format", format]);
        // A release changes no table.
        let text =
            text.replace(concat!("\"lmz ", env!("CARGO_PKG_VERSION"), ","), "\"lmz VERSION,");
        if let Ok(to) = std::env::var("LMZ_NEW_GOLDEN") {
            let ending = if format == "table" {
                "txt"
            } else if format == "csv" {
                "csv"
            } else {
                "md"
            };
            fs::write(format!("{to}/compare.{ending}"), &text).unwrap();
        } else {
            assert_eq!(text, golden, "{format}; LMZ_NEW_GOLDEN=tests/golden writes new ones");
        }
    }
}

#[test]
fn csv_and_json_hold_the_same_numbers() {
    let folder = files();
    let few = "gzip-9,bzip2-9,lz4,flac-bytes,png";
    let args = ["set", "--codecs", few, "--chunk", "100", "--header-once", "--repeat", "2"];
    let state = ["--resume", "state"];
    let csv = printed(&folder, &[&args[..], &state, &["--format", "csv"]].concat());
    let json = printed(&folder, &[&args[..], &state, &["--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let objects = json["rows"].as_array().unwrap().iter().chain(json["totals"].as_array().unwrap());
    let mut lines = csv.lines().map(fields);
    let heads = lines.next().unwrap();
    let mut count = 0;
    for (line, object) in lines.zip(objects) {
        assert_eq!(line.len(), heads.len(), "{line:?}");
        for (head, field) in heads.iter().zip(&line) {
            match &object[head] {
                serde_json::Value::Null => assert_eq!(field, ""),
                serde_json::Value::String(text) => assert_eq!(field, text),
                number => {
                    assert_eq!(field.parse::<f64>().unwrap(), number.as_f64().unwrap(), "{head}")
                }
            }
        }
        count += 1;
    }
    // Pieces of bytes are no pictures: png has rows and no total.
    assert_eq!(count, 4 * 5 + 4);
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut out, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            c => out.last_mut().unwrap().push(c),
        }
    }
    out
}

#[test]
fn what_was_measured_is_not_measured_again() {
    let folder = files();
    let state = folder.path().join("state");
    let args = ["set", "--codecs", "gzip-9,lz4", "--resume", "state", "--format", "csv"];
    let first = printed(&folder, &args);
    let kept = fs::read_to_string(&state).unwrap();
    assert_eq!(kept.lines().count(), 8);
    // Times are the same only if they were not taken again. A line that was cut off is done again.
    assert_eq!(printed(&folder, &args), first);
    assert_eq!(fs::read_to_string(&state).unwrap(), kept);
    fs::write(&state, &kept[..kept.len() - 20]).unwrap();
    printed(&folder, &args);
    assert_eq!(fs::read_to_string(&state).unwrap().lines().count(), 8);
    // Other bytes and other settings are another matter.
    fs::write(folder.path().join("set/empty"), "no longer").unwrap();
    printed(&folder, &[&args[..], &["--chunk", "50"]].concat());
    assert_eq!(fs::read_to_string(&state).unwrap().lines().count(), 16);
    fs::write(&state, "something else\n").unwrap();
    fails(&lmz(&folder, &args), 1, "line 1");
    fs::write(&state, "no line").unwrap();
    fails(&lmz(&folder, &args), 1, "name another file");
    assert_eq!(fs::read(&state).unwrap(), b"no line");
}

#[test]
fn the_model_and_the_decoder_can_be_counted() {
    let folder = files();
    let common = ["set", "--codecs", "gzip-9,ppmd,lmz-none", "--resume", "state", "--sizes-only"];
    let json = |more: &[&str]| -> serde_json::Value {
        serde_json::from_str(&printed(&folder, &[&common, more, &["--format", "json"]].concat()))
            .unwrap()
    };
    let size = fs::metadata(env!("CARGO_BIN_EXE_lmz-bench")).unwrap().len();
    let total = &json(&["--total", "--decoder-size", "gzip-9=50KiB"])["total"];
    let cost = |codec: &str| {
        total["costs"].as_array().unwrap().iter().find(|c| c["codec"] == codec).unwrap()
    };
    assert_eq!(cost("gzip-9")["decoder_bytes"], 50 << 10);
    assert_eq!(cost("lmz-none")["decoder_bytes"], size);
    assert!(cost("ppmd")["decoder_bytes"].is_null());
    let against = |a: &str, b: &str| {
        let pairs = total["break_even"].as_array().unwrap();
        pairs.iter().find(|p| p["codec"] == a && p["against"] == b).cloned()
    };
    let rate = |codec: &str| {
        cost(codec)["coded_bytes"].as_f64().unwrap() / cost(codec)["raw_bytes"].as_f64().unwrap()
    };
    let expected = ((size - (50 << 10)) as f64 / (rate("gzip-9") - rate("lmz-none"))).ceil();
    assert_eq!(against("lmz-none", "gzip-9").unwrap()["from_bytes"], expected);
    assert_eq!(against("lmz-none", "ppmd").map(|p| p["bound"].clone()), Some("at most".into()));
    assert!(against("gzip-9", "lmz-none").is_none());
    let text = printed(&folder, &[&common[..], &["--total"]].concat());
    assert!(text.contains("not counted") && text.contains("this executable"), "{text}");
    fails(
        &lmz(&folder, &[&common[..], &["--total", "--format", "csv"]].concat()),
        2,
        "markdown or json",
    );
    fails(
        &lmz(&folder, &[&common[..], &["--total", "--decoder-size", "xz=1"]].concat()),
        2,
        "none of the codecs",
    );
    // No model, no difference.
    let adjusted = json(&["--adjusted", "--over", "1MB"]);
    for row in adjusted["totals"].as_array().unwrap() {
        assert_eq!(row["rate_percent"], row["adjusted_rate_percent"]);
    }
}

#[test]
fn the_adjusted_rate_holds_the_model() {
    let folder = files();
    let model = lmz::lm::rwkv7::Model::find("nano").unwrap();
    for (counting, bytes) in
        [("--adjusted=paper", 2 * model.weights().parameters()), ("--adjusted", model.stored())]
    {
        let args = [
            "set/b.txt",
            "--codecs",
            "gzip-9",
            "--model",
            "nano",
            "--format",
            "json",
            "--resume",
            "state",
        ];
        let json = printed(&folder, &[&args[..], &[counting, "--over", "1GB"]].concat());
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let totals = json["totals"].as_array().unwrap();
        let nano = totals.iter().find(|row| row["codec"] == "lmz-nano").unwrap();
        let added = nano["adjusted_rate_percent"].as_f64().unwrap()
            - nano["rate_percent"].as_f64().unwrap();
        assert!((added - bytes as f64 / 1e7).abs() < 0.011, "{added}");
    }
}

#[test]
fn plots_are_drawings_with_every_codec() {
    let folder = files();
    let names = "gzip-9,bzip2-9,xz-9e,zstd-3,zstd-19,brotli-5,lz4,lzw,ppmd,lmz-none,flac-bytes";
    printed(
        &folder,
        &["set", "--codecs", names, "--plot", "speed.svg", "--bars", "bars.svg", "-o", "table.txt"],
    );
    for file in ["speed.svg", "bars.svg"] {
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        let drawing = roxmltree::Document::parse(&text).unwrap();
        let texts: Vec<_> = drawing.descendants().filter_map(|node| node.text()).collect();
        for name in names.split(',') {
            assert!(texts.contains(&name), "{name} is not in {file}");
        }
        for node in drawing.descendants() {
            for attribute in node.attributes() {
                assert!(
                    !attribute.value().contains("NaN") && !attribute.value().contains("inf"),
                    "{attribute:?}"
                );
            }
        }
    }
    assert!(
        fs::read_to_string(folder.path().join("table.txt")).unwrap().contains("total of 4 files")
    );
}

#[test]
fn xz_stands_for_what_it_holds_if_asked() {
    let folder = files();
    let xz = codecs::find("xz-9e", 1).unwrap();
    let packed = xz.compress(TEXT.as_bytes(), &Form::Bytes).unwrap();
    fs::write(folder.path().join("one.xz"), &packed).unwrap();
    let csv =
        |args: &[&str]| printed(&folder, &[args, &["--codecs", "lz4", "--format", "csv"]].concat());
    assert!(csv(&["one.xz"]).contains(&format!("one.xz,lz4,{},", packed.len())));
    assert!(csv(&["one.xz", "--unpack-xz"]).contains(&format!("one,lz4,{},", TEXT.len())));
    fs::write(folder.path().join("bad.xz"), &packed[..packed.len() - 5]).unwrap();
    fails(
        &lmz(&folder, &["bad.xz", "--unpack-xz", "--codecs", "lz4"]),
        1,
        "expected a whole .xz file",
    );
}

#[test]
fn wrong_input_is_said_to_be_so() {
    let folder = files();
    fails(&lmz(&folder, &["missing"]), 1, "missing: cannot be read");
    fails(&lmz(&folder, &[]), 2, "expected files");
    fails(&lmz(&folder, &["set", "--codecs", "gzip"]), 2, "expected one of lmz-none");
    fails(&lmz(&folder, &["set", "--model", "no-such-model"]), 1, "no-such-model");
    fails(&lmz(&folder, &["set", "-o", "no/such/folder/table"]), 1, "cannot be written");
    fails(&lmz(&folder, &["set", "--plot", "set"]), 1, "found a folder");
    fails(&lmz(&folder, &["set", "--chunk", "0"]), 2, "1 byte or more");
    fails(&lmz(&folder, &["set", "--header-once"]), 2, "--chunk");
    fs::create_dir(folder.path().join("nothing")).unwrap();
    fails(&lmz(&folder, &["nothing"]), 1, "only empty folders");
    let list = printed(&folder, &["--codecs", "list"]);
    assert!(codecs::names().iter().all(|name| list.contains(name)), "{list}");
}
