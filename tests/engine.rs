//! The engine against the oracle: streams come and go, in batches of any size, by every kernel.

use std::sync::Arc;

use lmz::exact::fpstate::exact;
use lmz::exact::kernel::Kernel;
use lmz::exact::{Activations, frequencies, prefix_sums};
use lmz::lm::engine::{Engine, LmOutput, LmStream};
use lmz::lm::rwkv7::{Config, Network, Oracle, Weights};
use lmz::vocab::{START, Token, Vocabulary};

fn bits(x: f32) -> u32 {
    if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
}

/// Token `i` of document `d`.
fn token(d: usize, i: usize, vocab: usize) -> Token {
    match i {
        0 => START,
        _ => {
            1 + (((d * 7919 + i * 104_729) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33)
                as Token
                % (vocab as Token - 1)
        }
    }
}

/// What the oracle says of each document's first tokens: logits, and the sums that follow from
/// them.
struct Expected {
    logits: Vec<Vec<Vec<u32>>>,
    sums: Vec<Vec<Vec<u64>>>,
}

impl Expected {
    fn new(weights: &Weights, documents: usize, length: usize) -> Self {
        let (mut logits, mut sums) = (vec![], vec![]);
        for d in 0..documents {
            let mut oracle = Oracle::new(weights);
            let rows: Vec<Vec<f32>> =
                (0..length).map(|i| oracle.step(token(d, i, weights.config.vocab))).collect();
            sums.push(
                rows.iter()
                    .map(|row| prefix_sums(exact(|fp| frequencies(fp, row, |id| id != 0))))
                    .collect(),
            );
            logits.push(rows.iter().map(|row| row.iter().map(|x| bits(*x)).collect()).collect());
        }
        Self { logits, sums }
    }

    fn check(&self, stream: &LmStream, d: usize, i: usize, what: &str) {
        let found: Vec<u32> = stream.logits().map(bits).collect();
        assert!(found == self.logits[d][i], "{what}: logits of document {d} after token {i}");
        assert!(stream.sums() == self.sums[d][i], "{what}: sums of document {d} after token {i}");
    }
}

/// Runs documents that begin at different steps, and end at different ones; in some steps some
/// streams wait.
fn run(engine: &mut Engine, expected: &Expected, documents: usize, length: usize, what: &str) {
    let vocab = engine.network().vocab();
    let mut streams: Vec<Option<(LmStream, usize)>> = (0..documents).map(|_| None).collect();
    let mut read = 0;
    for step in 0..length + 2 * documents {
        let mut rows = vec![];
        for (d, slot) in streams.iter_mut().enumerate() {
            if step == 2 * d {
                *slot = Some((engine.stream(), 0));
            }
            if slot.as_ref().is_some_and(|(_, next)| *next == length - d % 3) {
                *slot = None;
            }
            let waits = (step + d).is_multiple_of(5);
            if let Some((stream, next)) = slot.as_mut().filter(|_| !waits) {
                rows.push((stream, token(d, *next, vocab)));
                *next += 1;
            }
        }
        engine.step(&mut rows);
        for (d, slot) in streams.iter().enumerate() {
            if let Some((stream, next)) = slot.as_ref().filter(|(_, next)| *next > 0) {
                expected.check(stream, d, next - 1, what);
                read += 1;
            }
        }
    }
    assert!(read > documents * (length - 3));
}

/// Reads documents in windows, together and of different lengths; of some only the last tokens have
/// outputs, or none.
fn read(engine: &mut Engine, expected: &Expected, documents: usize, length: usize, what: &str) {
    let vocab = engine.network().vocab();
    let mut streams: Vec<_> = (0..documents).map(|_| (engine.stream(), 0)).collect();
    let mut found = 0;
    for round in 1.. {
        let tokens: Vec<Vec<_>> = (0..documents)
            .map(|d| {
                let begin = streams[d].1;
                let end = length.min(begin + (round + 3 * d) % 7);
                (begin..end).map(|i| token(d, i, vocab)).collect()
            })
            .collect();
        let outputs = |(d, tokens): (usize, &Vec<_>)| {
            vec![LmOutput::new(vocab); tokens.len().saturating_sub((round + d) % 3)]
        };
        let mut outputs: Vec<_> = tokens.iter().enumerate().map(outputs).collect();
        let mut windows = Vec::new();
        for (((stream, _), tokens), outputs) in streams.iter_mut().zip(&tokens).zip(&mut outputs) {
            windows.push(stream.window(tokens, outputs));
        }
        engine.read(&mut windows);
        for (d, (_, next)) in streams.iter_mut().enumerate() {
            *next += tokens[d].len();
            for (i, output) in outputs[d].iter().rev().enumerate() {
                let at = *next - 1 - i;
                assert!(output.sums() == expected.sums[d][at], "{what}: document {d}, token {at}");
                found += 1;
            }
        }
        if streams.iter().all(|(_, next)| *next == length) {
            break;
        }
    }
    assert!(found > documents * length / 4, "{found}");
}

fn check(weights: &Weights, documents: usize, length: usize) {
    let expected = Expected::new(weights, documents, length);
    for kernel in Kernel::all_available() {
        let mut engine = Engine::of(Network::new(weights, kernel).unwrap());
        let what = format!("{:?}, {}", weights.config, kernel.name());
        run(&mut engine, &expected, documents, length, &what);
        read(&mut engine, &expected, documents, length, &format!("windows: {what}"));
    }
}

/// Ranks, inner channels and vocabularies that fill no vector or block; head sizes of one to five
/// vectors.
#[test]
fn shapes() {
    let odd = Config {
        hidden: 48,
        head_size: 16,
        intermediate: 75,
        decay_rank: 7,
        a_rank: 17,
        v_rank: 33,
        gate_rank: 21,
        ..Config::new(2, 0, 107)
    };
    let wide = Config { hidden: 192, head_size: 48, intermediate: 100, ..odd };
    let sixty_four = Config { hidden: 128, head_size: 64, vocab: 10, ..odd };
    let eighty = Config { hidden: 160, head_size: 80, vocab: 33, layers: 1, ..odd };
    let small = Config { vocab: 300, ..Config::new(3, 64, 300) };
    for (seed, config) in [odd, wide, sixty_four, eighty, small].into_iter().enumerate() {
        for activations in [Activations::Int8, Activations::Int16] {
            check(&Weights::random(&Config { activations, ..config }, seed as u64), 5, 8);
        }
    }
}

/// A scale so large that activations overflow: infinities and NaNs have one result, too. And so
/// small that products are subnormal, or nothing.
#[test]
fn extremes() {
    for scale in [1e30f32, 1e-18, 1e-38] {
        let mut weights = Weights::random(&Config::new(2, 64, 50), 3);
        for layer in &mut weights.layers {
            for matrix in [&mut layer.att.value, &mut layer.ffn.key, &mut layer.att.output] {
                matrix.scale.iter_mut().for_each(|t| *t *= scale);
            }
        }
        check(&weights, 3, 6);
    }
}

#[test]
fn nano_and_base_shapes_with_many_streams() {
    for config in [Config::new(1, 192, 4096), Config::new(2, 256, 8192)] {
        check(&Weights::random(&config, 9), 19, 4);
    }
}

/// A stream goes on in another engine, of another kernel, and a copy of it in a second way.
#[test]
fn streams_are_values() {
    let weights = Weights::random(&Config::new(2, 64, 70), 4);
    let expected = Expected::new(&weights, 1, 6);
    let [mut one, mut other] = [Kernel::Plain, Kernel::fastest()]
        .map(|kernel| Engine::of(Network::new(&weights, kernel).unwrap()));
    let mut stream = one.stream();
    for i in 0..6 {
        let engine = if i % 2 == 0 { &mut one } else { &mut other };
        engine.step(&mut [(&mut stream, token(0, i, 70))]);
        expected.check(&stream, 0, i, "in turn");
        let mut copy = stream.clone();
        assert_eq!(copy.sums(), stream.sums());
        engine.step(&mut [(&mut copy, 5)]);
    }
    // In another thread.
    let moved = std::thread::spawn(move || stream.sums().to_vec()).join().unwrap();
    assert_eq!(moved, expected.sums[0][5]);
}

#[test]
fn memory_of_a_stream_of_base() {
    let weights = Weights::random(&Config { layers: 8, ..Config::new(8, 256, 8192) }, 1);
    let engine = Engine::of(Network::new(&weights, Kernel::fastest()).unwrap());
    let bytes = engine.stream().memory();
    assert!((278_000..500_000).contains(&bytes), "{bytes}");
}

/// A batch of every size up to 19 rows, of streams in any order, after a step that had more rows.
#[test]
fn batches_of_every_size() {
    let weights = Weights::random(&Config::new(1, 64, 70), 6);
    let expected = Expected::new(&weights, 19, 1 + (1..=19).count());
    for kernel in Kernel::all_available() {
        let mut engine = Engine::of(Network::new(&weights, kernel).unwrap());
        let mut streams: Vec<_> = (0..19).map(|_| (engine.stream(), 0)).collect();
        for size in (1..=19).rev().chain(1..=19) {
            let mut rows = vec![];
            for (d, (stream, next)) in streams.iter_mut().enumerate().rev().take(size) {
                if *next < expected.logits[d].len() {
                    rows.push((stream, token(d, *next, 70)));
                    *next += 1;
                }
            }
            engine.step(&mut rows);
            for (d, (stream, next)) in streams.iter().enumerate().filter(|(_, (_, n))| *n > 0) {
                expected.check(stream, d, next - 1, &format!("{}, {size} rows", kernel.name()));
            }
        }
    }
}

/// Engines of one network in several threads, as the coder's helpers have them: streams that have
/// been computed in one go on in another.
#[test]
fn engines_share_a_network() {
    let weights = Weights::random(&Config::new(2, 64, 70), 4);
    let expected = Expected::new(&weights, 6, 5);
    let network = Network::new(&weights, Kernel::fastest()).unwrap();
    let network = Arc::new(lmz::lm::engine::Network::from(network));
    let first = Engine::new(Arc::clone(&network)).stream();
    let mut streams: Vec<_> = (0..6).map(|_| first.clone()).collect();
    for i in 0..5 {
        streams.rotate_left(i); // so that each thread has had most streams
        std::thread::scope(|scope| {
            for (part, streams) in streams.chunks_mut(2).enumerate() {
                let network = Arc::clone(&network);
                scope.spawn(move || {
                    let number = |at: usize| (2 * part + at + i * (i + 1) / 2) % 6;
                    let rows = streams.iter_mut().enumerate();
                    let mut rows: Vec<_> =
                        rows.map(|(at, stream)| (stream, token(number(at), i, 70))).collect();
                    Engine::new(network).step(&mut rows);
                });
            }
        });
        for (at, stream) in streams.iter().enumerate() {
            expected.check(stream, (at + i * (i + 1) / 2) % 6, i, "in threads");
        }
    }
}

/// A token out of range panics, and does not give frequencies.
#[test]
#[should_panic(expected = "out of bounds")]
fn a_token_out_of_range_panics() {
    let weights = Weights::random(&Config::new(1, 64, 70), 4);
    let mut engine = Engine::of(Network::new(&weights, Kernel::fastest()).unwrap());
    let (mut a, mut b) = (engine.stream(), engine.stream());
    engine.step(&mut [(&mut a, 1), (&mut b, 70)]);
}

/// A vocabulary that is not sorted, with several empty tokens: sums are by rank, empty tokens have
/// none.
#[test]
fn sums_are_by_rank() {
    let config = Config::new(2, 64, 300);
    let mut tokens: Vec<Vec<u8>> =
        (0..300u32).map(|i| if i < 256 { vec![255 - i as u8] } else { vec![i as u8; 2] }).collect();
    tokens[0] = vec![];
    tokens[280] = vec![];
    tokens[299] = vec![255];
    let vocabulary = Vocabulary::new(tokens.clone()).unwrap();
    let weights = Weights::random(&config, 8);
    let network = Network::with_vocabulary(&weights, &vocabulary, Kernel::fastest()).unwrap();
    let sorted = vocabulary.sorted().to_vec();
    assert!(!sorted.is_sorted());
    let mut engine = Engine::of(network);
    let mut streams = [0; 3].map(|_| engine.stream());
    let mut oracles = [0; 3].map(|_| Oracle::new(&weights));
    for i in 0..5 {
        let reads = |d: usize| i < 3 || d != 1;
        let rows = streams.iter_mut().enumerate().filter(|(d, _)| reads(*d));
        let mut rows: Vec<_> = rows.map(|(d, stream)| (stream, token(d, i, 300))).collect();
        engine.step(&mut rows);
        for d in (0..3).filter(|d| reads(*d)) {
            let logits = oracles[d].step(token(d, i, 300));
            let f = exact(|fp| frequencies(fp, &logits, |id| !tokens[id].is_empty()));
            let sums = streams[d].sums();
            assert!(
                sums == prefix_sums(sorted.iter().map(|id| f[*id as usize])),
                "stream {d}, step {i}"
            );
            assert_eq!(sums[..3], [0, 0, 0]);
        }
    }
}
