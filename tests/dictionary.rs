//! Dictionaries: what is coded after them is smaller, and cannot be decoded without them.

#[path = "common/support.rs"]
mod support;

use std::io::{Cursor, Write};

use lmz::Archive;
use lmz::write::Encoder;
use lmz::{
    DecoderOptions, Dictionary, EncoderOptions, Error, compress_with, decompress, decompress_with,
};
use support::any_damage_is_an_error;

fn text(name: &str) -> Vec<u8> {
    (0..300)
        .flat_map(|i| {
            format!("{name}: the value of entry {i} is {}\n", i * 7919 % 1000).into_bytes()
        })
        .collect()
}

fn with(dictionary: &Dictionary) -> (EncoderOptions, DecoderOptions) {
    let options = EncoderOptions::new().dictionary(dictionary.clone()).block_size(2000);
    (options, DecoderOptions::new().dictionary(dictionary.clone()))
}

#[test]
fn messages_and_blocks() {
    let dictionary = Dictionary::new(&text("first")).unwrap();
    let (options, decoding) = with(&dictionary);
    for raw in [&text("second")[..400], &text("second"), b"", &[7; 5000]] {
        let archive = compress_with(raw, &options).unwrap();
        assert_eq!(decompress_with(&archive, &decoding).unwrap(), raw);
    }
    // What the dictionary holds costs next to nothing; with the smallest entry in common, less.
    let without = options.clone().dictionary(None);
    let size = |raw: &[u8], options| compress_with(raw, options).unwrap().len();
    assert!(size(&text("first")[..400], &options) * 2 < size(&text("first")[..400], &without));
    assert!(size(&text("second")[..400], &options) < size(&text("second")[..400], &without));
    // Nothing of it was coded with the dictionary, so none is needed.
    assert_eq!(decompress(&compress_with(b"", &options).unwrap()).unwrap(), b"");
}

#[test]
fn the_right_one_is_needed() {
    let dictionary = Dictionary::new(&text("first")).unwrap();
    let other = Dictionary::new(&text("other")).unwrap();
    let (options, decoding) = with(&dictionary);
    for raw in [&text("second")[..400], &text("second")] {
        let archive = compress_with(raw, &options).unwrap();
        for wrong in [DecoderOptions::default(), with(&other).1] {
            let Err(Error::NoDictionary { at: 0, needed }) = decompress_with(&archive, &wrong)
            else {
                panic!("decoded with another dictionary")
            };
            assert!(dictionary.hash().starts_with(&needed));
            let mut archive =
                Archive::open(Cursor::new(&archive), wrong).expect("what it holds can be listed");
            assert_eq!(archive.uncompressed_len(), raw.len() as u64);
            assert!(matches!(
                archive.read_range(0..1, |_| Ok(())),
                Err(Error::NoDictionary { .. })
            ));
        }
        // Among several the right one is found.
        let both = decoding.clone().dictionary(other.clone()).dictionary(dictionary.clone());
        assert_eq!(decompress_with(&archive, &both).unwrap(), raw);
        let mut found = Vec::new();
        let recovered =
            lmz::recover::recover(Cursor::new(&archive), &both, |bytes| found.write_all(bytes))
                .unwrap();
        assert_eq!((found.as_slice(), recovered.holes.len()), (raw, 0));
    }
}

#[test]
fn damage() {
    let (options, decoding) = with(&Dictionary::new(&text("first")[..500]).unwrap());
    let mut full = Encoder::with_options(Vec::new(), options.clone()).unwrap();
    full.write_all(&text("second")[..120]).unwrap();
    full.flush().unwrap();
    for archive in
        [compress_with(&text("second")[..120], &options).unwrap(), full.finish().unwrap()]
    {
        any_damage_is_an_error(&archive, &text("second")[..120], &decoding);
    }
}

#[test]
fn lengths_that_cannot_be() {
    assert!(matches!(Dictionary::new(b""), Err(Error::DictionaryLength { found: 0, .. })));
    assert!(matches!(
        Dictionary::new(&vec![0; Dictionary::LONGEST + 1]),
        Err(Error::DictionaryLength { .. })
    ));
}

#[test]
fn bare_messages() {
    let (options, _) = with(&Dictionary::new(&text("first")).unwrap());
    let coded = lmz::compress_bare(&text("second"), &options).unwrap();
    assert_eq!(
        lmz::decompress_bare(&coded, text("second").len(), &options).unwrap(),
        text("second")
    );
}
