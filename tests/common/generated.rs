//! The files of tests/golden/generated and how they are generated; on every target the same.

use lmz::generate::{Sampling, generate};
use lmz::{Dictionary, EncoderOptions, Predictor};

pub struct Generated {
    pub name: &'static str,
    pub prompt: &'static str,
    pub options: EncoderOptions,
    pub sampling: Sampling,
    /// The text of this prompt.
    pub text: &'static [u8],
}

impl Generated {
    /// As many bytes as the file has, generated here.
    pub fn generate(&self, bytes: usize) -> Vec<u8> {
        generate(self.prompt.as_bytes(), bytes, &self.sampling, &self.options)
            .expect("a built-in model generates")
    }
}

macro_rules! generated {
    ($name:literal, $prompt:expr, $options:expr, $sampling:expr) => {
        Generated {
            name: $name,
            prompt: $prompt,
            options: $options,
            sampling: $sampling,
            text: include_bytes!(concat!("../golden/generated/", $name)),
        }
    };
}

/// Bytes of each text.
pub const BYTES: usize = 400;

pub fn all() -> Vec<Generated> {
    let read = include_bytes!("../golden/archives/message.txt");
    let dictionary = || Dictionary::new(read).expect("it is not empty");
    let none = || EncoderOptions::new().predictor(Predictor::None).dictionary(dictionary());
    let ppm = || EncoderOptions::new().predictor(Predictor::Ppm).dictionary(dictionary());
    let seed = |seed| Sampling::new().seed(seed);
    #[cfg_attr(not(feature = "nano"), expect(unused_mut))]
    let mut all = vec![
        generated!("mix.txt", "The ", none(), seed(1)),
        generated!("mix-cool.txt", "", none(), seed(2).temperature(0.7).top_p(0.95)),
        generated!("ppm.txt", "The ", ppm(), seed(3)),
    ];
    #[cfg(feature = "nano")]
    all.extend({
        let by =
            |name| EncoderOptions::new().predictor(Predictor::find(name).expect("it is built in"));
        let story = "Once upon a time there was a";
        [
            generated!("joint-nano.txt", story, by("nano"), seed(4)),
            generated!("joint-base.txt", story, by("base"), seed(5).temperature(0.8)),
            generated!(
                "joint-primed.txt",
                "",
                by("nano").dictionary(dictionary()),
                seed(u64::MAX).top_p(0.9)
            ),
            generated!("unmixed-nano.txt", story, by("nano").mix(false), seed(6)),
        ]
    });
    all
}
