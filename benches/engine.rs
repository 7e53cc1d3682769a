//! Times of the engine: Markdown tables of microseconds a token, from random weights.
//!
//!     cargo bench --bench engine                    all tables (several minutes)
//!     cargo bench --bench engine -- steps           whole steps: kernel x batch
//!     cargo bench --bench engine -- parts           a step's parts: kernel x batch
//!     cargo bench --bench engine -- shapes          shapes to choose a model from
//!     LMZ_BENCH_MODEL=PATH cargo bench --bench engine -- load    loading that model
//!
//! `LMZ_BENCH_KERNEL=NAME` restricts it to one kernel, `LMZ_BENCH_SECONDS` sets the time for each
//! figure (0.3). Figures are medians.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lmz::exact::kernel::Kernel;
use lmz::lm::engine::{self, Engine, LmStream, Part};
use lmz::lm::rwkv7::{Config, Identity, Model, Network, Weights};
use lmz::vocab::{START, Token};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if wants("steps") {
        steps();
    }
    if wants("parts") {
        parts();
    }
    if wants("shapes") {
        shapes();
    }
    if let Ok(path) = std::env::var("LMZ_BENCH_MODEL") {
        load(path.as_ref());
    }
}

/// Where the time goes when a checkpoint is loaded.
fn load(path: &Path) {
    let model = Model::open(path).expect("LMZ_BENCH_MODEL: a model");
    let print = |what: &str, time: Duration| println!("{what:<36} {:.3} s", time.as_secs_f64());
    let files = median(|| {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            black_box(std::fs::read(entry.path()).map_or(0, |bytes| bytes.len()));
        }
    });
    print("reading the files (in the page cache)", files);
    print("opening: that, quantising, identity", median(|| drop(black_box(Model::open(path)))));
    print(
        "identity",
        median(|| _ = black_box(Identity::new(model.weights(), model.vocabulary(), None))),
    );
    print(
        "packing",
        median(|| drop(black_box(Network::for_model(&model, Kernel::chosen().unwrap())))),
    );
}

const NANO: (&str, Config) = ("nano", Config::new(6, 192, 4096));
const BASE: (&str, Config) = ("base", Config::new(8, 256, 8192));
const LARGE: (&str, Config) = ("large", Config::new(12, 384, 16_384));

fn kernels() -> Vec<Kernel> {
    let only = std::env::var("LMZ_BENCH_KERNEL").ok();
    Kernel::all_available().filter(|k| only.as_ref().is_none_or(|o| o == k.name())).collect()
}

fn seconds() -> f64 {
    std::env::var("LMZ_BENCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(0.3)
}

/// Median time of calls of `f`.
fn median(mut f: impl FnMut()) -> Duration {
    f();
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.len() < 5 || begin.elapsed().as_secs_f64() < seconds() {
        let start = Instant::now();
        f();
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

/// An engine with streams that have begun.
struct Bench {
    engine: Engine,
    streams: Vec<LmStream>,
    /// Numbers that look random.
    number: u32,
}

impl Bench {
    fn new(network: &Arc<engine::Network>, batch: usize) -> Self {
        let engine = Engine::new(Arc::clone(network));
        let streams = (0..batch).map(|_| engine.stream()).collect();
        let mut bench = Self { engine, streams, number: 1 };
        bench.read(|_| START);
        bench
    }

    fn read(&mut self, token: impl Fn(u32) -> Token) {
        let mut rows: Vec<_> =
            self.streams.iter_mut().zip(0..).map(|(s, i)| (s, token(i))).collect();
        self.engine.step(&mut rows);
    }

    fn step(&mut self) {
        self.number = self.number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (number, vocab) = (self.number, self.engine.network().vocab() as u32);
        self.read(|i| 1 + (number >> 8).wrapping_mul(2 * i + 1) % (vocab - 1));
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn network(config: &Config, kernel: Kernel) -> Arc<engine::Network> {
    let network = Network::new(&Weights::random(config, 1), kernel);
    Arc::new(network.expect("a shape that the engine takes").into())
}

fn steps() {
    println!("\n### Whole steps, one thread, microseconds a token\n");
    let batches = [1, 2, 4, 8, 16, 32, 64];
    println!("| model | kernel | {} |", batches.map(|b| format!("batch {b}")).join(" | "));
    println!("|---|---|{}", "---:|".repeat(batches.len()));
    for (name, config) in [NANO, BASE, LARGE] {
        for kernel in kernels() {
            let network = network(&config, kernel);
            let row = batches.map(|batch| {
                let mut bench = Bench::new(&network, batch);
                format!("{:.1}", micros(median(|| bench.step())) / batch as f64)
            });
            println!("| {name} | {} | {} |", kernel.name(), row.join(" | "));
        }
    }
}

fn parts() {
    println!("\n### Parts of a step on one thread, microseconds a token\n");
    println!("| model | kernel | batch | {} | all |", Part::ALL.map(Part::name).join(" | "));
    println!("|---|---|---:|{}---:|", "---:|".repeat(Part::ALL.len()));
    for (name, config) in [NANO, BASE, LARGE] {
        for kernel in kernels() {
            let network = network(&config, kernel);
            for batch in [1, 4, 16, 64] {
                let mut bench = Bench::new(&network, batch);
                let mut times = Part::ALL.map(|_| vec![]);
                let all = median(|| {
                    bench.engine.timer().start();
                    bench.step();
                    for (times, part) in times.iter_mut().zip(Part::ALL) {
                        times.push(bench.engine.timer().spent(part));
                    }
                });
                let row = times.map(|mut times| {
                    times.sort();
                    format!("{:.1}", micros(times[times.len() / 2]) / batch as f64)
                });
                let all = micros(all) / batch as f64;
                println!(
                    "| {name} | {} | {batch} | {} | {all:.1} |",
                    kernel.name(),
                    row.join(" | ")
                );
            }
        }
    }
}

/// Shapes around base's cost, one thing changed at a time and then paid back.
fn shapes() {
    println!("\n### Shapes, fastest kernel, one thread, microseconds a token\n");
    println!(
        "| layers | D | inner | V | head | ranks w a v g | weights, M | batch 1 | batch 8 | batch \
        16 | batch 32 |"
    );
    println!("|---:|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|");
    let base = BASE.1;
    let deep = Config { layers: 12, hidden: 192, intermediate: 768, ..base };
    let wide = Config { layers: 5, hidden: 320, intermediate: 1280, ..base };
    let ranks =
        |w, a, v, g, config| Config { decay_rank: w, a_rank: a, v_rank: v, gate_rank: g, ..config };
    let shapes = [
        base,
        Config { head_size: 64, ..base },
        Config { head_size: 16, ..base },
        ranks(16, 16, 16, 32, base),
        ranks(64, 64, 32, 128, base),
        Config { intermediate: 768, layers: 9, ..base },
        Config { intermediate: 1280, layers: 7, ..base },
        Config { intermediate: 1536, layers: 6, ..base },
        Config { vocab: 4096, layers: 10, ..base },
        Config { vocab: 12_288, layers: 7, ..base },
        Config { vocab: 16_384, layers: 6, ..base },
        deep,
        Config { layers: 16, vocab: 4096, ..deep },
        wide,
        Config { layers: 7, hidden: 288, intermediate: 1152, ..base },
        Config { layers: 10, hidden: 224, intermediate: 896, ..base },
        Config { layers: 6, hidden: 256, ..base },
        Config { layers: 12, hidden: 256, ..base },
        Config { layers: 8, hidden: 320, intermediate: 1280, ..base },
        Config { layers: 10, hidden: 384, intermediate: 1536, vocab: 8192, ..base },
    ];
    for config in shapes {
        let kernel = kernels().pop().expect("there is a kernel");
        let network = network(&config, kernel);
        let times = [1, 8, 16, 32].map(|batch| {
            let mut bench = Bench::new(&network, batch);
            format!("{:.1}", micros(median(|| bench.step())) / batch as f64)
        });
        let Config {
            layers,
            hidden,
            intermediate,
            vocab,
            head_size,
            decay_rank,
            a_rank,
            v_rank,
            gate_rank,
            ..
        } = config;
        let engine::Network::Rwkv7(packed) = &*network else { unreachable!("made so") };
        let weights = (packed.arena.bytes() + vocab * hidden) as f64 / 1e6;
        let ranks = format!("{decay_rank} {a_rank} {v_rank} {gate_rank}");
        let times = times.join(" | ");
        println!(
            "| {layers} | {hidden} | {intermediate} | {vocab} | {head_size} | {ranks} | \
            {weights:.1} | {times} |"
        );
    }
}
