//! Files that claim to come from PyTorch and mean harm: an error, within memory and time. Memory is
//! counted for the whole process, so all of it is one test.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lmz::lm::memory;
use lmz::lm::rwkv7::{Model, ModelError};
use lmz_hub::HubError;

#[path = "../../../tests/common/counting.rs"]
mod counting;
#[path = "common/open.rs"]
mod open;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

/// A folder to try files in, with the vocabulary of the golden one.
struct Place(tempfile::TempDir);

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/checkpoint/pth");
const WORDS: &str = "rwkv_vocab_v20230424.txt";

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(Path::new(GOLDEN).join(WORDS), folder.path().join(WORDS)).unwrap();
        Self(folder)
    }

    /// Opens a file of this content as a model, in every way there is; at most so much memory more
    /// than the file's own length.
    fn open(&self, case: &str, bytes: &[u8], most: usize) -> Result<Model, HubError> {
        let path = self.0.path().join("x.pth");
        fs::write(&path, bytes).unwrap();
        let since = Instant::now();
        let (found, peak) = counting::peak(|| {
            memory::needed(&path);
            open::exact(&path)
        });
        assert!(
            peak <= most + 2 * bytes.len(),
            "{case}: {peak} bytes of memory for {}",
            bytes.len()
        );
        assert!(since.elapsed() < Duration::from_secs(10), "{case}: {:?}", since.elapsed());
        found
    }

    fn refused(&self, case: &str, bytes: &[u8]) -> String {
        let said = self.open(case, bytes, 64 << 20).expect_err(case).to_string();
        assert!(said.contains("x.pth") && !said.chars().any(char::is_control), "{case}: {said:?}");
        said
    }
}

/// A zip archive of stored entries.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let begin = out.len() as u32;
        let size = (content.len() as u32).to_le_bytes();
        let common = [&[0; 4][..], &[0; 4], &[0; 4], &size, &size].concat(); // flags and method, time, check, sizes
        let length = (name.len() as u16).to_le_bytes();
        out.extend(
            [&b"PK\x03\x04\0\0"[..], &common, &length, &[0; 2], name.as_bytes(), content].concat(),
        );
        directory.extend(
            [&b"PK\x01\x02\0\0\0\0"[..], &common, &length, &[0; 12], &begin.to_le_bytes()].concat(),
        );
        directory.extend(name.as_bytes());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let (begin, length) =
        ((out.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    out.extend(
        [&directory[..], b"PK\x05\x06\0\0\0\0", &count, &count, &length, &begin, &[0; 2]].concat(),
    );
    out
}

fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    zip(&[("x/data.pkl", pickle), ("x/data/0", &[0; 64])])
}

fn text(text: &str) -> Vec<u8> {
    [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn int(n: i64) -> Vec<u8> {
    [&[0x8a, 8][..], &n.to_le_bytes()].concat()
}

fn tuple(items: &[i64]) -> Vec<u8> {
    [b"(".to_vec(), items.iter().flat_map(|n| int(*n)).collect(), b"t".to_vec()].concat()
}

/// A dictionary of one tensor, of a storage of so many elements.
fn tensor(storage: &str, all: i64, offset: i64, shape: &[i64], stride: &[i64]) -> Vec<u8> {
    let storage = [
        b"(".to_vec(),
        text("storage"),
        format!("ctorch\n{storage}\n").into(),
        text("0"),
        text("cpu"),
    ]
    .concat();
    let begin = [
        b"\x80\x02}".to_vec(),
        text("emb.weight"),
        b"ctorch._utils\n_rebuild_tensor_v2\n(".to_vec(),
    ]
    .concat();
    let middle =
        [storage, int(all), b"tQ".to_vec(), int(offset), tuple(shape), tuple(stride)].concat();
    [begin, middle, b"\x89ccollections\nOrderedDict\n)RtRs.".to_vec()].concat()
}

fn bombs(place: &Place) {
    let laughs = |first: &[u8], double: &[u8], times: usize| {
        let mut out = b"\x80\x02".to_vec();
        out.extend_from_slice(first);
        out.extend_from_slice(b"q\0");
        for _ in 0..times {
            out.extend_from_slice(double);
            out.extend_from_slice(b"q\0");
        }
        out
    };
    let long = text(&"a".repeat(1 << 20));
    let cases: [(&str, Vec<u8>); 13] = [
        ("tuples", [laughs(b"K\x01", b"h\0h\0\x86", 40), b".".to_vec()].concat()),
        (
            "tuples of many",
            [
                laughs(b"K\x01", &[b"(", &b"h\0".repeat(1000)[..], b"t"].concat(), 100),
                b".".to_vec(),
            ]
            .concat(),
        ),
        ("lists", [laughs(b"]", b"](h\0h\0h\0h\0e", 1000), b".".to_vec()].concat()),
        ("dictionaries", [laughs(b"}", b"}(K\x01h\0K\x02h\0u", 1000), b".".to_vec()].concat()),
        ("a dictionary in itself", b"\x80\x02}q\0K\x01h\0s.".to_vec()),
        (
            "strings",
            [&b"\x80\x02}"[..], &long, b"q\0", &b"h\0h\0\x86q\x01".repeat(10_000), b"."].concat(),
        ),
        ("names", [&b"\x80\x02}("[..], &long, b"q\0", &b"h\0h\0".repeat(10_000), b"u."].concat()),
        ("nesting", [&b"\x80\x02)"[..], &b"\x85".repeat(1 << 19), b"."].concat()),
        ("deeper", [&b"\x80\x02)"[..], &b"\x85".repeat(7 << 20), b"."].concat()),
        ("marks", [&b"\x80\x02"[..], &b"(".repeat(7 << 20), b"."].concat()),
        ("memo", {
            let put = |n: u32| [&b"K\x01r"[..], &n.to_le_bytes()].concat();
            [b"\x80\x02".to_vec(), (0..1 << 19).flat_map(put).collect(), b".".to_vec()].concat()
        }),
        ("memo alone", {
            let put = |n: u32| [&b"r"[..], &n.to_le_bytes()].concat();
            [b"\x80\x02N".to_vec(), (0..1 << 20).flat_map(put).collect(), b".".to_vec()].concat()
        }),
        ("too long", [&b"\x80\x02"[..], &b"K\x01".repeat(5 << 20), b"."].concat()),
    ];
    for (case, pickle) in cases {
        place.refused(case, &with_pickle(&pickle));
    }
    // As a tensor's name a long string is refused, not copied.
    let good = tensor("FloatStorage", 16, 0, &[4, 4], &[4, 1]);
    let named = [&b"\x80\x02}"[..], &long, &good[3 + text("emb.weight").len()..]].concat();
    assert!(place.refused("long name", &with_pickle(&named)).contains("names of at most"));
}

fn what_is_run(place: &Place) {
    let marker = place.0.path().join("ran");
    let touch = format!("touch {}", marker.display());
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "exec"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("collections", "defaultdict"),
        ("a\x1b[2J", "b\u{202e}"),
        ("", ""),
    ] {
        let pickle =
            [format!("\x02c{module}\n{name}\n(").into(), text(&touch), b"tR.".to_vec()].concat();
        let said = place.refused(name, &with_pickle(&[&b"\x80"[..], &pickle].concat()));
        assert!(said.contains("which lmz does not run"), "{said}");
    }
    assert!(!marker.exists());
}

fn tensors_that_cannot_be(place: &Place) {
    let (min, max) = (i64::MIN, i64::MAX);
    type Case<'a> = (&'a str, i64, i64, &'a [i64], &'a [i64]);
    let cases: [Case; 24] = [
        ("FloatStorage", 16, 0, &[4, 4], &[-4, 1]),
        ("FloatStorage", 16, 0, &[4, 4], &[4, -1]),
        ("FloatStorage", 16, 0, &[-4, 4], &[4, 1]),
        ("FloatStorage", 16, -1, &[4, 4], &[4, 1]),
        ("FloatStorage", 16, 1, &[4, 4], &[4, 1]),
        ("FloatStorage", 16, max, &[4, 4], &[4, 1]),
        ("FloatStorage", 16, min, &[4, 4], &[4, 1]),
        ("FloatStorage", 16, 17, &[0, 4], &[4, 1]),
        ("FloatStorage", 16, 0, &[4, 5], &[5, 1]),
        ("FloatStorage", 16, 0, &[4, 4], &[5, 1]),
        ("FloatStorage", 16, 0, &[max, 4], &[4, 1]),
        ("FloatStorage", 16, 0, &[max, max], &[0, 0]),
        ("FloatStorage", 16, 0, &[1 << 30], &[0]),
        ("FloatStorage", 16, 0, &[4, 4], &[max, 1]),
        ("FloatStorage", 16, 0, &[4, 4], &[0, 0]),
        ("FloatStorage", 16, 0, &[4, 4], &[4]),
        ("FloatStorage", 16, 0, &[1, 1, 1, 1, 1, 1, 1, 4, 4], &[1, 1, 1, 1, 1, 1, 1, 4, 1]),
        // More than is in the file, whose storage has 64 bytes.
        ("FloatStorage", 17, 0, &[17], &[1]),
        ("FloatStorage", 1 << 40, 0, &[1 << 20, 1 << 20], &[1 << 20, 1]),
        ("FloatStorage", max, 0, &[max], &[1]),
        ("FloatStorage", -16, 0, &[4, 4], &[4, 1]),
        ("DoubleStorage", 16, 0, &[4, 4], &[4, 1]),
        ("QInt8Storage", 16, 0, &[4, 4], &[4, 1]),
        ("UntypedStorage", 16, 0, &[4, 4], &[4, 1]),
    ];
    for (storage, all, offset, shape, stride) in cases {
        let case = format!("{storage} {all} {offset} {shape:?} {stride:?}");
        place.refused(&case, &with_pickle(&tensor(storage, all, offset, shape, stride)));
    }
    // What fits, but is no RWKV-7, gets further.
    for (storage, shape, stride) in [
        ("FloatStorage", [4, 4], [4, 1]),
        ("FloatStorage", [4, 4], [1, 4]),
        ("LongStorage", [2, 4], [4, 1]),
    ] {
        let all = shape.iter().product();
        let said = place
            .open(storage, &with_pickle(&tensor(storage, all, 0, &shape, &stride)), 64 << 20)
            .unwrap_err();
        assert!(matches!(said, HubError::Load(ModelError::Missing { .. })), "{said}");
    }
    // The storage is not there, is not a storage, or there is none.
    let good = tensor("FloatStorage", 16, 0, &[4, 4], &[4, 1]);
    place.refused("no storage", &zip(&[("x/data.pkl", &good)]));
    place.refused("another folder", &zip(&[("x/data.pkl", &good), ("y/data/0", &[0; 64])]));
    place.refused(
        "big",
        &zip(&[("x/data.pkl", &good), ("x/data/0", &[0; 64]), ("x/byteorder", b"big")]),
    );
}

fn archives_that_cannot_be(place: &Place) {
    let good = tensor("FloatStorage", 16, 0, &[4, 4], &[4, 1]);
    let file = with_pickle(&good);
    let directory = file.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let end = file.len() - 22;
    let change = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    for (case, bytes) in [
        ("no archive", b"no archive".to_vec()),
        ("empty", Vec::new()),
        ("an empty archive", zip(&[])),
        ("two pickles", zip(&[("x/data.pkl", &good), ("y/data.pkl", &good)])),
        ("no folder", zip(&[("data.pkl", &good)])),
        (
            "a name twice",
            zip(&[("x/data.pkl", &good), ("x/data/0", &[0; 64]), ("x/data/0", &[0; 64])]),
        ),
        ("compressed", change(directory + 10, &[8, 0])),
        ("encrypted", change(directory + 8, &[1, 0])),
        ("sizes that differ", change(directory + 20, &[1, 0, 0, 0])),
        ("a size past the end", change(directory + 20, &[255, 255, 255, 127, 255, 255, 255, 127])),
        ("a long size that is not there", change(directory + 20, &[255; 8])),
        ("a place past the end", change(directory + 42, &[255, 255, 255, 127])),
        ("a place in the directory", change(directory + 42, &(directory as u32).to_le_bytes())),
        ("a name without an end", change(directory + 28, &[255, 255])),
        ("65,535 entries", change(end + 8, &[255; 4])),
        ("a directory past the end", change(end + 12, &[255; 4])),
        ("a directory behind itself", change(end + 16, &(end as u32).to_le_bytes())),
        ("the disk of another", [&file[..end], b"PK\x06\x07", &[255; 16], &file[end..]].concat()),
    ] {
        place.refused(case, &bytes);
    }
    // Two entries in one place.
    let mut twice = zip(&[("x/data.pkl", &good), ("x/data/0", &[0; 64]), ("x/data/1", &[0; 64])]);
    let last = twice.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    let before = last - 46 - "x/data/0".len();
    let begin = twice[before + 42..before + 46].to_vec();
    twice[last + 42..last + 46].copy_from_slice(&begin);
    assert!(place.refused("overlap", &twice).contains("overlap"));
    // A large file of nothing that claims as many entries as it can.
    let path = place.0.path().join("sparse.pth");
    let sparse = fs::File::create(&path).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let claims = [
        b"PK\x06\x06",
        &[0; 28][..],
        &(1u64 << 33).to_le_bytes(),
        &(1u64 << 39).to_le_bytes(),
        &[0; 8],
    ]
    .concat();
    let locator = [b"PK\x06\x07", &[0; 4][..], &(1u64 << 40).to_le_bytes(), &[0; 4]].concat();
    let tail = [claims, locator, b"PK\x05\x06".to_vec(), vec![255; 16], vec![0; 2]].concat();
    std::io::Write::write_all(&mut fs::OpenOptions::new().append(true).open(&path).unwrap(), &tail)
        .unwrap();
    let (found, peak) = counting::peak(|| open::exact(&path));
    assert!(
        found.unwrap_err().to_string().contains("expected a directory of at most")
            && peak < 1 << 20,
        "{peak}"
    );
    fs::remove_file(path).unwrap();
}

/// Every byte of a small file lost or changed, and those of the golden file's pickle and directory.
fn damage(place: &Place) {
    let small = with_pickle(&tensor("FloatStorage", 16, 0, &[4, 4], &[4, 1]));
    for at in 0..small.len() {
        place.refused("cut", &small[..at]);
        for change in [1, 0x80, 0xff] {
            let mut bytes = small.clone();
            bytes[at] ^= change;
            assert!(place.open("changed", &bytes, 64 << 20).is_err(), "it is no RWKV-7");
        }
    }
    let golden = fs::read(Path::new(GOLDEN).join("rwkv7-tiny.pth")).unwrap();
    assert!(place.open("golden", &golden, 64 << 20).is_ok());
    let directory = golden.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for at in (0..6_600).step_by(11).chain((directory..golden.len()).step_by(17)) {
        let mut bytes = golden.clone();
        bytes[at] ^= 1 << (at % 8);
        let _ = place.open("changed", &bytes, 64 << 20);
    }
    for cut in (0..golden.len()).step_by(4_001) {
        place.refused("cut", &golden[..cut]);
    }
}

#[test]
fn what_a_stranger_wrote_is_an_error_within_memory_and_time() {
    let place = Place::new();
    bombs(&place);
    what_is_run(&place);
    tensors_that_cannot_be(&place);
    archives_that_cannot_be(&place);
    damage(&place);
}
