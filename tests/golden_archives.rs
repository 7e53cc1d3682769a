//! Archives in tests/golden/archives decode to the files beside them, and these files are
//! compressed to the same bytes. Since format 1.0 an archive there is never replaced. If the
//! encoder comes to write something else, add another file with what it writes now, and let the old
//! one only be decoded (`written: false`). A new file's archive has to exist: let it be empty, run
//! with LMZ_WRITE_GOLDEN=1, and then once more without.

#[path = "common/archives.rs"]
mod archives;

use std::sync::Mutex;

use archives::Golden;
use lmz::{compress_with, decompress_with};

/// Bytes of the longest file that is decoded, and that is compressed, where the processor is emulated
/// (`LMZ_EMULATED`): longer ones have other streams and segments, which no processor does otherwise.
const DECODED: usize = 8000;
const COMPRESSED: usize = 1000;

#[test]
fn golden_archives() {
    // On all cores, because emulated ones take minutes.
    let todo = Mutex::new(archives::all().into_iter());
    let next = || todo.lock().unwrap().next();
    let worker = || std::iter::from_fn(next).for_each(|golden| check(&golden));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
}

fn check(golden: &Golden) {
    let name = golden.name;
    let emulated = std::env::var_os("LMZ_EMULATED").is_some();
    if emulated && golden.raw.len() > DECODED {
        return;
    }
    if std::env::var_os("LMZ_WRITE_GOLDEN").is_some() && golden.archive.is_empty() {
        let path = format!("{}/tests/golden/archives/{name}.lmz", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, compress_with(golden.raw, &golden.options).unwrap()).unwrap();
        return;
    }
    let decoded = decompress_with(golden.archive, &archives::decoding()).unwrap();
    assert!(decoded == golden.raw, "{name} decodes to something else");
    if !golden.written {
        return;
    }
    // To choose a method, an encoder codes a block several times.
    if emulated && golden.raw.len() > COMPRESSED {
        return;
    }
    assert!(
        compress_with(golden.raw, &golden.options).unwrap() == golden.archive,
        "{name} is compressed to something else"
    );
}
