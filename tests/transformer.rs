//! Transformers: the engine against the definition, on every kernel.

use std::sync::Arc;

use lmz::exact::fpstate::exact;
use lmz::exact::kernel::Kernel;
use lmz::exact::rotary::frequencies;
use lmz::lm::engine::{Engine, LmOutput, LmStream, Network};
use lmz::lm::transformer::{self, Config, Gate, Oracle, Weights};
use lmz::vocab::{START, Token, Vocabulary};

/// A vocabulary whose ids are not its ranks.
fn vocabulary(tokens: usize) -> Vocabulary {
    let bytes = (0..=255u8).rev().map(|byte| vec![byte]);
    let longer = (0..).map(|i: u32| format!("{i:o}x").into_bytes());
    Vocabulary::new([Vec::new()].into_iter().chain(bytes).chain(longer).take(tokens)).unwrap()
}

/// Shapes that together have all that a model can have.
fn shapes() -> Vec<Config> {
    let plain = Config::new(2, 64, 300);
    let rotary = |size| exact(|fp| [frequencies(fp, 1e6, size), frequencies(fp, 1e4, size)]);
    vec![
        plain.clone(),
        // Groups of three heads, an inner part of more than one group of inputs, and one of which
        // the last is short.
        Config { heads: 9, kv_heads: 3, intermediate: 336, hidden: 144, ..plain.clone() },
        Config {
            heads: 4,
            kv_heads: 1,
            head_size: 96,
            rotary: rotary(96),
            gate: Gate::Gelu,
            embedding_scale: 8.0,
            score_cap: Some(20.0),
            logit_cap: Some(9.0),
            post_norms: true,
            head_norms: true,
            local: vec![true, false, true],
            ..Config::new(3, 64, 301)
        },
        Config {
            bias: true,
            output_bias: true,
            tied: false,
            local: vec![false, true],
            window: 5,
            ..plain
        },
    ]
}

/// What the definition says of each token of a text: logits by id.
fn expected(weights: &Weights, context: usize, tokens: &[Token]) -> Vec<Vec<f32>> {
    let mut oracle = Oracle::new(weights, context);
    tokens.iter().map(|token| oracle.step(*token)).collect()
}

fn tokens(vocab: usize, length: usize, seed: usize) -> Vec<Token> {
    let text = (1..length).map(|i| ((i * i * 31 + i * seed * 7 + seed) % (vocab - 1) + 1) as Token);
    std::iter::once(START).chain(text).collect()
}

fn bits(logits: impl IntoIterator<Item = f32>) -> Vec<u32> {
    logits.into_iter().map(f32::to_bits).collect()
}

/// Streams that are stepped together, each against its own text, in contexts that they outgrow.
#[test]
fn steps_are_those_of_the_definition() {
    for (number, config) in shapes().into_iter().enumerate() {
        let weights = Weights::random(&config, number as u64);
        let vocabulary = vocabulary(config.vocab);
        for (context, length) in [(16, 150), (300, 20)] {
            let texts: Vec<_> = (0..5).map(|seed| tokens(config.vocab, length, seed)).collect();
            let all: Vec<_> = texts.iter().map(|text| expected(&weights, context, text)).collect();
            for kernel in Kernel::all_available() {
                let network = transformer::Network::new(&weights, &vocabulary, kernel).unwrap();
                let network = Arc::new(Network::from(network));
                let mut engine = Engine::new(Arc::clone(&network));
                let mut shared = Engine::with_threads(Arc::clone(&network), 2);
                let mut streams = vec![LmStream::new(&network, Some(context)); texts.len()];
                for at in 0..length {
                    // Another number of rows at every step; who is left out follows alone.
                    let together = at % texts.len() + 1;
                    let mut rows: Vec<_> =
                        streams.iter_mut().zip(&texts).map(|(s, text)| (s, text[at])).collect();
                    let (first, rest) = rows.split_at_mut(together);
                    engine.step(first);
                    shared.step(rest);
                    for (stream, all) in streams.iter().zip(&all) {
                        let expected = vocabulary.sorted().iter().map(|id| all[at][*id as usize]);
                        let what = format!("{number} {context} {} at {at}", kernel.name());
                        assert_eq!(bits(stream.logits()), bits(expected), "{what}");
                        assert_eq!(stream.sums()[1], 0, "the empty token has no mass");
                    }
                }
            }
        }
    }
}

/// However many tokens are read in one step, what is said is the same.
#[test]
fn windows_say_what_steps_say() {
    for (number, config) in shapes().into_iter().enumerate() {
        let weights = Weights::random(&config, number as u64);
        let vocabulary = vocabulary(config.vocab);
        let text = tokens(config.vocab, 400, 3);
        for kernel in Kernel::all_available() {
            let network = transformer::Network::new(&weights, &vocabulary, kernel).unwrap();
            let network = Arc::new(Network::from(network));
            let mut engine = Engine::new(Arc::clone(&network));
            let mut shared = Engine::with_threads(Arc::clone(&network), 3);
            let begin = || LmStream::new(&network, Some(40));
            let (mut alone, mut whole, mut parts) = (begin(), begin(), begin());
            let mut said = Vec::new();
            for token in &text {
                engine.step(&mut [(&mut alone, *token)]);
                said.push(alone.sums().to_vec());
            }
            let mut outputs = vec![LmOutput::new(config.vocab); 150];
            engine.read(&mut [whole.window(&text, &mut outputs)]);
            for (output, said) in outputs.iter().zip(&said[250..]) {
                assert_eq!(output.sums(), said, "{number} {}", kernel.name());
            }
            let mut at = 0;
            for length in [1, 3, 70, 2, 9, 100, 31].into_iter().cycle() {
                let tokens = &text[at..text.len().min(at + length)];
                let outputs = &mut outputs[..tokens.len()];
                shared.read(&mut [parts.window(tokens, outputs)]);
                for (output, said) in outputs.iter().zip(&said[at..]) {
                    assert_eq!(output.sums(), said, "{number} {} {at}", kernel.name());
                }
                at += tokens.len();
                if at == text.len() {
                    break;
                }
            }
            // A document begins anew in the room of the one before.
            let outputs = &mut outputs[..20];
            engine.read(&mut [whole.window(&text[..20], outputs)]);
            for (output, said) in outputs.iter().zip(&said) {
                assert_eq!(output.sums(), said, "{number} {}", kernel.name());
            }
        }
    }
}
