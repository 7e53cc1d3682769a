//! Where the time of a step goes, for benchmarks.

use std::time::{Duration, Instant};

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Large products.
    Products,
    /// The recurrence.
    State,
    /// Everything element by element: norms, mixtures, gates, quantisation.
    Elementwise,
    /// Low-rank products.
    LowRank,
    /// Logits to prefix sums.
    Softmax,
}

impl Part {
    pub const ALL: [Self; 5] =
        [Self::Products, Self::State, Self::Elementwise, Self::LowRank, Self::Softmax];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::State => "state",
            Self::Elementwise => "norms and gates",
            Self::LowRank => "low-rank products",
            Self::Softmax => "softmax",
        }
    }
}

/// A stop watch for each part. It does nothing until it is started.
#[derive(Debug, Clone, Default)]
pub struct Timer {
    last: Option<Instant>,
    spent: [Duration; Part::ALL.len()],
}

impl Timer {
    /// Sets all to zero and starts.
    pub fn start(&mut self) {
        *self = Self { last: Some(Instant::now()), ..Self::default() };
    }

    /// The time since the last mark belongs to this part.
    #[inline(always)]
    pub(in crate::lm) fn mark(&mut self, part: Part) {
        if self.last.is_some() {
            self.add(part);
        }
    }

    #[inline(never)]
    fn add(&mut self, part: Part) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.spent[part as usize] += now - last;
        }
    }

    /// What a part has taken since the start.
    pub fn spent(&self, part: Part) -> Duration {
        self.spent[part as usize]
    }
}
