//! What a codec costs besides its coded bytes: the model, and the decoder.

use super::codec::ModelSize;

/// How a model's bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Two bytes for each parameter, as in "Language Modeling Is Compression".
    Paper,
    /// The bytes of its files.
    Stored,
}

/// The adjusted rate: the model is sent once, with so much data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjust {
    pub counting: Counting,
    /// Raw bytes that the model is spread over.
    pub over: u64,
}

impl Adjust {
    /// Bytes that a model counts as.
    pub fn bytes(&self, model: ModelSize) -> u64 {
        match self.counting {
            Counting::Paper => 2 * model.parameters,
            Counting::Stored => model.stored,
        }
    }

    /// What the model adds to the rate (as a fraction of raw bytes); 0 without a model.
    pub fn rate(&self, model: Option<ModelSize>) -> f64 {
        model.map_or(0.0, |model| self.bytes(model) as f64 / self.over.max(1) as f64)
    }
}

/// A codec's totals and the size of its decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    pub codec: String,
    /// Bytes of all files, raw and coded.
    pub raw: u64,
    pub coded: u64,
    /// Bytes of the program that decodes with its model; none if they are not counted.
    pub decoder: Option<u64>,
    /// What that program is, or why it is not counted.
    pub counted: String,
}

/// From which size of data on a codec with the smaller rate wins against another, archive and
/// decoder taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BreakEven {
    /// Its decoder is no larger either.
    Always,
    /// From this number of raw bytes on.
    From(f64),
    /// The other's decoder is not counted: from this number of raw bytes on, or fewer.
    AtMost(f64),
    /// Its own decoder is not counted: from this number of raw bytes on, or more.
    AtLeast(f64),
    /// Neither decoder is counted.
    Unknown,
}

impl Cost {
    /// Coded bytes for each raw one.
    pub fn rate(&self) -> f64 {
        self.coded as f64 / self.raw.max(1) as f64
    }

    /// Archives and decoder; without the latter where it is not counted.
    pub fn total(&self) -> u64 {
        self.coded + self.decoder.unwrap_or(0)
    }

    /// When this codec wins against another, at the rates of these totals; nothing if its rate is
    /// not the smaller one.
    pub fn wins_from(&self, other: &Self) -> Option<BreakEven> {
        let gain = other.rate() - self.rate();
        if gain <= 0.0 {
            return None;
        }
        let more = self.decoder.unwrap_or(0) as f64 - other.decoder.unwrap_or(0) as f64;
        let from = (more / gain).max(0.0);
        Some(match (self.decoder, other.decoder) {
            (None, None) => BreakEven::Unknown,
            (Some(_), None) => BreakEven::AtMost(from),
            (None, Some(_)) => BreakEven::AtLeast(from),
            _ if from == 0.0 => BreakEven::Always,
            _ => BreakEven::From(from),
        })
    }
}

/// Which codec's archive and decoder are the least together, by the size of the data: each with the
/// raw bytes from which on it is, beginning with 0. Decoders that are not counted are taken for
/// nothing.
pub fn winners(costs: &[Cost]) -> Vec<(f64, &Cost)> {
    let decoder = |cost: &Cost| cost.decoder.unwrap_or(0) as f64;
    // Without data the smallest decoder wins, among equals the smallest rate.
    let first = costs.iter().min_by(|a, b| {
        (decoder(a), a.rate())
            .partial_cmp(&(decoder(b), b.rate()))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut out: Vec<(f64, &Cost)> = first.map(|cost| (0.0, cost)).into_iter().collect();
    while let Some(&(at, last)) = out.last() {
        let crossing = |cost: &Cost| (decoder(cost) - decoder(last)) / (last.rate() - cost.rate());
        let better = costs.iter().filter(|cost| cost.rate() < last.rate());
        // Where several overtake at the same size, the smallest rate stays ahead.
        let next = better
            .map(|cost| (crossing(cost).max(at), cost))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.rate().total_cmp(&b.1.rate())));
        match next {
            Some(next) => out.push(next),
            None => break,
        }
    }
    out
}
