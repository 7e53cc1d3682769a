//! Holds archives against those in tests/golden. An archive there is never replaced: it is what
//! some program wrote, and decodes for ever.

use std::path::PathBuf;

use lmz::{DecoderOptions, decompress_with};

/// Checks that the file `NAME.lmz` decodes to `raw`, which is `NAME`, and is what is written today.
/// With LMZ_WRITE_GOLDEN set it is made where there is none.
pub fn check(name: &str, raw: &[u8], written: &[u8], decoding: &DecoderOptions) {
    let path = PathBuf::from(format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR")));
    let archive = path.with_added_extension("lmz");
    if std::env::var_os("LMZ_WRITE_GOLDEN").is_some() && !archive.exists() {
        std::fs::write(&path, raw).unwrap();
        std::fs::write(&archive, written).unwrap();
    }
    let found = std::fs::read(&archive).unwrap_or_else(|e| panic!("{}: {e}", archive.display()));
    assert!(std::fs::read(&path).unwrap() == raw, "{name} is another text");
    assert!(decompress_with(&found, decoding).unwrap() == raw, "{name} decodes to something else");
    assert!(found == written, "{name} is compressed to something else");
}
