//! `lmz score`: what it prints, and of what.

use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{ends, fails, folder_with, lmz, ok, piped};
use serde_json::Value;

const TEXT: &[u8] = b"It was a dark and stormy night;\nthe rain fell in torrents, the rain fell.\n";

fn printed(folder: &TempDir, args: &[&str]) -> String {
    let output = lmz(folder, args);
    ok(&output);
    String::from_utf8(output.stdout).unwrap()
}

fn json(folder: &TempDir, args: &[&str]) -> Vec<Value> {
    printed(folder, args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bits(line: &Value) -> f64 {
    line["bits"].as_f64().unwrap()
}

#[test]
fn files_and_their_sum() {
    let folder = folder_with("a", TEXT);
    std::fs::write(folder.path().join("b"), b"other words").unwrap();
    let text = printed(&folder, &["score", "-1", "a", "b"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 4 && lines[0].contains("bits/byte") && lines[3].ends_with("total"));
    let lines = json(&folder, &["score", "-1", "--json", "a", "b"]);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["document"], "a");
    assert_eq!(lines[0]["words"], 15);
    assert_eq!(lines[2]["document"], Value::Null);
    assert!((bits(&lines[0]) + bits(&lines[1]) - bits(&lines[2])).abs() < 1e-9);
    let figure = |name: &str| lines[0][name].as_f64().unwrap();
    assert!((figure("bits_per_byte") * TEXT.len() as f64 - bits(&lines[0])).abs() < 1e-9);
    assert!((figure("loglikelihood") + bits(&lines[0]) * 2f64.ln()).abs() < 1e-9);
    assert!((figure("word_perplexity").log2() * 15.0 - bits(&lines[0])).abs() < 1e-9);
}

/// Each predictor by its name, and what stands before.
#[test]
fn predictors() {
    let folder = folder_with("a", TEXT);
    let score = |options: &[&str]| {
        bits(&json(&folder, &[&["score", "--json"], options, &["a"]].concat())[0])
    };
    let (base, none) = (score(&[]), score(&["--model", "none"]));
    assert!(base < none, "{base} and {none}");
    assert_eq!(score(&["-3"]), base);
    assert_eq!(score(&["-1"]), none);
    assert!(score(&["--mix", "off"]) > base);
    assert!(score(&["--model", "ppm"]) > none);
    let behind = score(&["-1", "--prefix", "a"]);
    assert!(behind < none / 2.0, "{behind} behind itself, {none} alone");
    assert_eq!(score(&["-1", "-D", "a"]), behind);
}

#[test]
fn tables_of_what_each_part_costs() {
    let folder = folder_with("a", TEXT);
    let whole = bits(&json(&folder, &["score", "--json", "a"])[0]);
    for (by, most) in [("token", TEXT.len()), ("word", 16), ("line", 2), ("document", 1)] {
        let table = printed(&folder, &["score", "--by", by, "a"]);
        let mut lines = table.lines();
        assert_eq!(lines.next(), Some("offset\ttoken\tsurprisal\tcumulative\tdocument"));
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
        assert!(rows.len() <= most && rows.iter().all(|row| row.len() == 5), "{table}");
        assert_eq!(rows[0][0], "0");
        let last: f64 = rows.last().unwrap()[3].parse().unwrap();
        assert!((last - whole).abs() < 1e-3, "{last} and {whole}");
        if by == "line" {
            assert_eq!(rows[0][1], "It was a dark and stormy night;\\n");
        }
    }
    assert_eq!(
        printed(&folder, &["score", "--tsv", "a"]),
        printed(&folder, &["score", "--by", "token", "a"])
    );
    let units = &json(&folder, &["score", "--json", "--by", "word", "a"])[0]["units"];
    assert_eq!(units[1]["text"], " was");
    assert_eq!(units[1]["offset"], 2);
}

#[test]
fn documents_in_lines_of_json() {
    let lines = "{\"text\": \"one document\", \"n\": 1}\n\n{\"text\": \"and \\u00e9 another\"}\n";
    let folder = folder_with("a.jsonl", lines.as_bytes());
    std::fs::write(folder.path().join("one"), "one document").unwrap();
    let found = json(&folder, &["score", "-1", "--field", "text", "--json", "a.jsonl"]);
    let names: Vec<&Value> = found.iter().map(|line| &line["document"]).collect();
    assert_eq!(names, [&Value::from("a.jsonl:1"), &Value::from("a.jsonl:3"), &Value::Null]);
    assert_eq!(found[0]["bits"], json(&folder, &["score", "-1", "--json", "one"])[0]["bits"]);
    for (content, words) in [
        ("{\"n\": 1}\n", "expected a field \"text\", found n"),
        ("{\"text\": 1}\n", "expected a string"),
        ("no json\n", "line 1"),
    ] {
        let folder = folder_with("a", content.as_bytes());
        fails(&lmz(&folder, &["score", "-1", "--field", "text", "a"]), words);
    }
}

#[test]
fn standard_input_and_what_is_missing() {
    let folder = folder_with("a", TEXT);
    let output = piped(&folder, &["score", "-1", "--tsv"], TEXT);
    ok(&output);
    let named = printed(&folder, &["score", "-1", "--tsv", "a"]).replace("\ta\n", "\t-\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), named);
    fails(&lmz(&folder, &["score", "-1", "b"]), "cannot be read");
    fails(&lmz(&folder, &["score", "-1", "-D", "b", "a"]), "prefix b");
    ends(&lmz(&folder, &["score", "--model", "nosuch", "a"]), 2, "nosuch");
    ends(&lmz(&folder, &["score", "-1", "--model", "base", "a"]), 2, "cannot be used with");
}
