//! The golden archives, texts and vectors as a WebAssembly module without imports:
//! `scripts/cross/run` builds it, and `scripts/cross/golden.mjs` calls it in Node.

#[expect(dead_code, reason = "names are for the test")]
#[path = "../../../../tests/common/archives.rs"]
mod archives;
#[expect(dead_code, reason = "names are for the test")]
#[path = "../../../../tests/common/generated.rs"]
mod generated;
#[path = "../../../../tests/common/vectors.rs"]
mod vectors;

use lmz::{compress_with, decompress_with};

/// How many golden archives there are.
#[unsafe(no_mangle)]
pub extern "C" fn count() -> u32 {
    archives::all().len() as u32
}

/// Whether a golden archive decodes to its file (1) and the file is compressed to its bytes (2): 3
/// if all is well.
#[unsafe(no_mangle)]
pub extern "C" fn check(number: u32) -> u32 {
    let golden = &archives::all()[number as usize];
    let decodes = decompress_with(golden.archive, &archives::decoding()).is_ok_and(|raw| raw == golden.raw);
    let same = !golden.written
        || compress_with(golden.raw, &golden.options).unwrap() == golden.archive;
    u32::from(decodes) + 2 * u32::from(same)
}

/// Whether every golden text is generated as it is: 1 if all is well.
#[unsafe(no_mangle)]
pub extern "C" fn check_generated() -> u32 {
    let same = |golden: &generated::Generated| golden.generate(generated::BYTES) == golden.text;
    u32::from(generated::all().iter().all(same))
}

/// Whether every golden vector of the neural models agrees: 1 if all is well.
#[unsafe(no_mangle)]
pub extern "C" fn check_vectors() -> u32 {
    u32::from(vectors::check_all().is_ok())
}
