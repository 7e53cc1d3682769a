//! The data sets of the experiments, and the pictures and sound that they are made of.

use std::fs;

use lmz_bench::data::seven::Seven;
use lmz_bench::data::{self, PATCH, PIECE, Picture, Sound};
use lmz_bench::{Form, codecs};

#[path = "common/data.rs"]
mod common;

use common::{files, png, tiny, wav};

/// A picture with something in it.
fn picture(width: u32, height: u32, rgb: bool) -> Picture {
    let values = if rgb { 3 } else { 1 };
    let value = |i: u32| (i * 7 % 251 + i / width % 5) as u8;
    Picture { width, height, rgb, bytes: (0..width * height * values).map(value).collect() }
}

#[test]
fn png_of_each_kind() {
    use png::BitDepth::{Eight, One, Sixteen};
    use png::ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    let [gray, rgb] = [picture(5, 4, false), picture(5, 4, true)];
    assert_eq!(Picture::read(&png(5, 4, Grayscale, Eight, &[], &gray.bytes)).unwrap(), gray);
    assert_eq!(Picture::read(&png(5, 4, Rgb, Eight, &[], &rgb.bytes)).unwrap(), rgb);
    let colors = Picture::read(&png(2, 1, Indexed, Eight, &[1, 2, 3, 4, 5, 6], &[1, 0])).unwrap();
    assert_eq!((colors.rgb, &colors.bytes[..]), (true, &[4, 5, 6, 1, 2, 3][..]));
    let bits = Picture::read(&png(3, 1, Grayscale, One, &[], &[0b1010_0000])).unwrap();
    assert_eq!((bits.rgb, &bits.bytes[..]), (false, &[255, 0, 255][..]));
    let opaque =
        Picture::read(&png(1, 2, Rgba, Eight, &[], &[1, 2, 3, 255, 4, 5, 6, 255])).unwrap();
    assert_eq!((opaque.rgb, &opaque.bytes[..]), (true, &[1, 2, 3, 4, 5, 6][..]));
    let clear = Picture::read(&png(1, 1, GrayscaleAlpha, Eight, &[], &[9, 254])).unwrap_err();
    assert!(clear.contains("opaque") && clear.contains("remove the alpha"), "{clear}");
    let deep = Picture::read(&png(1, 1, Grayscale, Sixteen, &[], &[9, 9])).unwrap_err();
    assert!(deep.contains("expected 8 bits") && deep.contains("16"), "{deep}");
    let whole = png(5, 4, Rgb, Eight, &[], &rgb.bytes);
    for cut in 0..whole.len() - 12 {
        assert!(Picture::read(&whole[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn pgm_and_ppm() {
    let [gray, rgb] = [picture(5, 4, false), picture(5, 4, true)];
    let file = |head: &str, pixels: &[u8]| [head.as_bytes(), pixels].concat();
    assert_eq!(Picture::read(&file("P5\n# made here\n5 4\n255\n", &gray.bytes)).unwrap(), gray);
    assert_eq!(Picture::read(&file("P6 5 4 255 ", &rgb.bytes)).unwrap(), rgb);
    for (head, words) in [
        ("P5 5 4 65535\n", "expected 8 bits"),
        ("P5 5 5 255\n", "expected 25 bytes"),
        ("P5 5 3 255\n", "expected 15 bytes"),
        ("P5 4294967296 3 255\n", "the width"),
        ("P5 4294967295 4294967295 255\n", "bytes of pixels"),
        ("P5 # no end", "the width"),
        ("P5 5", "the height"),
        ("P2 5 4 255\n", "binary PGM"),
        ("", "binary PGM"),
    ] {
        let pixels: &[u8] = if head.ends_with('\n') { &gray.bytes } else { b"" };
        let error = Picture::read(&file(head, pixels)).unwrap_err();
        assert!(error.contains(words), "{head:?}: {error}");
    }
    assert!(Picture::read(b"P5 0 4 255\n").is_err());
}

#[test]
fn patches_make_up_the_picture() {
    let picture = picture(3 * PATCH.0, 2 * PATCH.1, true).gray();
    let patches = picture.patches();
    assert_eq!(patches.len(), 6);
    let mut again = vec![0; picture.bytes.len()];
    for (number, patch) in patches.iter().enumerate() {
        assert_eq!((patch.width, patch.height, patch.bytes.len()), (64, 32, PIECE));
        let (left, top) = (number % 3 * 64, number / 3 * 32);
        for (row, line) in patch.bytes.chunks_exact(64).enumerate() {
            let at = (top + row) * 192 + left;
            again[at..at + 64].copy_from_slice(line);
        }
    }
    assert_eq!(again, picture.bytes);
    // What fills no patch is left out; gray is the mean, rounded down.
    assert_eq!(self::picture(127, 63, false).patches().len(), 1);
    let colors = Picture { width: 2, height: 1, rgb: true, bytes: vec![255, 255, 255, 0, 1, 1] };
    assert_eq!(colors.gray().bytes, [255, 0]);
    let middle = self::picture(100, 50, true).middle(3 * 200);
    assert_eq!((middle.width, middle.height, middle.bytes.len()), (20, 10, 600));
    assert_eq!(self::picture(9, 5, true).middle(1 << 20), self::picture(9, 5, true));
}

#[test]
fn wav_of_each_kind() {
    let eight = Sound::read(&wav(1, 1, 16_000, 8, &[0, 128, 255])).unwrap();
    assert_eq!(
        (eight.samples.clone(), eight.eight_bits()),
        (vec![-128, 0, 127], vec![0, 128, 255])
    );
    let stereo = Sound::read(&wav(1, 2, 44_100, 16, &[0, 128, 1, 0, 255, 127, 255, 255])).unwrap();
    assert_eq!((stereo.channels, &stereo.samples[..]), (2, &[-32768, 1, 32767, -1][..]));
    // The first channel, the upper byte, plus 128.
    assert_eq!(stereo.eight_bits(), [0, 255]);
    let wide = Sound::read(&wav(1, 1, 16_000, 24, &[0, 0, 128, 255, 255, 255])).unwrap();
    assert_eq!((&wide.samples[..], wide.eight_bits()), (&[-8_388_608, -1][..], vec![0, 127]));
    for (file, words) in [
        (wav(3, 1, 16_000, 16, &[0, 0]), "found format 3"),
        (wav(1, 1, 16_000, 32, &[0; 4]), "found 32"),
        (wav(1, 0, 16_000, 16, &[0, 0]), "head is damaged"),
        (wav(1, 1, 0, 16, &[0, 0]), "head is damaged"),
        (wav(1, 2, 16_000, 16, &[0, 0]), "a multiple of 4"),
        (b"RIFF\0\0\0\0WAVE".to_vec(), "found none"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(), "the format before"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\x01\0".to_vec(), "16 bytes or more"),
        (b"OggS".to_vec(), "another beginning"),
    ] {
        let error = Sound::read(&file).unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
    let whole = wav(1, 1, 16_000, 16, &[1; 100]);
    for cut in 0..whole.len() {
        assert!(Sound::read(&whole[..cut]).is_err(), "{cut}");
    }
    // Any byte of the head may be wrong: that is an error or other sound, and no panic.
    for at in 0..56 {
        for value in [0, 1, 127, 255] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let _ = Sound::read(&damaged).map(|sound| sound.eight_bits());
        }
    }
}

#[test]
fn flac_is_read_as_it_was_written() {
    let form = Form::Pcm { rate: 16_000, channels: 1, bits: 16 };
    let bytes: Vec<u8> =
        (0..9_000_i32).flat_map(|i| ((i * i / 7 % 3_000 - 1_500) as i16).to_le_bytes()).collect();
    let coded = codecs::find("flac", 1).unwrap().compress(&bytes, &form).unwrap();
    let sound = Sound::read(&coded).unwrap();
    assert_eq!((sound.rate, sound.channels, sound.bits), (16_000, 1, 16));
    let again: Vec<u8> =
        sound.samples.iter().flat_map(|sample| (*sample as i16).to_le_bytes()).collect();
    assert!(again == bytes);
    for cut in (0..coded.len()).step_by(101) {
        assert!(Sound::read(&coded[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn the_way_with_seven_bits() {
    let set = data::random(3 * PIECE as u64);
    let shifted = Seven::new(&set, false);
    assert_eq!((shifted.raw, shifted.lost), (6_144, 6_144));
    assert!((shifted.rate(2_688) - 2_688.0 / 6_144.0 * 8.0 / 7.0).abs() < 1e-12);
    assert!((shifted.bound(2_688) - (2_688.0 / 6_144.0 + 0.125)).abs() < 1e-12);
    // The paper's own figures, as docs with them say: 42.0 is 48.0 / 8 * 7.
    assert!((shifted.bound((0.42 * 6_144.0) as u64) - 0.545).abs() < 1e-3);
    for (piece, seven) in set.pieces.iter().zip(&shifted.pieces) {
        assert!(piece.bytes.iter().zip(&seven.bytes).all(|(b, s)| b >> 1 == *s));
    }
    let masked = Seven::new(&set, true);
    let high =
        set.pieces.iter().flat_map(|piece| &piece.bytes).filter(|b| **b > 127).count() as u64;
    assert_eq!(masked.lost, high);
    assert!(masked.pieces.iter().flat_map(|piece| &piece.bytes).all(|b| *b < 128));
    let bits = 8.0 * 6_144.0;
    assert!((masked.rate(100) - 100.0 / 6_144.0 * bits / (bits - high as f64)).abs() < 1e-12);
}

#[test]
fn the_random_set_is_always_the_same() {
    let set = data::random(2 * PIECE as u64 + 5);
    assert_eq!((set.pieces.len(), set.raw()), (2, 2 * PIECE as u64));
    assert_eq!(set.whole().bytes, data::random(2 * PIECE as u64).whole().bytes);
    assert_eq!(set.whole().bytes[..4], data::random(PIECE as u64).whole().bytes[..4]);
}

#[test]
fn sets_are_whole_pieces_within_the_limit() {
    let folder = tiny();
    let text = data::text("text", &files(&folder, "text/enwik"), 1 << 20).unwrap();
    // A file that begins another is left out, and what fills no piece.
    assert_eq!((text.files.len(), text.raw()), (1, 4_096));
    assert_eq!(data::text("text", &files(&folder, "text/enwik"), 100).unwrap().raw(), 100);
    let image = data::image(&files(&folder, "image"), 6 * PIECE as u64).unwrap();
    assert_eq!((image.pieces.len(), image.files.len()), (6, 2));
    assert_eq!(image.whole().form, Form::Gray { width: 64, height: 6 * 32 });
    assert!(image.whole().form.fits(image.whole().bytes.len()));
    let audio = data::audio(&files(&folder, "audio"), 1 << 20).unwrap();
    assert_eq!(
        (audio.pieces.len(), audio.pieces[0].form),
        (2, Form::Pcm { rate: 16_000, channels: 1, bits: 8 })
    );
    let pictures = data::picture(&files(&folder, "image"), 1 << 20).unwrap();
    assert_eq!(pictures.raw(), 2 * 3 * 128 * 64);
    let part = data::picture(&files(&folder, "image"), 3_000).unwrap();
    assert!(
        part.raw() <= 3_000 && part.pieces.iter().all(|piece| piece.form.fits(piece.bytes.len()))
    );
    let sound = data::sound(&files(&folder, "audio"), 4_001).unwrap();
    assert_eq!(sound.raw(), 4_000);
    fs::write(folder.path().join("data/audio/slow.wav"), wav(1, 1, 8_000, 16, &[0; 9_000]))
        .unwrap();
    let error = data::audio(&files(&folder, "audio"), 1 << 20).unwrap_err().to_string();
    assert!(
        error.contains("slow.wav") && error.contains("expected 16000") && error.contains("8000"),
        "{error}"
    );
    assert!(data::image(&files(&folder, "text"), 1 << 20).is_err());
}
