//! Pictures, sound and text, made here.

use std::fs;

use lmz_bench::data::{DataFile, file};
use lmz_bench::{Form, codecs};
use tempfile::TempDir;

pub fn png(
    width: u32,
    height: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    palette: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    out
}

/// A WAV file with any numbers in its head.
pub fn wav(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let frame = channels.wrapping_mul(bits / 8);
    let mut out = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0odd\0fmt \x10\0\0\0".to_vec();
    [format, channels].iter().for_each(|n| out.extend(n.to_le_bytes()));
    [rate, rate * u32::from(frame)].iter().for_each(|n| out.extend(n.to_le_bytes()));
    [frame, bits].iter().for_each(|n| out.extend(n.to_le_bytes()));
    out.extend(b"data");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

/// A folder with a little of everything, made here.
pub fn tiny() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join("data").join(name);
    for name in ["text/enwik", "text/sub", "image", "audio"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    let line = "The quick brown fox jumps over the lazy dog, and the dog does not mind it at all. ";
    fs::write(path("text/enwik/enwik3"), &line.repeat(20)[..1_000]).unwrap();
    fs::write(path("text/enwik/enwik4"), line.repeat(60)).unwrap();
    fs::write(path("text/a.txt"), line.repeat(40)).unwrap();
    let packed = codecs::find("xz-9e", 1)
        .unwrap()
        .compress(line.repeat(30).replace("dog", "cat").as_bytes(), &Form::Bytes);
    fs::write(path("text/sub/b.txt.xz"), packed.unwrap()).unwrap();
    let waves = |x: u32, y: u32| {
        (128.0 + 60.0 * (f64::from(x) / 9.0).sin() + 50.0 * (f64::from(y) / 7.0).cos()) as u8
    };
    let pixels: Vec<u8> =
        (0..64).flat_map(|y| (0..128).flat_map(move |x| [waves(x, y), waves(y, x), 90])).collect();
    fs::write(
        path("image/waves.png"),
        png(128, 64, png::ColorType::Rgb, png::BitDepth::Eight, &[], &pixels),
    )
    .unwrap();
    fs::write(path("image/waves.ppm"), [&b"P6 128 64 255\n"[..], &pixels].concat()).unwrap();
    fs::write(path("image/README"), "no picture").unwrap();
    let samples: Vec<u8> = (0..6_000)
        .flat_map(|i| (((f64::from(i) / 11.0).sin() * 9_000.0) as i16).to_le_bytes())
        .collect();
    fs::write(path("audio/tone.wav"), wav(1, 1, 16_000, 16, &samples)).unwrap();
    folder
}

pub fn files(folder: &TempDir, name: &str) -> Vec<DataFile> {
    file::find(&[folder.path().join("data").join(name)], true).unwrap()
}
