//! The data sets of the experiments, and `lmz experiment` from end to end.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use lmz_bench::data::seven::Seven;
use lmz_bench::data::{self, DataFile, PATCH, PIECE, Picture, Sound, file};
use lmz_bench::experiment::explained::range;
use lmz_bench::{Form, codecs};
use tempfile::TempDir;

/// A picture with something in it.
fn picture(width: u32, height: u32, rgb: bool) -> Picture {
    let values = if rgb { 3 } else { 1 };
    let value = |i: u32| (i * 7 % 251 + i / width % 5) as u8;
    Picture { width, height, rgb, bytes: (0..width * height * values).map(value).collect() }
}

fn png(
    width: u32,
    height: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    palette: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn png_of_each_kind() {
    use png::BitDepth::{Eight, One, Sixteen};
    use png::ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    let [gray, rgb] = [picture(5, 4, false), picture(5, 4, true)];
    assert_eq!(Picture::read(&png(5, 4, Grayscale, Eight, &[], &gray.bytes)).unwrap(), gray);
    assert_eq!(Picture::read(&png(5, 4, Rgb, Eight, &[], &rgb.bytes)).unwrap(), rgb);
    let colors = Picture::read(&png(2, 1, Indexed, Eight, &[1, 2, 3, 4, 5, 6], &[1, 0])).unwrap();
    assert_eq!((colors.rgb, &colors.bytes[..]), (true, &[4, 5, 6, 1, 2, 3][..]));
    let bits = Picture::read(&png(3, 1, Grayscale, One, &[], &[0b1010_0000])).unwrap();
    assert_eq!((bits.rgb, &bits.bytes[..]), (false, &[255, 0, 255][..]));
    let opaque =
        Picture::read(&png(1, 2, Rgba, Eight, &[], &[1, 2, 3, 255, 4, 5, 6, 255])).unwrap();
    assert_eq!((opaque.rgb, &opaque.bytes[..]), (true, &[1, 2, 3, 4, 5, 6][..]));
    let clear = Picture::read(&png(1, 1, GrayscaleAlpha, Eight, &[], &[9, 254])).unwrap_err();
    assert!(clear.contains("opaque") && clear.contains("remove the alpha"), "{clear}");
    let deep = Picture::read(&png(1, 1, Grayscale, Sixteen, &[], &[9, 9])).unwrap_err();
    assert!(deep.contains("expected 8 bits") && deep.contains("16"), "{deep}");
    let whole = png(5, 4, Rgb, Eight, &[], &rgb.bytes);
    for cut in 0..whole.len() - 12 {
        assert!(Picture::read(&whole[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn pgm_and_ppm() {
    let [gray, rgb] = [picture(5, 4, false), picture(5, 4, true)];
    let file = |head: &str, pixels: &[u8]| [head.as_bytes(), pixels].concat();
    assert_eq!(Picture::read(&file("P5\n# made here\n5 4\n255\n", &gray.bytes)).unwrap(), gray);
    assert_eq!(Picture::read(&file("P6 5 4 255 ", &rgb.bytes)).unwrap(), rgb);
    for (head, words) in [
        ("P5 5 4 65535\n", "expected 8 bits"),
        ("P5 5 5 255\n", "expected 25 bytes"),
        ("P5 5 3 255\n", "expected 15 bytes"),
        ("P5 4294967296 3 255\n", "the width"),
        ("P5 4294967295 4294967295 255\n", "bytes of pixels"),
        ("P5 # no end", "the width"),
        ("P5 5", "the height"),
        ("P2 5 4 255\n", "binary PGM"),
        ("", "binary PGM"),
    ] {
        let pixels: &[u8] = if head.ends_with('\n') { &gray.bytes } else { b"" };
        let error = Picture::read(&file(head, pixels)).unwrap_err();
        assert!(error.contains(words), "{head:?}: {error}");
    }
    assert!(Picture::read(b"P5 0 4 255\n").is_err());
}

#[test]
fn patches_make_up_the_picture() {
    let picture = picture(3 * PATCH.0, 2 * PATCH.1, true).gray();
    let patches = picture.patches();
    assert_eq!(patches.len(), 6);
    let mut again = vec![0; picture.bytes.len()];
    for (number, patch) in patches.iter().enumerate() {
        assert_eq!((patch.width, patch.height, patch.bytes.len()), (64, 32, PIECE));
        let (left, top) = (number % 3 * 64, number / 3 * 32);
        for (row, line) in patch.bytes.chunks_exact(64).enumerate() {
            let at = (top + row) * 192 + left;
            again[at..at + 64].copy_from_slice(line);
        }
    }
    assert_eq!(again, picture.bytes);
    // What fills no patch is left out; gray is the mean, rounded down.
    assert_eq!(self::picture(127, 63, false).patches().len(), 1);
    let colors = Picture { width: 2, height: 1, rgb: true, bytes: vec![255, 255, 255, 0, 1, 1] };
    assert_eq!(colors.gray().bytes, [255, 0]);
    let middle = self::picture(100, 50, true).middle(3 * 200);
    assert_eq!((middle.width, middle.height, middle.bytes.len()), (20, 10, 600));
    assert_eq!(self::picture(9, 5, true).middle(1 << 20), self::picture(9, 5, true));
}

/// A WAV file with any numbers in its head.
fn wav(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let frame = channels.wrapping_mul(bits / 8);
    let mut out = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0odd\0fmt \x10\0\0\0".to_vec();
    [format, channels].iter().for_each(|n| out.extend(n.to_le_bytes()));
    [rate, rate * u32::from(frame)].iter().for_each(|n| out.extend(n.to_le_bytes()));
    [frame, bits].iter().for_each(|n| out.extend(n.to_le_bytes()));
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

#[test]
fn wav_of_each_kind() {
    let eight = Sound::read(&wav(1, 1, 16_000, 8, &[0, 128, 255])).unwrap();
    assert_eq!(
        (eight.samples.clone(), eight.eight_bits()),
        (vec![-128, 0, 127], vec![0, 128, 255])
    );
    let stereo = Sound::read(&wav(1, 2, 44_100, 16, &[0, 128, 1, 0, 255, 127, 255, 255])).unwrap();
    assert_eq!((stereo.channels, &stereo.samples[..]), (2, &[-32768, 1, 32767, -1][..]));
    // The first channel, the upper byte, plus 128.
    assert_eq!(stereo.eight_bits(), [0, 255]);
    let wide = Sound::read(&wav(1, 1, 16_000, 24, &[0, 0, 128, 255, 255, 255])).unwrap();
    assert_eq!((&wide.samples[..], wide.eight_bits()), (&[-8_388_608, -1][..], vec![0, 127]));
    for (file, words) in [
        (wav(3, 1, 16_000, 16, &[0, 0]), "found format 3"),
        (wav(1, 1, 16_000, 32, &[0; 4]), "found 32"),
        (wav(1, 0, 16_000, 16, &[0, 0]), "head is damaged"),
        (wav(1, 1, 0, 16, &[0, 0]), "head is damaged"),
        (wav(1, 2, 16_000, 16, &[0, 0]), "a multiple of 4"),
        (b"RIFF\0\0\0\0WAVE".to_vec(), "found none"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(), "the format before"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\x01\0".to_vec(), "16 bytes or more"),
        (b"OggS".to_vec(), "another beginning"),
    ] {
        let error = Sound::read(&file).unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
    let whole = wav(1, 1, 16_000, 16, &[1; 100]);
    for cut in 0..whole.len() {
        assert!(Sound::read(&whole[..cut]).is_err(), "{cut}");
    }
    // Any byte of the head may be wrong: that is an error or other sound, and no panic.
    for at in 0..56 {
        for value in [0, 1, 127, 255] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let _ = Sound::read(&damaged).map(|sound| sound.eight_bits());
        }
    }
}

#[test]
fn flac_is_read_as_it_was_written() {
    let form = Form::Pcm { rate: 16_000, channels: 1, bits: 16 };
    let bytes: Vec<u8> =
        (0..9_000_i32).flat_map(|i| ((i * i / 7 % 3_000 - 1_500) as i16).to_le_bytes()).collect();
    let coded = codecs::find("flac", 1).unwrap().compress(&bytes, &form).unwrap();
    let sound = Sound::read(&coded).unwrap();
    assert_eq!((sound.rate, sound.channels, sound.bits), (16_000, 1, 16));
    let again: Vec<u8> =
        sound.samples.iter().flat_map(|sample| (*sample as i16).to_le_bytes()).collect();
    assert!(again == bytes);
    for cut in (0..coded.len()).step_by(101) {
        assert!(Sound::read(&coded[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn the_way_with_seven_bits() {
    let set = data::random(3 * PIECE as u64);
    let shifted = Seven::new(&set, false);
    assert_eq!((shifted.raw, shifted.lost), (6_144, 6_144));
    assert!((shifted.rate(2_688) - 2_688.0 / 6_144.0 * 8.0 / 7.0).abs() < 1e-12);
    assert!((shifted.bound(2_688) - (2_688.0 / 6_144.0 + 0.125)).abs() < 1e-12);
    // The paper's own figures, as docs with them say: 42.0 is 48.0 / 8 * 7.
    assert!((shifted.bound((0.42 * 6_144.0) as u64) - 0.545).abs() < 1e-3);
    for (piece, seven) in set.pieces.iter().zip(&shifted.pieces) {
        assert!(piece.bytes.iter().zip(&seven.bytes).all(|(b, s)| b >> 1 == *s));
    }
    let masked = Seven::new(&set, true);
    let high =
        set.pieces.iter().flat_map(|piece| &piece.bytes).filter(|b| **b > 127).count() as u64;
    assert_eq!(masked.lost, high);
    assert!(masked.pieces.iter().flat_map(|piece| &piece.bytes).all(|b| *b < 128));
    let bits = 8.0 * 6_144.0;
    assert!((masked.rate(100) - 100.0 / 6_144.0 * bits / (bits - high as f64)).abs() < 1e-12);
}

#[test]
fn the_random_set_is_always_the_same() {
    let set = data::random(2 * PIECE as u64 + 5);
    assert_eq!((set.pieces.len(), set.raw()), (2, 2 * PIECE as u64));
    assert_eq!(set.whole().bytes, data::random(2 * PIECE as u64).whole().bytes);
    assert_eq!(set.whole().bytes[..4], data::random(PIECE as u64).whole().bytes[..4]);
}

/// A folder with a little of everything, made here.
fn tiny() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join("data").join(name);
    for name in ["text/enwik", "text/sub", "image", "audio"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    let line = "The quick brown fox jumps over the lazy dog, and the dog does not mind it at all. ";
    fs::write(path("text/enwik/enwik3"), &line.repeat(20)[..1_000]).unwrap();
    fs::write(path("text/enwik/enwik4"), line.repeat(60)).unwrap();
    fs::write(path("text/a.txt"), line.repeat(40)).unwrap();
    let packed = codecs::find("xz-9e", 1)
        .unwrap()
        .compress(line.repeat(30).replace("dog", "cat").as_bytes(), &Form::Bytes);
    fs::write(path("text/sub/b.txt.xz"), packed.unwrap()).unwrap();
    let waves = |x: u32, y: u32| {
        (128.0 + 60.0 * (f64::from(x) / 9.0).sin() + 50.0 * (f64::from(y) / 7.0).cos()) as u8
    };
    let pixels: Vec<u8> =
        (0..64).flat_map(|y| (0..128).flat_map(move |x| [waves(x, y), waves(y, x), 90])).collect();
    fs::write(
        path("image/waves.png"),
        png(128, 64, png::ColorType::Rgb, png::BitDepth::Eight, &[], &pixels),
    )
    .unwrap();
    fs::write(path("image/waves.ppm"), [&b"P6 128 64 255\n"[..], &pixels].concat()).unwrap();
    fs::write(path("image/README"), "no picture").unwrap();
    let samples: Vec<u8> = (0..6_000)
        .flat_map(|i| (((f64::from(i) / 11.0).sin() * 9_000.0) as i16).to_le_bytes())
        .collect();
    fs::write(path("audio/tone.wav"), wav(1, 1, 16_000, 16, &samples)).unwrap();
    folder
}

fn files(folder: &TempDir, name: &str) -> Vec<DataFile> {
    file::find(&[folder.path().join("data").join(name)], true).unwrap()
}

#[test]
fn sets_are_whole_pieces_within_the_limit() {
    let folder = tiny();
    let text = data::text("text", &files(&folder, "text/enwik"), 1 << 20).unwrap();
    // A file that begins another is left out, and what fills no piece.
    assert_eq!((text.files.len(), text.raw()), (1, 4_096));
    assert_eq!(data::text("text", &files(&folder, "text/enwik"), 100).unwrap().raw(), 100);
    let image = data::image(&files(&folder, "image"), 6 * PIECE as u64).unwrap();
    assert_eq!((image.pieces.len(), image.files.len()), (6, 2));
    assert_eq!(image.whole().form, Form::Gray { width: 64, height: 6 * 32 });
    assert!(image.whole().form.fits(image.whole().bytes.len()));
    let audio = data::audio(&files(&folder, "audio"), 1 << 20).unwrap();
    assert_eq!(
        (audio.pieces.len(), audio.pieces[0].form),
        (2, Form::Pcm { rate: 16_000, channels: 1, bits: 8 })
    );
    let pictures = data::picture(&files(&folder, "image"), 1 << 20).unwrap();
    assert_eq!(pictures.raw(), 2 * 3 * 128 * 64);
    let part = data::picture(&files(&folder, "image"), 3_000).unwrap();
    assert!(
        part.raw() <= 3_000 && part.pieces.iter().all(|piece| piece.form.fits(piece.bytes.len()))
    );
    let sound = data::sound(&files(&folder, "audio"), 4_001).unwrap();
    assert_eq!(sound.raw(), 4_000);
    fs::write(folder.path().join("data/audio/slow.wav"), wav(1, 1, 8_000, 16, &[0; 9_000]))
        .unwrap();
    let error = data::audio(&files(&folder, "audio"), 1 << 20).unwrap_err().to_string();
    assert!(
        error.contains("slow.wav") && error.contains("expected 16000") && error.contains("8000"),
        "{error}"
    );
    assert!(data::image(&files(&folder, "text"), 1 << 20).is_err());
}

fn experiment(folder: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lmz-bench"))
        .arg("experiment")
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Runs one on the tiny set, and gives its files: CSV, JSON and Markdown.
fn run(folder: &TempDir, name: &str, more: &[&str]) -> (String, serde_json::Value, String) {
    let output = experiment(
        folder,
        &[&[name, "--data", "data", "--out", "out", "--limit", "4KiB"], more].concat(),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |ending: &str| {
        fs::read_to_string(folder.path().join(format!("out/{name}.{ending}"))).unwrap()
    };
    (read("csv"), serde_json::from_str(&read("json")).unwrap(), read("md"))
}

/// Every drawing in a folder is one.
fn drawings(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "svg") {
            let text = fs::read_to_string(&path).unwrap();
            let drawing = roxmltree::Document::parse(&text).unwrap();
            for attribute in
                drawing.descendants().flat_map(|node| node.attributes().collect::<Vec<_>>())
            {
                assert!(
                    !attribute.value().contains("NaN") && !attribute.value().contains("inf"),
                    "{path:?} {attribute:?}"
                );
            }
            count += 1;
        }
    }
    count
}

const FEW: &str = "gzip-9,png,png-bytes,flac,flac-bytes,webp,lmz-none";

#[test]
fn the_table_is_as_it_was() {
    let folder = tiny();
    let (csv, json, markdown) = run(&folder, "table", &["--codecs", FEW, "-q"]);
    // Sizes only: versions have a test of their own.
    let sizes: String = csv
        .lines()
        .map(|line| line.split(',').take(9).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    if std::env::var_os("LMZ_NEW_GOLDEN").is_some() {
        fs::write("tests/golden/experiment.csv", &sizes).unwrap();
    } else {
        assert_eq!(
            sizes,
            include_str!("golden/experiment.csv"),
            "LMZ_NEW_GOLDEN=1 writes a new one"
        );
    }
    assert_eq!(json["rows"].as_array().unwrap().len(), csv.lines().count() - 1);
    assert_eq!(json["sets"].as_array().unwrap().len(), 7);
    for words in [
        "*quoted: Chinchilla 70B*",
        "43.4%",
        "*48.0*",
        "lmz experiment table --data data",
        "## Made by",
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    assert_eq!(drawings(&folder.path().join("out")), 2);
    // Nothing is measured twice.
    let state = fs::read_to_string(folder.path().join("out/measured.state")).unwrap();
    let (again, ..) = run(&folder, "table", &["--codecs", FEW, "-q"]);
    assert_eq!(again, csv);
    assert_eq!(fs::read_to_string(folder.path().join("out/measured.state")).unwrap(), state);
}

#[test]
fn the_paper_s_way_is_labelled() {
    let folder = tiny();
    let (_, json, markdown) =
        run(&folder, "table", &["--codecs", "lmz-nano-7bit", "--over", "1MB"]);
    assert!(markdown.contains("NOT LOSSLESS") && markdown.contains("lmz-nano-7bit"), "{markdown}");
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for row in rows {
        assert_eq!(row["lossless"], false);
        let (coded, raw) =
            (row["header_once_bytes"].as_f64().unwrap(), row["raw_bytes"].as_f64().unwrap());
        let bits = 8.0 * raw;
        let rate = 100.0 * coded / raw * bits / (bits - row["lost_bits"].as_f64().unwrap());
        assert!((row["rate_percent"].as_f64().unwrap() - rate).abs() < 0.006, "{row}");
        assert!(
            (row["upper_bound_percent"].as_f64().unwrap() - 100.0 * coded / raw - 12.5).abs()
                < 0.006,
            "{row}"
        );
    }
}

#[test]
fn scaling_counts_the_model_and_says_what_is_extrapolated() {
    let folder = tiny();
    let (csv, json, markdown) =
        run(&folder, "scaling", &["--codecs", "gzip-9,lmz-none", "--set", "enwik"]);
    let rows = json["rows"].as_array().unwrap();
    let measured: Vec<_> = rows.iter().filter(|row| row["extrapolated"] == false).collect();
    assert_eq!(measured.len(), 2 * 3, "{csv}");
    assert!(measured.iter().all(|row| row["coded_bytes"].is_u64()));
    let last = rows.iter().rfind(|row| row["codec"] == "gzip-9").unwrap();
    assert_eq!(
        (&last["raw_bytes"], &last["extrapolated"]),
        (&1_000_000_000_000_u64.into(), &true.into())
    );
    // Without a model nothing is added.
    assert!(rows.iter().all(|row| row["rate_percent"] == row["adjusted_paper_percent"]));
    assert!(
        markdown.contains("EXTRAPOLATED") && markdown.contains("| ~ 1,000,000,000 |"),
        "{markdown}"
    );
    assert_eq!(drawings(&folder.path().join("out")), 2);
    let svg = fs::read_to_string(folder.path().join("out/scaling-paper.svg")).unwrap();
    assert!(svg.contains("stroke-dasharray"));
}

#[test]
fn context_sums_to_the_archives() {
    let folder = tiny();
    let (_, json, _) =
        run(&folder, "context", &["--codecs", "lmz-none", "--set", "image", "-T", "2"]);
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    assert_eq!(
        (rows[7]["from"].as_u64(), rows[7]["to"].as_u64()),
        (Some(range(7).start), Some(PIECE as u64))
    );
    let number = |row: &serde_json::Value, key: &str| row[key].as_f64().unwrap();
    assert_eq!(rows.iter().map(|row| number(row, "bytes")).sum::<f64>(), 4096.0);
    let bits: f64 =
        rows.iter().map(|row| number(row, "bytes") * number(row, "bits_per_byte")).sum();
    let set = data::image(&files(&folder, "image"), 4096).unwrap();
    let none = codecs::find("lmz-none", 1).unwrap();
    let archives: usize = set
        .pieces
        .iter()
        .map(|piece| none.compress(&piece.bytes, &piece.form).unwrap().len())
        .sum();
    // Heads and checks are not in it.
    let heads = archives as f64 - bits / 8.0;
    assert!(heads > 0.0 && heads < 2.0 * 32.0, "{archives} bytes, {} of them costs", bits / 8.0);
    assert_eq!(drawings(&folder.path().join("out")), 1);
    let wrong =
        experiment(&folder, &["context", "--data", "data", "--out", "out", "--codecs", "gzip-9"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("expected lmz"), "{wrong:?}");
}

#[test]
fn tokens_are_counted() {
    let folder = tiny();
    let names = "ppmd,lmz-none,lmz-nano";
    let (_, json, _) = run(&folder, "tokens", &["--codecs", names]);
    for row in json["rows"].as_array().unwrap() {
        let [raw, symbols, bits] =
            ["raw_bytes", "symbols", "bits_per_byte"].map(|key| row[key].as_f64().unwrap());
        if row["codec"] == "lmz-nano" {
            assert!(row["alphabet"] == 4096 && symbols < raw / 2.0, "{row}");
            assert!(row["model_alone_bits_per_byte"].as_f64().unwrap() > bits / 2.0, "{row}");
        } else {
            assert!(row["alphabet"] == 256 && symbols == raw, "{row}");
        }
        assert!(
            (row["bits_per_symbol"].as_f64().unwrap() * symbols / raw - bits).abs() < 0.001,
            "{row}"
        );
    }
    assert_eq!(drawings(&folder.path().join("out")), 1);
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = tiny();
    let fails = |args: &[&str], code: i32, words: &str| {
        let output = experiment(&folder, args);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(code) && message.contains(words),
            "{args:?}: {message}"
        );
    };
    fails(&["table", "--data", "missing", "--out", "out"], 1, "cannot be read");
    fails(&["table", "--data", "data"], 2, "--out");
    fails(&["table", "--data", "data", "--out", "data/text/a.txt"], 1, "expected a folder");
    fails(&["table", "--data", "data", "--out", "out", "--codecs", "zip"], 2, "no codec zip");
    fails(
        &["scaling", "--data", "data/text/a.txt", "--out", "out", "--set", "image"],
        1,
        "--set names another",
    );
    fails(&["scaling", "--data", "data", "--out", "out", "--set", "video"], 2, "possible values");
    fails(&["tokens", "--data", "data", "--out", "out", "--model", "no-such"], 1, "no-such");
    fs::write(folder.path().join("data/image/bad.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    fails(&["table", "--data", "data", "--out", "out", "--codecs", "lz4"], 1, "bad.png");
    // A file is text.
    let output = experiment(
        &folder,
        &["table", "--data", "data/text/a.txt", "--out", "one", "--codecs", "lz4"],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        fs::read_to_string(folder.path().join("one/table.csv")).unwrap().lines().count(),
        1 + 4
    );
}
