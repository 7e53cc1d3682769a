//! Archives in tests/golden/archives decode to the files beside them, and these files are compressed to
//! the same bytes. When the format changes (before 1.0, with a line in the changelog), run with
//! LMZ_WRITE_GOLDEN=1 to make them anew.

use std::fs;
use std::path::Path;

use lmz::{DecodeOptions, Dictionary, Options, compress, decompress_with};

#[test]
fn golden_archives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/archives");
    let defaults = Options::default();
    // As `-D message.txt` does.
    let dictionary = Dictionary::new(&fs::read(folder.join("message.txt")).unwrap()).unwrap();
    let primed = Options { dictionary: Some(dictionary.clone()), ..Options::default() };
    let decoding = DecodeOptions { dictionaries: vec![dictionary], ..DecodeOptions::default() };
    for (name, options) in [
        ("empty", defaults.clone()),
        ("message.txt", defaults.clone()),
        ("noise.bin", defaults.clone()),
        ("zeros.bin", defaults.clone()),
        ("mixed.bin", Options { block: 1000, ..defaults.clone() }),
        ("order2.txt", Options { block: 4000, ppm_order: 2, ..defaults.clone() }),
        ("full-memory.txt", Options { ppm_memory: 16, ..defaults }),
        ("primed.txt", primed.clone()),
        ("primed-blocks.txt", Options { block: 4000, ..primed }),
    ] {
        let raw = fs::read(folder.join(name)).unwrap();
        let path = folder.join(format!("{name}.lmz"));
        if std::env::var_os("LMZ_WRITE_GOLDEN").is_some() {
            fs::write(&path, compress(&raw, &options)).unwrap();
        }
        let archive = fs::read(&path).unwrap();
        assert_eq!(decompress_with(&archive, &decoding).unwrap(), raw, "{name} decodes to something else");
        assert_eq!(compress(&raw, &options), archive, "{name} is compressed to something else");
    }
}
