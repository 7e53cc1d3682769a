//! Explanations hold the archive's own costs.

#[path = "common/support.rs"]
mod support;

use lmz::explain::{Explanation, explain_archive};
use lmz::format::Method;
use lmz::{DecoderOptions, EncoderOptions, Predictor, explain};
use support::noise;

#[path = "common/tiny.rs"]
mod tiny;

/// Tokens and segments cover the content, and their costs are those of the coded bytes.
fn sound(raw: &[u8], explanation: &Explanation) {
    let mut at = 0;
    for token in &explanation.tokens {
        assert_eq!(token.range.start, at, "no gaps");
        assert!(token.range.end > at && token.bits >= 0.0);
        at = token.range.end;
        if let Some(said) = &token.said {
            assert!(
                said.bits >= 0.0
                    && said.guesses.len() <= 5
                    && said.guesses.is_sorted_by(|a, b| a.1 >= b.1)
            );
            assert!(said.guesses.iter().map(|g| g.1).sum::<f32>() < 1.0001);
        }
    }
    assert_eq!((at, explanation.raw), (raw.len() as u64, raw.len() as u64));
    let mut at = 0;
    for block in &explanation.blocks {
        let bits: f64 = explanation
            .tokens
            .iter()
            .filter(|t| block.range.contains(&t.range.start))
            .map(|t| t.bits)
            .sum();
        let coded = block.coded as f64 * 8.0;
        assert!((bits - block.bits).abs() < 1e-6 * bits + 1e-6, "{bits} and {}", block.bits);
        // The coder rounds up to bytes, and leaves out bytes at the end that happen to be 0.
        assert!((coded - bits).abs() < 16.0 + 0.001 * coded, "{bits} for {coded} coded");
        for segment in &block.segments {
            assert_eq!(segment.range.start, at);
            at = segment.range.end;
        }
        assert_eq!(at, block.range.end);
    }
}

fn check(raw: &[u8], options: &EncoderOptions) -> Explanation {
    let explanation = explain(raw, options, u64::MAX).unwrap();
    sound(raw, &explanation);
    assert_eq!(explanation.archive, lmz::compress_with(raw, options).unwrap().len() as u64);
    explanation
}

const TEXT: &str = "It was a dark and stormy night; the rain fell in torrents, except at \
    occasional intervals.\r\n\
    The rain fell on \u{65e5}\u{672c}.\n";

/// What predicts unless something else is asked for.
fn default() -> Predictor {
    Predictor::find(Predictor::DEFAULT).unwrap_or(Predictor::None)
}

fn options(predictor: Predictor) -> EncoderOptions {
    EncoderOptions::new().predictor(predictor)
}

#[test]
fn small_contents_of_every_kind() {
    for predictor in [default(), Predictor::None, Predictor::Ppm] {
        let options = options(predictor);
        for raw in [
            &b""[..],
            b"x",
            b"\0\0\0\0\0\0\0\0",
            b"\r\n\r\n",
            b"\xff<script>\0",
            TEXT.as_bytes(),
            &noise(3000),
        ] {
            check(raw, &options);
        }
    }
}

#[test]
fn methods_are_said() {
    let method = |raw: &[u8], options: &EncoderOptions| check(raw, options).blocks[0].method;
    let none = options(Predictor::None);
    assert_eq!(method(&[7; 1000], &none), Method::Rle);
    assert_eq!(method(&noise(1000), &none), Method::Stored);
    assert_eq!(method(TEXT.as_bytes(), &none), Method::Cm);
    assert_eq!(method(TEXT.as_bytes(), &options(Predictor::Ppm)), Method::Modelled);
}

#[test]
fn blocks_and_a_limit() {
    let raw = TEXT.repeat(40).into_bytes();
    let options = options(Predictor::None).block_size(1000).threads(2);
    let all = check(&raw, &options);
    assert_eq!(all.blocks.len(), raw.len().div_ceil(1000));
    let some = explain(&raw, &options, 1500).unwrap();
    assert_eq!((some.blocks.len(), some.tokens.len(), some.archive), (2, 1500, all.archive));
    assert_eq!(some.tokens[..], all.tokens[..1500]);
    assert!(explain(&raw, &options, 0).unwrap().tokens.is_empty());
}

/// Streams in lock step, and segments that the model does not read among them.
#[test]
fn segments_are_in_the_order_of_the_content() {
    let raw = [TEXT.repeat(5).into_bytes(), noise(300), TEXT.repeat(7).into_bytes()].concat();
    let first = 5 * TEXT.len() as u64;
    let segments = [
        tiny::read(100),
        tiny::read(first - 100),
        tiny::unread(300),
        tiny::read(7 * TEXT.len() as u64),
    ];
    let last = [tiny::read(TEXT.len() as u64)];
    let archive = tiny::full(&[
        (&raw, tiny::layout(&segments, 3, 90)),
        (TEXT.as_bytes(), tiny::layout(&last, 1, 0)),
    ]);
    let options = DecoderOptions::new().model(tiny::tiny());
    let found = explain_archive(&archive, &options, u64::MAX).unwrap();
    sound(&[&raw, TEXT.as_bytes()].concat(), &found);
    assert_eq!(
        found.blocks[0].segments.iter().map(|s| s.read).collect::<Vec<_>>(),
        [true, true, false, true]
    );
    for token in &found.tokens {
        let unread = (first..first + 300).contains(&token.range.start);
        assert_eq!(token.said.is_none(), unread, "{token:?}");
        assert!(!unread || token.range.end == token.range.start + 1);
    }
    let short = tiny::short(TEXT.as_bytes());
    sound(TEXT.as_bytes(), &explain_archive(&short, &options, u64::MAX).unwrap());
    let mut damaged = short;
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    assert!(explain_archive(&damaged, &options, u64::MAX).is_err());
}

#[cfg(feature = "nano")]
mod with_nano {
    use super::*;

    /// What the model says alone is what `--mix off` codes.
    #[test]
    fn the_model_alone() {
        let raw = TEXT.repeat(3).into_bytes();
        let both = check(&raw, &EncoderOptions::default());
        let alone = check(&raw, &EncoderOptions::new().mix(false));
        assert_eq!(
            (both.blocks[0].method, alone.blocks[0].method),
            (Method::LmCm, Method::Modelled)
        );
        assert_eq!(both.tokens.len(), alone.tokens.len());
        for (a, b) in both.tokens.iter().zip(&alone.tokens) {
            assert_eq!((&a.range, &a.said), (&b.range, &b.said));
            // The walk's probabilities are rounded to 16 bits.
            let said = b.said.as_ref().unwrap().bits;
            assert!((b.bits - said).abs() < 0.02 * said + 0.02, "{} and {said}", b.bits);
        }
    }

    #[test]
    fn guesses_are_the_models() {
        let raw = b"The capital of the United States of America";
        let found = check(raw, &EncoderOptions::default());
        let vocabulary = match default() {
            Predictor::Model(model) => model.vocabulary().clone(),
            _ => unreachable!("nano is built in"),
        };
        // After "United" the model expects " States".
        let token = found.tokens.iter().find(|t| t.range.start >= 25).expect("more tokens follow");
        let (rest, said) = (&raw[token.range.start as usize..], token.said.as_ref().unwrap());
        let guess = vocabulary.token(said.guesses[0].0);
        assert!(rest.starts_with(guess) && said.guesses[0].1 > 0.2, "{guess:?} and {rest:?}");
    }

    #[test]
    fn a_dictionary() {
        let dictionary = lmz::Dictionary::new(TEXT.as_bytes()).unwrap();
        let options = EncoderOptions::new().dictionary(dictionary);
        let bits = |e: Explanation| e.blocks[0].bits;
        assert!(
            bits(check(TEXT.as_bytes(), &options))
                < bits(check(TEXT.as_bytes(), &EncoderOptions::default())) / 4.0
        );
    }
}
