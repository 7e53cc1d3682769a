//! The golden vectors of tests/golden, and what an engine has to give on them; on every target the
//! same.
//!
//! [`check_all`] is what every target runs. To have another kernel checked everywhere, add it to
//! [`engines`].

use std::sync::Arc;

use lmz::exact;
use lmz::exact::fpstate::Exact;
use lmz::exact::kernel::Kernel;
use lmz::lm::rwkv7::{Files, Model, Network, Oracle, Weights};
use lmz::vocab::{START, Token, Vocabulary};
use safetensors::SafeTensors;

/// Reads a token and gives the logits of the next one.
pub type Step<'a> = Box<dyn FnMut(Token) -> Vec<f32> + 'a>;

/// Something that computes a model.
pub struct Engine {
    pub name: &'static str,
    pub start: fn(&Weights) -> Step<'_>,
}

/// Everything that can compute a model here: the oracle, and the engine by each kernel of this
/// processor.
pub fn engines() -> Vec<Engine> {
    let oracle = Engine {
        name: "oracle",
        start: |weights| {
            let mut oracle = Oracle::new(weights);
            Box::new(move |token| oracle.step(token))
        },
    };
    let kernels: [fn(&Weights) -> Step<'_>; Kernel::ALL.len()] =
        [engine::<0>, engine::<1>, engine::<2>, engine::<3>, engine::<4>, engine::<5>];
    let kernels = Kernel::ALL.into_iter().zip(kernels).filter(|(kernel, _)| kernel.available());
    std::iter::once(oracle)
        .chain(kernels.map(|(kernel, start)| Engine { name: kernel.name(), start }))
        .collect()
}

/// The engine by the kernel of this number, one stream.
fn engine<const K: usize>(weights: &Weights) -> Step<'_> {
    let network = Network::new(weights, Kernel::ALL[K])
        .expect("a golden model has a shape that the engine takes");
    let mut engine = lmz::lm::engine::Engine::new(Arc::new(network.into()));
    let mut stream = engine.stream();
    Box::new(move |token| {
        engine.step(&mut [(&mut stream, token)]);
        let logits: Vec<f32> = stream.logits().collect();
        let frequencies =
            exact::fpstate::exact(|fp| exact::frequencies(fp, &logits, |id| id != START as usize));
        assert!(
            stream.sums() == exact::prefix_sums(frequencies),
            "{}: prefix sums",
            Kernel::ALL[K].name()
        );
        logits
    })
}

/// A model and what it gives on a text.
pub struct Golden {
    pub name: &'static str,
    pub config: &'static [u8],
    pub vocab: &'static [u8],
    pub tensors: &'static [u8],
    /// Text, ids, hashes of every step.
    json: &'static [u8],
    /// Logits of some steps.
    logits: &'static [u8],
    mixer: Option<&'static [u8]>,
    /// Activations of 16 bits, which the model's own configuration does not say.
    pub int16: bool,
    /// How many steps there are, and how many have their logits in full.
    pub steps: (usize, usize),
}

macro_rules! golden {
    ($name:literal, $folder:literal, $mixer:expr, $int16:expr, $steps:expr) => {
        Golden {
            name: $name,
            config: include_bytes!(concat!("../../", $folder, "/config.json")),
            vocab: include_bytes!(concat!("../../", $folder, "/vocab.txt")),
            tensors: include_bytes!(concat!("../../", $folder, "/model.safetensors")),
            json: include_bytes!(concat!("../golden/", $name, ".json")),
            logits: include_bytes!(concat!("../golden/", $name, ".safetensors")),
            mixer: $mixer,
            int16: $int16,
            steps: $steps,
        }
    };
}

pub const TINY: Golden = golden!("tiny", "tests/golden/tiny-model", None, false, (88, 88));
pub const TINY16: Golden = golden!("tiny16", "tests/golden/tiny-model", None, true, (88, 4));
pub const NANO: Golden = {
    let mixer: &[u8] = include_bytes!("../../models/nano/mixer.bin");
    golden!("nano", "models/nano", Some(mixer), false, (170, 8))
};
pub const BASE: Golden = {
    let mixer: &[u8] = include_bytes!("../../models/base/mixer.bin");
    golden!("base", "models/base", Some(mixer), false, (157, 8))
};

#[derive(serde::Deserialize)]
pub struct Trace {
    pub identity: String,
    pub text_hex: String,
    pub ids: Vec<Token>,
    logits_blake3: Vec<String>,
    frequencies_blake3: Vec<String>,
}

impl Golden {
    pub fn model(&self) -> Model {
        let config = std::str::from_utf8(self.config).expect("JSON is UTF-8");
        let config =
            if self.int16 { config.replace("\"int8\"", "\"int16\"") } else { config.to_owned() };
        let files = Files {
            config: config.as_bytes(),
            vocabulary: self.vocab,
            tensors: self.tensors,
            mixer: self.mixer,
        };
        let model = Model::parse(self.name, &files).expect("a golden model loads");
        assert_eq!(self.int16, model.weights().config.activations == exact::Activations::Int16);
        assert_eq!(model.identity().to_string(), self.trace().identity);
        model
    }

    pub fn trace(&self) -> Trace {
        serde_json::from_slice(self.json).expect("a golden file parses")
    }

    /// Segments the text.
    pub fn check_segmentation(&self, vocabulary: &Vocabulary) -> Result<(), String> {
        let trace = self.trace();
        let digits = trace.text_hex.as_bytes().as_chunks::<2>().0;
        let byte = |d: &[u8; 2]| {
            u8::from_str_radix(std::str::from_utf8(d).expect("ASCII"), 16).expect("hexadecimal")
        };
        let text: Vec<u8> = digits.iter().map(byte).collect();
        let found: Vec<Token> = vocabulary.segment(&text).collect();
        if found != trace.ids {
            return Err(format!("{}: expected {:?}, found {found:?}", self.name, trace.ids));
        }
        if (text.len(), found.len()) != (324, self.steps.0 - 1) {
            return Err(format!(
                "{}: {} bytes, {} tokens: not the text it should be",
                self.name,
                text.len(),
                found.len()
            ));
        }
        Ok(())
    }

    /// Runs an engine over the text: every step's hashes, and some steps' logits in full.
    pub fn check(&self, weights: &Weights, engine: &Engine) -> Result<(), String> {
        let trace = self.trace();
        let file = SafeTensors::deserialize(self.logits).expect("a golden file parses");
        let steps: Vec<usize> = words(&file, "steps").iter().map(|s| *s as usize).collect();
        let full = words(&file, "logits");
        let mut step = (engine.start)(weights);
        let (mut hashed, mut rows) = (0, 0);
        for (i, token) in std::iter::once(START).chain(trace.ids.iter().copied()).enumerate() {
            let logits = step(token);
            if let Some(row) = steps.iter().position(|s| *s == i) {
                let row = &full[row * logits.len()..][..logits.len()];
                if let Some(at) = (0..row.len()).find(|at| row[*at] != logits[*at].to_bits()) {
                    let (found, expected) = (logits[at], f32::from_bits(row[at]));
                    return Err(format!(
                        "{}: step {i}, logit {at}: expected {expected:?}, found {found:?}",
                        self.name
                    ));
                }
                rows += 1;
            }
            if hash(logits.iter().flat_map(|x| x.to_le_bytes())) != trace.logits_blake3[i] {
                return Err(format!("{}: step {i}: the logits differ", self.name));
            }
            let frequencies = exact::fpstate::exact(|fp| {
                exact::frequencies(fp, &logits, |id| id != START as usize)
            });
            if hash(frequencies.iter().flat_map(|f| f.to_le_bytes())) != trace.frequencies_blake3[i]
            {
                return Err(format!("{}: step {i}: the frequencies differ", self.name));
            }
            hashed += 1;
        }
        if (hashed, rows) != self.steps
            || rows != steps.len()
            || hashed != trace.logits_blake3.len()
        {
            return Err(format!(
                "{}: {hashed} steps and {rows} rows were compared, not all",
                self.name
            ));
        }
        Ok(())
    }

    /// Loads the model and runs everything on it.
    pub fn check_all(&self) -> Result<(), String> {
        let model = self.model();
        self.check_segmentation(model.vocabulary())?;
        let engines = engines();
        assert_eq!(engines[0].name, "oracle");
        engines.iter().try_for_each(|e| {
            self.check(model.weights(), e).map_err(|what| format!("{}: {what}", e.name))
        })
    }
}

/// Functions, vectors, models, by every engine.
pub fn check_all() -> Result<(), String> {
    check_functions()?;
    [TINY, TINY16, NANO, BASE].iter().try_for_each(Golden::check_all)
}

/// The functions and vectors of tests/golden/functions.safetensors.
pub fn check_functions() -> Result<(), String> {
    exact::fpstate::exact(functions)
}

fn functions(fp: Exact) -> Result<(), String> {
    let file = SafeTensors::deserialize(include_bytes!("../golden/functions.safetensors"))
        .expect("it parses");
    let floats = |name| words(&file, name).into_iter().map(f32::from_bits).collect::<Vec<_>>();
    let mut compared = 0;
    let mut same = |what: &str, i: usize, found: u32, expected: u32| {
        compared += 1;
        if found == expected {
            Ok(())
        } else {
            Err(format!("{what}, number {i}: {found:#x}, not {expected:#x}"))
        }
    };
    let x = floats("x");
    type Function = fn(Exact, f32) -> f32;
    for (name, f) in
        [("exp", exact::exp as Function), ("sigmoid", exact::sigmoid), ("tanh", exact::tanh)]
    {
        for (i, (x, expected)) in x.iter().zip(words(&file, name)).enumerate() {
            same(name, i, f(fp, *x).to_bits(), expected)?;
        }
    }
    let rows = floats("rows");
    let width = file.tensor("rows").expect("it is there").shape()[1];
    let rows: Vec<&[f32]> = rows.chunks_exact(width).collect();
    let quantised = file.tensor("rows_int8").expect("it is there").data();
    let (scales, sums, norms) =
        (words(&file, "rows_scale"), words(&file, "rows_sum"), words(&file, "rows_norm"));
    for (i, row) in rows.iter().enumerate() {
        let q = exact::quantise(fp, row, exact::Activations::Int8);
        same("scale", i, q.scale.to_bits(), scales[i])?;
        same("sum", i, exact::sum(fp, row.iter().copied()).to_bits(), sums[i])?;
        for (q, expected) in q.low.iter().zip(&quantised[i * width..]) {
            same("quantised", i, *q as u8 as u32, u32::from(*expected))?;
        }
    }
    for (i, norm) in norms.chunks_exact(width).enumerate() {
        for (found, expected) in exact::layer_norm(fp, rows[i], rows[0], rows[1]).iter().zip(norm) {
            same("layer norm", i, found.to_bits(), *expected)?;
        }
    }
    // 5,020 arguments of three functions; 34 rows of 37 with scale and sum; 24 rows of 37.
    if compared != 3 * 5020 + 34 * (37 + 2) + 24 * 37 {
        return Err(format!("{compared} values were compared, not all"));
    }
    Ok(())
}

/// A tensor's elements of 32 bits.
fn words(file: &SafeTensors, name: &str) -> Vec<u32> {
    let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    tensor.data().as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
}

/// The first 128 bits of BLAKE3, in hexadecimal.
fn hash(bytes: impl Iterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.collect();
    blake3::hash(&bytes).to_hex()[..32].to_owned()
}
