//! The command `lmz experiment`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use lmz_bench::codecs;
use lmz_bench::data::{self, PIECE};
use lmz_bench::experiment::explained::range;
use tempfile::TempDir;

#[path = "common/data.rs"]
mod common;

use common::{files, tiny};

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
    fails(&["tokens", "--data", "data", "--out", "out", "--model", "no-such"], 2, "no-such");
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
