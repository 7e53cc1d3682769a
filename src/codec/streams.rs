//! How a block is cut into streams, and where they are.

use crate::format::{Layout, Segment};
use crate::lm::engine::Network;
use crate::vocab::{START, Token};
use std::ops::Range;

/// Bytes of a block for each of its streams, and the most streams. More streams are faster, but
/// each of them starts cold, and what the context models learnt last is further away.
const EACH: usize = 64 << 10;
/// A block that has more than one stream has so many: a decoder reads the weights for all streams
/// of a step together, and so needs half the time with four that it needs with two.
const FEWEST: usize = 4;
const MOST: usize = 16;
/// The most streams of a model whose weights do not stay in a processor's cache: more streams
/// share what it costs to read them.
const MOST_LARGE: usize = 64;

/// As [`EACH`], of a model whose steps threads share. Its streams begin behind a lead and stay where
/// they are, so that they cost little; and it is slow.
const EACH_SHARED: usize = 16 << 10;
/// The most streams of such a model: with so many rows a step is bound by arithmetic, and what each
/// remembers takes memory (SmolLM2-135M: 24 MB).
const MOST_SHARED: usize = 8;

/// The number of streams of a block of which a language model reads so many bytes. Below 128 KiB
/// (64 KiB of a transformer) it is one, so whatever is short enough fits a short frame.
pub fn count(length: usize, network: &Network) -> usize {
    match network.is_shared() {
        true if length < FEWEST * EACH_SHARED => 1,
        true => (length / EACH_SHARED).min(MOST_SHARED),
        false => number(length / EACH, network.is_large()),
    }
}

fn number(full: usize, is_large: bool) -> usize {
    match full {
        0 | 1 => 1,
        full => full.clamp(FEWEST, if is_large { MOST_LARGE } else { MOST }),
    }
}

/// Bytes of a stripe where context models predict too: they lose more by what is far apart than the
/// model by going on at another place.
const STRIPE: u64 = 8 << 10;

/// Bytes that the first of several streams codes before the others begin, where a transformer reads
/// them; but no more than half of its first stripe.
const LEAD: usize = 4 << 10;

/// Cuts segments for `streams` streams, or as many as there is something for.
pub fn cut(segments: Vec<Segment>, streams: usize) -> Layout {
    by(segments, streams, STRIPE)
}

/// Cuts segments that a model and context models predict. One that forgets what is far away stays
/// where it is, as it does alone: at each other place it would begin with a text that has nothing
/// to do with it (alice29.txt by SmolLM2-135M in four streams: 20,170 bytes, in stripes 20,396).
pub fn cut_for(network: &Network, segments: Vec<Segment>, streams: usize) -> Layout {
    if network.is_shared() { cut_apart(segments, streams) } else { cut(segments, streams) }
}

/// Cuts segments for a model alone: each stream stays where it is as long as it can.
pub fn cut_apart(segments: Vec<Segment>, streams: usize) -> Layout {
    by(segments, streams, u64::MAX)
}

fn by(segments: Vec<Segment>, streams: usize, longest: u64) -> Layout {
    let mut layout = Layout::of(segments);
    layout.stripe = longest.min(layout.read().div_ceil(streams.max(1) as u64));
    layout.streams = layout.stripes().take(streams).count().max(1) as u64;
    if layout.streams == 1 {
        layout.stripe = 0;
    }
    layout
}

/// Where a stream is.
#[derive(Debug)]
pub struct Place {
    /// The number of its stripe.
    pub stripe: usize,
    /// The bytes of the block that it has yet to code of it.
    pub left: Range<usize>,
    /// The token before, if it is of the same stripe.
    pub before: Token,
}

impl Place {
    fn new((stripe, left): (usize, Range<usize>)) -> Self {
        Self { stripe, left, before: START }
    }
}

/// What comes behind a token or byte of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// More of its stripe.
    Same,
    /// Another stripe, which begins here.
    Stripe(usize),
    /// Nothing: all stripes are taken.
    End,
}

/// The streams of a block on their way through its stripes.
pub struct Streams<'a> {
    places: Vec<Place>,
    /// The stripes that none has taken.
    waiting: Box<dyn Iterator<Item = (usize, Range<usize>)> + 'a>,
}

/// The streams of a layout at their beginnings.
pub fn of(layout: &Layout) -> Streams<'_> {
    let mut waiting = layout.stripes().enumerate();
    let places = waiting.by_ref().take(layout.streams as usize).map(Place::new).collect();
    Streams { places, waiting: Box::new(waiting) }
}

impl Streams<'_> {
    /// Where in the block the first stream's lead ends, at its beginning.
    pub fn lead(&self) -> usize {
        let Range { start, end } = self.places[0].left;
        start + LEAD.min((end - start) / 2)
    }

    /// The streams that have something left.
    pub fn open(&self) -> Vec<usize> {
        let open = |number: &usize| !self.places[*number].left.is_empty();
        (0..self.places.len()).filter(open).collect()
    }

    /// Where they begin.
    pub fn begins(&self) -> impl Iterator<Item = usize> {
        self.places.iter().map(|place| place.left.start)
    }

    pub fn count(&self) -> usize {
        self.places.len()
    }

    pub fn at(&self, stream: usize) -> &Place {
        &self.places[stream]
    }

    /// Goes on behind a token of a stream. Its `bytes` are no more than the stripe has left.
    pub fn advance(&mut self, stream: usize, token: Token, bytes: usize) -> Next {
        let place = &mut self.places[stream];
        place.left.start += bytes;
        place.before = token;
        if !place.left.is_empty() {
            return Next::Same;
        }
        let Some(next) = self.waiting.next() else { return Next::End };
        *place = Place::new(next);
        Next::Stripe(place.left.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let lengths = [0, 1, 64 << 10, (128 << 10) - 1, 128 << 10, 1 << 20, 4 << 20, 1 << 30];
        let numbers = |is_large| lengths.map(|length| number(length / EACH, is_large));
        assert_eq!(numbers(false), [1, 1, 1, 1, 4, 16, 16, 16]);
        assert_eq!(numbers(true), [1, 1, 1, 1, 4, 16, 64, 64]);
    }

    #[test]
    fn streams_are_no_more_than_there_is_something_for() {
        let cut = |lengths: &[u64], streams| {
            let segments =
                lengths.iter().map(|length| Segment { length: *length, model: Some(0) }).collect();
            let Layout { streams, stripe, .. } = super::cut(segments, streams);
            (streams, stripe)
        };
        assert_eq!(
            [cut(&[1 << 20], 16), cut(&[20_000], 5), cut(&[9], 4)],
            [(16, STRIPE), (5, 4000), (3, 3)]
        );
        assert_eq!([cut(&[1 << 20], 1), cut(&[1], 9), cut(&[0], 2), cut(&[3, 4], 1)], [(1, 0); 4]);
        assert_eq!(cut(&[3, 4], 2), (2, 4));
        assert_eq!(cut_apart(vec![Segment { length: 1 << 20, model: Some(0) }], 4).stripe, 1 << 18);
    }

    /// Whoever is first takes the next stripe.
    #[test]
    fn streams_take_stripes() {
        let segments = [(5, Some(0)), (2, None), (7, Some(0))]
            .map(|(length, model)| Segment { length, model });
        let layout = Layout { segments: segments.to_vec(), streams: 2, stripe: 3 };
        let mut streams = of(&layout);
        assert_eq!(streams.begins().collect::<Vec<_>>(), [0, 3]);
        assert_eq!(streams.advance(1, 9, 1), Next::Same);
        assert_eq!((streams.at(1).before, streams.at(1).left.clone()), (9, 4..5));
        assert_eq!(streams.advance(1, 9, 1), Next::Stripe(7));
        assert_eq!(
            (streams.at(1).before, streams.at(1).left.clone(), streams.at(1).stripe),
            (START, 7..10, 2)
        );
        assert_eq!(streams.advance(0, 9, 3), Next::Stripe(10));
        assert_eq!(streams.advance(1, 9, 3), Next::Stripe(13));
        assert_eq!(streams.advance(0, 9, 3), Next::End);
        assert_eq!(streams.advance(1, 9, 1), Next::End);
    }
}
