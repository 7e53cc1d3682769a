//! Rows of a model that candle computes, and how streams that are longer than its context go on.
//!
//! All rows are at the same position. When that reaches the limit, all of them begin anew with
//! their last `keep` tokens, read in one pass: so the sequence of shapes depends on the number of
//! steps alone, for encoder and decoder alike.

use std::sync::Arc;

use candle_core::Tensor;
use rayon::prelude::*;

use super::{failed, pool};
use crate::tokenizer::HubVocabulary;
use lmz::exact::kernel::{Kernel, Lanes};
use lmz::exact::{LANES, fpstate};
use lmz::lm::device::{DeviceError, DeviceSession};
use lmz::lm::engine::RowSums;
use lmz::vocab::Token;

pub type Result<T> = candle_core::Result<T>;

/// What computes the rows.
pub trait Network: Send {
    /// Begins anew with tokens `[B][T]`; gives logits `[B][V]` of the token after.
    fn prime(&mut self, ids: &[u32]) -> Result<Tensor>;

    /// Reads the next token of each row, `[B]`, at a position.
    fn step(&mut self, ids: &[u32], position: usize) -> Result<Tensor>;
}

/// Of each rank of a vocabulary, whose logit is its.
pub struct Order {
    /// Ids by rank, behind token 0, which has no mass; those of bytes that the model lacks are past
    /// its logits.
    ids: Vec<u32>,
}

impl Order {
    pub fn new(vocabulary: &HubVocabulary) -> Self {
        let ids = vocabulary
            .vocabulary()
            .sorted()
            .iter()
            .map(|token| vocabulary.id(*token).unwrap_or(u32::MAX));
        Self { ids: ids.collect() }
    }

    /// Prefix sums `[V + 1]` of the frequencies, from logits by id.
    fn sums(
        &self,
        logits: &[f32],
        room: &mut Vec<Lanes>,
        to: &mut Vec<u64>,
    ) -> std::result::Result<(), DeviceError> {
        room.resize(self.ids.len().div_ceil(LANES), Lanes::default());
        to.resize(self.ids.len() + 1, 0);
        let mut finite = true;
        for (line, ids) in room.iter_mut().zip(self.ids.chunks(LANES)) {
            for (x, id) in line.0.iter_mut().zip(ids) {
                // What has no logit gets the least frequency there is.
                let logit = logits.get(*id as usize).copied();
                finite &= logit.is_none_or(f32::is_finite);
                *x = logit.unwrap_or(f32::MIN);
            }
        }
        if !finite {
            let message = "the model gives logits that are not finite numbers; take a wider type \
                of numbers (--dtype f32)";
            return Err(DeviceError::Failed(message.into()));
        }
        // Token 0 is empty and sorts first.
        let kernel = Kernel::chosen().map_err(|error| DeviceError::Failed(error.to_string()))?;
        fpstate::exact(|fp| kernel.run(fp, RowSums { fp, logits: room, massless: 1, sums: to }));
        Ok(())
    }
}

/// Streams in lock step, of any length.
pub struct LockStep {
    network: Box<dyn Network>,
    order: Arc<Order>,
    vocabulary: Arc<HubVocabulary>,
    /// What a document begins with.
    start: u32,
    /// Tokens that a stream may have before it begins anew with its last `keep`; 0: any number.
    limit: usize,
    keep: usize,
    /// Of each row its last tokens.
    histories: Vec<Vec<u32>>,
    /// Tokens read since the last beginning.
    position: usize,
    /// `[B][V]`
    logits: Vec<f32>,
}

impl LockStep {
    pub fn new(
        network: Box<dyn Network>,
        order: &Arc<Order>,
        vocabulary: &Arc<HubVocabulary>,
        start: u32,
        (limit, keep): (usize, usize),
    ) -> Self {
        let (order, vocabulary) = (Arc::clone(order), Arc::clone(vocabulary));
        let (histories, logits) = (Vec::new(), Vec::new());
        Self { network, order, vocabulary, start, limit, keep, histories, position: 0, logits }
    }

    /// Begins all rows with a document's start and the end of `first`.
    pub fn begin(&mut self, batch: usize, first: &[Token]) -> std::result::Result<(), DeviceError> {
        let mut history: Vec<u32> =
            std::iter::once(self.start).chain(first.iter().map(|t| self.id(*t))).collect();
        let most = if self.limit == 0 { history.len() } else { self.keep.max(1) };
        history.drain(..history.len() - most.min(history.len()));
        self.histories = vec![history; batch];
        self.prime()
    }

    /// Begins anew with all that the histories hold, which is of one length.
    fn prime(&mut self) -> std::result::Result<(), DeviceError> {
        self.position = self.histories.first().map_or(0, Vec::len);
        let ids = self.histories.concat();
        let logits = pool::run(|| self.network.prime(&ids)).map_err(failed)?;
        self.take(&logits)
    }

    fn take(&mut self, logits: &Tensor) -> std::result::Result<(), DeviceError> {
        self.logits = logits.flatten_all().and_then(|t| t.to_vec1()).map_err(failed)?;
        Ok(())
    }

    /// What the model reads for a token; for bytes that it lacks what a document begins with.
    pub fn id(&self, token: Token) -> u32 {
        self.vocabulary.id(token).unwrap_or(self.start)
    }

    /// Reads each row's next token at a position of its own choice: for the probe.
    pub fn step_at(
        &mut self,
        ids: &[u32],
        position: usize,
    ) -> std::result::Result<(), DeviceError> {
        let logits = pool::run(|| self.network.step(ids, position)).map_err(failed)?;
        self.take(&logits)
    }

    /// Begins anew with tokens `[B][T]`: for the probe.
    pub fn prime_with(&mut self, ids: &[u32]) -> std::result::Result<(), DeviceError> {
        let logits = pool::run(|| self.network.prime(ids)).map_err(failed)?;
        self.take(&logits)
    }

    /// `[B][V]`, by the model's ids.
    #[cfg(test)]
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Prefix sums `[V + 1]` of rows among so many.
    pub fn sums_of(
        &self,
        rows: &mut [(usize, &mut Vec<u64>)],
        batch: usize,
    ) -> std::result::Result<(), DeviceError> {
        let (order, logits, width) = (&self.order, &self.logits, self.logits.len() / batch);
        let sums = |room: &mut Vec<Lanes>, (row, to): &mut (usize, &mut Vec<u64>)| {
            order.sums(&logits[*row * width..][..width], room, to)
        };
        pool::run(|| rows.par_iter_mut().try_for_each_init(Vec::new, sums))
    }
}

impl DeviceSession for LockStep {
    fn step(&mut self, tokens: &[Token]) -> std::result::Result<(), DeviceError> {
        let ids: Vec<u32> = tokens.iter().map(|token| self.id(*token)).collect();
        if self.limit > 0 {
            for (history, id) in self.histories.iter_mut().zip(&ids) {
                history.push(*id);
            }
            if self.position == self.limit {
                for history in &mut self.histories {
                    history.drain(..history.len() - self.keep.max(1));
                }
                return self.prime();
            }
        }
        self.position += 1;
        self.step_at(&ids, self.position - 1)
    }

    fn sums(
        &mut self,
        rows: &mut [(usize, &mut Vec<u64>)],
    ) -> std::result::Result<(), DeviceError> {
        self.sums_of(rows, self.histories.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use super::*;
    use lmz::format::{DeviceBoundEntry as Entry, Numerics};
    use lmz::lm::device::{DeviceBoundModel, DeviceModel};
    use lmz::lm::rwkv7::Identity;
    use lmz::mix::Prior;
    use lmz::vocab::Vocabulary;
    use lmz::{EncoderOptions, Predictor};

    /// 65,536 tokens in an order of their own.
    fn order() -> Order {
        Order { ids: (0..65_536u32).map(|rank| rank.wrapping_mul(40_503) % 65_536).collect() }
    }

    #[test]
    fn frequencies_are_in_the_order_of_the_walk() {
        let (mut room, mut sums) = (Vec::new(), Vec::new());
        let mut ids: Vec<u32> = (0..300).rev().collect();
        ids.insert(0, u32::MAX);
        ids.push(u32::MAX);
        let logits: Vec<f32> = (0..300).map(|id| (id as f32 * 0.7).sin() * 5.0).collect();
        Order { ids: ids.clone() }.sums(&logits, &mut room, &mut sums).unwrap();
        let by_id = fpstate::exact(|fp| lmz::exact::frequencies(fp, &logits, |_| true));
        assert_eq!((sums.len(), sums[1]), (ids.len() + 1, 0));
        for rank in 1..=300 {
            assert_eq!(sums[rank + 1] - sums[rank], by_id[ids[rank] as usize]);
        }
        assert_eq!(sums[302] - sums[301], 1, "a byte that the model lacks");
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let logits = [&logits[1..], &[wrong]].concat();
            assert!(Order { ids: ids.clone() }.sums(&logits, &mut room, &mut sums).is_err());
        }
    }

    /// Base's tokens, and some of them joined, up to 65,536.
    fn vocabulary() -> Vocabulary {
        let base = lmz::lm::rwkv7::Model::find("base").unwrap();
        let tokens = base.vocabulary();
        let mut strings: BTreeSet<Vec<u8>> =
            (0..tokens.len() as Token).map(|t| tokens.token(t).to_vec()).collect();
        let mut state = 1u32;
        let mut any = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            tokens.token(((u64::from(state) * tokens.len() as u64) >> 32) as Token)
        };
        while strings.len() < 65_536 {
            strings.insert([any(), any()].concat());
        }
        Vocabulary::new(strings).unwrap()
    }

    /// A model of 65,536 tokens whose logits are there already.
    #[derive(Debug)]
    struct Ready {
        vocabulary: Vocabulary,
        start: Arc<Prior>,
        took: Arc<Mutex<Duration>>,
    }

    struct Constant {
        order: Order,
        logits: Vec<f32>,
        room: Vec<Lanes>,
        took: Arc<Mutex<Duration>>,
    }

    impl DeviceSession for Constant {
        fn step(&mut self, _: &[Token]) -> std::result::Result<(), DeviceError> {
            Ok(())
        }

        fn sums(
            &mut self,
            rows: &mut [(usize, &mut Vec<u64>)],
        ) -> std::result::Result<(), DeviceError> {
            let begin = Instant::now();
            for (_, to) in rows {
                self.order.sums(&self.logits, &mut self.room, to)?;
            }
            *self.took.lock().unwrap() += begin.elapsed();
            Ok(())
        }
    }

    impl DeviceModel for Ready {
        fn name(&self) -> &str {
            "ready"
        }

        fn architecture(&self) -> &str {
            "none"
        }

        fn identity(&self) -> Identity {
            Identity([0; 32])
        }

        fn vocabulary(&self) -> &Vocabulary {
            &self.vocabulary
        }

        fn start(&self) -> &Prior {
            &self.start
        }

        fn parameters(&self) -> u64 {
            0
        }

        fn segment(&self, text: &[u8]) -> Vec<Token> {
            self.vocabulary.segment(text).collect()
        }

        fn entry(&self, batch: u64) -> std::result::Result<Entry, DeviceError> {
            Ok(Entry { batch, ..Entry::default() })
        }

        fn numerics(&self, entry: &Entry) -> std::result::Result<Numerics, DeviceError> {
            Ok(entry.numerics.clone())
        }

        fn probe(&self, _: &Entry) -> std::result::Result<[u8; 16], DeviceError> {
            Ok([0; 16])
        }

        fn begin(
            &self,
            _: &Entry,
            _: &[Token],
        ) -> std::result::Result<Box<dyn DeviceSession>, DeviceError> {
            let logits = (0..65_536).map(|id| (id as f32 * 0.37).sin() * 6.0).collect();
            Ok(Box::new(Constant {
                order: order(),
                logits,
                room: Vec::new(),
                took: Arc::clone(&self.took),
            }))
        }
    }

    /// What a token costs beside the network: `cargo test --release -p lmz-hub --lib
    /// time_of_a_token -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn time_of_a_token() {
        let text = include_bytes!("../../../../testdata/prose.txt");
        let took = Arc::default();
        let model = Ready {
            vocabulary: vocabulary(),
            start: fpstate::exact(Prior::with_model),
            took: Arc::clone(&took),
        };
        let tokens = model.segment(text).len() as u32;
        let predictor = Predictor::DeviceBound(DeviceBoundModel::new(Arc::new(model)));
        for (name, mix) in [("with mixing", true), ("alone", false)] {
            for _ in 0..3 {
                *took.lock().unwrap() = Duration::ZERO;
                let begin = Instant::now();
                lmz::compress_bare(
                    text,
                    &EncoderOptions::new().predictor(predictor.clone()).mix(mix),
                )
                .unwrap();
                let (whole, sums) = (begin.elapsed() / tokens, *took.lock().unwrap() / tokens);
                println!(
                    "65,536 tokens, {:.2} bytes each, {name}: {whole:?} a token, of which \
                    {sums:?} for sums",
                    text.len() as f64 / f64::from(tokens)
                );
            }
        }
    }
}
