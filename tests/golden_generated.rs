//! Texts in tests/golden/generated are what is generated here. When what predicts changes, and with
//! it the format's version, they are written anew: with LMZ_WRITE_GOLDEN=1, and then once more
//! without. A new one has to exist: let it be empty.

#[path = "common/generated.rs"]
mod generated;

use lmz::exact::kernel::Kernel;
use lmz::generate::{Sampling, generate, generate_with};
use lmz::score::code_length;
use lmz::{Dictionary, EncoderOptions, Error, Predictor};
use std::ops::ControlFlow;

#[test]
fn generated_texts() {
    for golden in generated::all() {
        let name = golden.name;
        if std::env::var_os("LMZ_WRITE_GOLDEN").is_some() {
            let path = format!("{}/tests/golden/generated/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, golden.generate(generated::BYTES)).unwrap();
            continue;
        }
        // An emulated processor takes minutes for what others do in seconds.
        let emulated = std::env::var_os("LMZ_EMULATED").is_some();
        let bytes = if emulated { generated::BYTES / 4 } else { generated::BYTES };
        assert_eq!(golden.text.len(), generated::BYTES, "{name}");
        let found = golden.generate(bytes);
        assert!(found == golden.text[..bytes], "{name}: {:?}", String::from_utf8_lossy(&found));
    }
}

/// By every kernel of this processor, each in a process of its own.
#[test]
fn generated_texts_by_every_kernel() {
    if ["LMZ_EMULATED", "LMZ_WRITE_GOLDEN"].iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    for kernel in Kernel::all_available() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "generated_texts"])
            .env("LMZ_KERNEL", kernel.name())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{}: {told}", kernel.name());
    }
}

fn none() -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::None)
}

/// What is generated is what the predictor expects: it costs about what a text costs that is like
/// what was read. (A long one costs less and less: context models learn from what they write.)
#[test]
fn samples_are_those_of_the_compressor() {
    let text = include_bytes!("../testdata/prose.txt");
    let options = none().dictionary(Dictionary::new(&text[..20_000]).unwrap());
    const BYTES: usize = 250;
    let bits = |text: &[u8]| code_length(text, &options).unwrap() / BYTES as f64;
    let mean =
        |texts: Vec<Vec<u8>>| texts.iter().map(|text| bits(text)).sum::<f64>() / texts.len() as f64;
    let of = |temperature: f32| {
        let one = |seed| {
            let sampling = Sampling::new().seed(seed).temperature(temperature);
            generate(b"", BYTES, &sampling, &options).unwrap()
        };
        mean((0..6).map(one).collect())
    };
    let own = mean(text[20_000..].chunks_exact(BYTES).take(6).map(<[u8]>::to_vec).collect());
    let [as_predicted, cool, hot] = [1.0, 0.7, 1.5].map(of);
    assert!((0.6..1.6).contains(&(as_predicted / own)), "{as_predicted} and {own}");
    assert!(cool < as_predicted && as_predicted < hot, "{cool} {as_predicted} {hot}");
}

#[test]
fn a_prompt_is_gone_on_with() {
    let greedy = Sampling::new().temperature(0.0);
    for predictor in [Predictor::None, Predictor::Ppm, default()] {
        let options = EncoderOptions::new().predictor(predictor);
        let prompt = b"one two three four five six. ".repeat(20);
        // It ends within a word, and within a token.
        let cut = prompt.len() - 11;
        let text = generate(&prompt[..cut], 20, &greedy, &options).unwrap();
        assert_eq!(&text[..11], &prompt[cut..], "{:?}", String::from_utf8_lossy(&text));
    }
}

/// The default predictor of this build.
fn default() -> Predictor {
    Predictor::find(Predictor::DEFAULT).unwrap_or(Predictor::None)
}

#[test]
fn texts_come_as_they_are_made_and_end_when_told() {
    for predictor in [Predictor::None, Predictor::Ppm, default()] {
        let options = EncoderOptions::new().predictor(predictor);
        let sampling = Sampling::new().seed(11);
        let whole = generate(b"x", 200, &sampling, &options).unwrap();
        let (mut pieces, mut found) = (0, Vec::new());
        generate_with(b"x", 1 << 20, &sampling, &options.clone(), |piece| {
            pieces += 1;
            found.extend_from_slice(piece);
            if found.len() < 100 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
        assert!(pieces > 2 && found.len() >= 100);
        // The block is longer, which changes what is predicted, but not at once.
        assert_eq!(whole[0], found[0]);
        let again = generate(b"x", 300, &sampling, &options.threads(4)).unwrap();
        assert_eq!(again[..200], whole);
    }
}

#[test]
fn what_cannot_be_is_an_error() {
    let one = |sampling: Sampling| generate(b"", 1, &sampling, &none());
    for bad in [-1.0, 100.5, f32::NAN, f32::INFINITY] {
        let error = one(Sampling::new().temperature(bad)).unwrap_err();
        assert!(matches!(error, Error::Sampling { name: "temperature", .. }), "{error}");
    }
    assert!(matches!(one(Sampling::new().top_p(1.5)), Err(Error::Sampling { name: "top-p", .. })));
    assert!(one(Sampling::new().temperature(100.0).top_p(0.0)).is_ok());
    let most = lmz::generate::LONGEST;
    let error = generate(b"x", most, &Sampling::new(), &none()).unwrap_err();
    assert!(matches!(error, Error::Option { .. }), "{error}");
    let little = none().memory(1 << 20);
    let error = generate(b"", 100, &Sampling::new(), &little).unwrap_err();
    assert!(matches!(error, Error::Memory { .. }), "{error}");
    assert_eq!(generate(b"x", 0, &Sampling::new(), &none()).unwrap(), b"");
}
