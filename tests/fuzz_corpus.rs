//! The inputs that fuzzing found worth keeping, without a fuzzer.

#[path = "common/fuzz.rs"]
mod fuzz;

fn each(target: &str, run: fn(&[u8])) {
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        println!("{}", path.display()); // shown if it fails
        run(&bytes);
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn decode() {
    each("decode", fuzz::decode);
}

#[test]
fn header() {
    each("header", fuzz::header);
}

#[test]
fn round_trip() {
    each("round_trip", fuzz::round_trip);
}
