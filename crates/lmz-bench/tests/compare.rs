//! The command `lmz compare`: its tables, drawings and totals, and what it says of wrong input.

use std::fs;
use std::process::{Command, Output};

use lmz_bench::{Form, codecs};
use tempfile::TempDir;

#[path = "common/bytes.rs"]
mod bytes;

use bytes::{TEXT, random};

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
    fails(&lmz(&folder, &["set", "--model", "no-such-model"]), 2, "no-such-model");
    fails(&lmz(&folder, &["set", "-o", "no/such/folder/table"]), 1, "cannot be written");
    fails(&lmz(&folder, &["set", "--plot", "set"]), 1, "found a folder");
    fails(&lmz(&folder, &["set", "--chunk", "0"]), 2, "1 byte or more");
    fails(&lmz(&folder, &["set", "--header-once"]), 2, "--chunk");
    fs::create_dir(folder.path().join("nothing")).unwrap();
    fails(&lmz(&folder, &["nothing"]), 1, "only empty folders");
    let list = printed(&folder, &["--codecs", "list"]);
    assert!(codecs::names().iter().all(|name| list.contains(name)), "{list}");
}
