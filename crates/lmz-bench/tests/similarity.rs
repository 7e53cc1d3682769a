//! The commands of similarity: what they print and write, and what they say of wrong input.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

fn bench(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lmz-bench"));
    command.args(args).current_dir(folder).output().unwrap()
}

fn printed(folder: &TempDir, args: &[&str]) -> String {
    let output = bench(folder, args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(folder: &TempDir, args: &[&str], code: i32, words: &str) {
    let output = bench(folder, args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(words), "expected {words:?} in {message:?}");
}

/// Two texts in English, two in German, and numbers.
fn texts() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("t")).unwrap();
    for (name, text) in [
        ("de-a", "Der Regen in der Ebene und der Wind auf dem Berg, und der Schnee im Tal. "),
        ("de-b", "Und der Wind in der Ebene und der Regen im Tal und der Schnee auf dem Berg. "),
        ("en-a", "The rain in the plain and the wind on the hill, and the snow in the vale. "),
        ("en-b", "And the wind in the plain and the rain in the vale and the snow on the hill. "),
        ("num", "0192 8374 6510 2938 4756 5647 3829 1065 7483 9201 1122 3344 5566 7788 9900 "),
    ] {
        fs::write(folder.path().join("t").join(name), text.repeat(4)).unwrap();
    }
    let labels = "de-a\tde\nde-b\tde\nen-a\ten\nen-b\ten\nnum\tnum\n";
    fs::write(folder.path().join("labels.tsv"), labels).unwrap();
    folder
}

#[test]
fn pairs_and_all_measures() {
    let folder = texts();
    let text = printed(&folder, &["similar", "t/en-a", "t/en-b", "t/num"]);
    // A heading, each with itself, and three pairs.
    assert_eq!(text.lines().count(), 1 + 3 + 3, "{text}");
    for codec in [&["--codec", "xz-9e"][..], &["--codec", "lmz-none"], &["-D"]] {
        let args = [&["similar", "--json", "t/en-a", "t/en-b", "t/num"], codec].concat();
        let lines: Vec<serde_json::Value> = printed(&folder, &args)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for line in &lines {
            let number = |name: &str| line[name].as_f64().unwrap();
            let (a, b, c) = (number("length_x"), number("length_y"), number("length_xy"));
            let shared = a + b - c;
            for (name, against) in
                [("ncd", a.max(b)), ("cdm", a + b), ("clm", c), ("cosine", (a * b).sqrt())]
            {
                assert!((number(name) - (1.0 - shared / against)).abs() < 1e-9, "{line}");
            }
        }
        let ncd = |at: usize| lines[at]["ncd"].as_f64().unwrap();
        assert!(ncd(0) < ncd(3) && ncd(3) < ncd(4), "itself, alike, unlike: {lines:?}");
    }
}

#[test]
fn matrices_trees_and_pictures() {
    let folder = texts();
    let files = ["--tree", "tree.svg", "--newick", "tree.nwk", "--heat-map", "heat.svg"];
    let args = [&["distances", "t", "--labels", "labels.tsv", "--resume", "state"], &files[..]];
    let output = bench(&folder, &args.concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("distance of a file to itself: 0.0"), "{told}");
    assert!(told.contains("nearest file of the same class: 4 of 5, 0 undecided"), "{told}");
    let csv = String::from_utf8(output.stdout).unwrap();
    assert!(csv.starts_with("name,t/de-a,t/de-b,t/en-a,t/en-b,t/num\n"), "{csv}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for name in ["tree.svg", "heat.svg"] {
        let svg = read(name);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        let said: Vec<&str> = texts.filter_map(|node| node.text()).collect();
        assert!(said.contains(&"t/num") && said.contains(&"NCD by lmz-none"), "{said:?}");
    }
    let newick = read("tree.nwk");
    assert!(newick.ends_with(");\n") && newick.matches("t/").count() == 5, "{newick}");
    // What is known is not found out again, and comes out the same; 5 + 15 lengths.
    assert_eq!(read("state").lines().count(), 20);
    assert_eq!(printed(&folder, &["distances", "-q", "t", "--resume", "state"]), csv);
    assert_eq!(read("state").lines().count(), 20);
    let phylip = printed(&folder, &["distances", "-q", "t", "--format", "phylip", "-D"]);
    assert!(phylip.starts_with("5\nt/de-a     0."), "{phylip}");
    printed(
        &folder,
        &["distances", "-q", "t", "--join", "nj", "--measure", "cdm", "--newick", "n"],
    );
    assert_ne!(read("n"), newick);
    assert!(read("n").ends_with(");\n"), "{}", read("n"));
    let args = ["distances", "-q", "t", "--format", "npy", "-o", "d.npy", "--codec", "gzip-9"];
    printed(&folder, &args);
    let npy = fs::read(folder.path().join("d.npy")).unwrap();
    assert!(npy.starts_with(b"\x93NUMPY") && npy.len() > 25 * 8);
}

#[test]
fn what_cannot_be_compared() {
    let folder = texts();
    fails(&folder, &["distances", "t", "--codec", "zip"], 2, "no codec zip");
    fails(&folder, &["distances", "t", "-D", "--codec", "gzip-9"], 1, "conditional code length");
    fails(&folder, &["distances", "nosuch"], 1, "nosuch");
    fails(&folder, &["distances"], 2, "required");
    fails(&folder, &["distances", "t", "-o", "t/num"], 1, "t/num");
    fs::write(folder.path().join("bad.tsv"), "de-a de\n").unwrap();
    fails(&folder, &["distances", "t", "--labels", "bad.tsv"], 1, "line 1: expected a name, a tab");
    fs::write(folder.path().join("few.tsv"), "de-a\tde\n").unwrap();
    fails(&folder, &["distances", "t", "--labels", "few.tsv"], 1, "expected a line of t/de-b");
}

#[test]
fn classes_by_both_ways() {
    let folder = texts();
    for (class, names) in [("de", ["de-a"]), ("en", ["en-a"]), ("num", ["num"])] {
        fs::create_dir_all(folder.path().join("train").join(class)).unwrap();
        for name in names {
            let to = folder.path().join("train").join(class).join(name);
            fs::copy(folder.path().join("t").join(name), to).unwrap();
        }
    }
    let test = "de\tder Schnee in der Ebene\nen\tthe snow in the plain\nnum\t8374 2938\n";
    fs::write(folder.path().join("test.tsv"), test).unwrap();
    for args in [
        &["--by", "class"][..],
        &["--by", "class", "--codec", "lmz-none", "--prime", "4KiB"],
        &["--by", "neighbour", "--codec", "ppmd"],
    ] {
        let all =
            [&["classify", "-q", "--train", "train", "test.tsv", "-o", "found"], args].concat();
        let text = printed(&folder, &all);
        assert!(text.contains("accuracy 1.0000 (3 right, 0 undecided, 0 wrong)"), "{text}");
        let found = fs::read_to_string(folder.path().join("found")).unwrap();
        assert_eq!(found.lines().next(), Some("test.tsv:1\tde\tde"));
    }
    let json = printed(&folder, &["classify", "--json", "--train", "train", "test.tsv"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["right"], &json["test"], &json["train"]), (&3.into(), &3.into(), &3.into()));
    fs::write(folder.path().join("bad.tsv"), "no tab\n").unwrap();
    fails(&folder, &["classify", "--train", "bad.tsv", "test.tsv"], 1, "expected a class, a tab");
    fails(&folder, &["classify", "--train", "t", "test.tsv"], 1, "called as its class");
}

#[test]
fn vectors_in_files() {
    let folder = texts();
    for space in ["lzw", "lz77", "ppm"] {
        let table = printed(&folder, &["features", "t", "--space", space]);
        assert_eq!(table.lines().count(), 6, "{table}");
        printed(&folder, &["features", "t", "--space", space, "-o", "v", "--dimensions", "d"]);
        let vectors = fs::read_to_string(folder.path().join("v")).unwrap();
        let first = vectors.lines().next().unwrap();
        let (numbers, name) = first.split_once(" # ").unwrap();
        assert_eq!(name, "t/de-a");
        // The sum of the vector is the code length that the table says.
        let bits: f64 = numbers
            .split(' ')
            .skip(1)
            .map(|pair| pair.split_once(':').unwrap().1.parse::<f64>().unwrap())
            .sum();
        let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert!((bits / 8.0 - row[0].parse::<f64>().unwrap()).abs() < 0.06, "{row:?}");
        assert_eq!(numbers.split(' ').count() - 1, row[1].parse::<usize>().unwrap());
    }
    printed(&folder, &["features", "t", "--format", "npz", "-o", "v.npz"]);
    assert!(fs::read(folder.path().join("v.npz")).unwrap().starts_with(b"PK"));
    fails(&folder, &["features", "t", "--space", "lz77", "--window", "0"], 1, "window: expected");
}

#[test]
fn groups_by_every_way() {
    let folder = texts();
    for by in ["lzw", "lz77", "ppm", "distances"] {
        let text = printed(&folder, &["cluster", "-k", "3", "--by", by, "t"]);
        let members: Vec<&str> =
            text.lines().map(|line| line.split_once(": ").unwrap().1).collect();
        assert_eq!(members, ["t/de-a, t/de-b", "t/en-a, t/en-b", "t/num"], "{by}: {text}");
    }
    let json = printed(&folder, &["cluster", "-k", "1", "--json", "t"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["members"].as_array().unwrap().len(), 5);
    fails(&folder, &["cluster", "-k", "6", "t"], 1, "expected 1 to 5 (so many texts), found 6");
}

#[test]
fn continuations_by_codecs() {
    let folder = texts();
    let args = ["generate", "--by", "gzip", "-D", "t/en-a", "-n", "12", "--prompt", "The rain in"];
    assert_eq!(printed(&folder, &args), " the plain a");
    fails(&folder, &["generate", "--by", "gzip"], 1, "expected a text to go on with");
    fails(&folder, &["generate", "--by", "zip", "--prompt", "x"], 2, "no codec zip");
}
