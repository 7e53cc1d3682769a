//! What of a block the language model is to read, found out in a fraction of the time that the
//! model takes to read it.
//!
//! First comes what costs next to nothing: how long the tokens are into which the vocabulary cuts
//! each window of the block. Where no token is longer than a byte, there is no text. Then context
//! models code the block, or some regions of a long one, and the model reads small pieces
//! (`trial`). By these each window has an estimated cost with the model and without it, and the
//! cheapest parts are read (`segmentation`). Of a short block the model reads half of the pieces
//! first, and the others only if one of these promises something: most of what is judged in vain
//! would be judged so at the double price.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::cm;
use super::context::{BlockContext, Coded};
use super::cost::{BIT, Metered};
use super::reason::Reason;
use super::segmentation::{self, Costs, Part};
use super::trial::{self, Piece};
use crate::dictionary;
use crate::format::{Layout, Method};
use crate::lm::LoadedModel;
use crate::lm::engine::LmStream;

/// Blocks of up to this are coded both ways, unless they are no text: that takes no longer than to
/// find out which is better.
pub(super) const BOTH: usize = 6 << 10;
/// The model has to gain one part of so many of what it reads of a longer one: a smaller gain does
/// not justify the time of who encodes and who decodes.
pub const LEAST_GAIN: u64 = 100;
/// What the model has to promise to gain. Where it gains something the promise is too low by 2% on
/// average, and where it gains nothing it can promise as much.
const LEAST_PROMISE: u64 = 32;
/// Where regions promise less than one part of so many, context models code the whole block before
/// it is decided: they learn more from it.
const CLEAR_GAIN: u64 = 10;
/// What it costs to begin another segment: the model and the contexts begin again, and it is
/// listed.
const CHANGE: u64 = 8 * 64 * BIT;
/// By one part of so many the model is taken to make larger what is no text.
const NO_TEXT: u64 = 20;

const WINDOW: usize = 2 << 10;
/// A block of up to this length is coded by context models before pieces of it are judged; of a
/// longer one they code a region of this length before each piece.
const WHOLE: usize = 256 << 10;
const REGION: usize = 16 << 10;
/// A piece for each so many bytes, one at least and not more than so many.
const EACH_PIECE: usize = 8 << 10;
const MOST_PIECES: usize = 10;
/// Half of the pieces are read first only where they are so many at least.
const LEAST_FEW: usize = 4;
const EACH_REGION: usize = 64 << 10;
const MOST_REGIONS: usize = 32;

/// What a window looks like, by the length of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Words, or parts of them.
    Words,
    /// Tokens are short: another script, or numbers, or what encodes data as text.
    Short,
    /// Hardly a token is longer than a byte.
    NoText,
}

impl Look {
    fn of(window: &[u8], model: &LoadedModel) -> Self {
        let tokens = model.vocabulary().segment(window).count();
        match window.len() * 10 / tokens.max(1) {
            16.. => Self::Words,
            13.. => Self::Short,
            _ => Self::NoText,
        }
    }
}

/// What of a block the model is to read.
#[derive(Debug)]
pub enum Read {
    /// All of it, where that makes it smaller.
    Both,
    /// None of it; what context models alone make of it, where that is there already.
    Nothing(Option<Coded>),
    /// Some of these parts, unless what context models alone make of the block is smaller.
    Parts(Vec<Part>, Option<Coded>),
}

impl Read {
    /// What the model is to read of a block.
    pub fn of(raw: &[u8], model: &LoadedModel, context: &BlockContext) -> Self {
        let looks: Vec<Look> = raw.chunks(WINDOW).map(|window| Look::of(window, model)).collect();
        if looks.iter().all(|look| *look == Look::NoText) && raw.len() > WINDOW {
            return Self::Nothing(None);
        }
        if raw.len() <= BOTH {
            return Self::Both;
        }
        Judge::new(raw, looks, model, context).read()
    }
}

/// A block that is judged by pieces.
struct Judge<'a> {
    raw: &'a [u8],
    looks: Vec<Look>,
    model: &'a LoadedModel,
    /// The model behind what it reads first.
    first: Arc<LmStream>,
    threads: usize,
    /// What the context models read first.
    dictionary: &'a [u8],
    /// Where pieces begin, in order, and the windows that they stand for.
    places: Vec<(usize, usize)>,
}

/// Pieces that the model has read, by the numbers of their places.
type Pieces = BTreeMap<usize, Piece>;

/// Parts, and whether it is clear that they make the block smaller.
type Plan = Option<(Vec<Part>, bool)>;

impl<'a> Judge<'a> {
    fn new(
        raw: &'a [u8],
        looks: Vec<Look>,
        model: &'a LoadedModel,
        context: &BlockContext<'a>,
    ) -> Self {
        let windows = windows(raw.len(), &looks);
        // The block's beginning, if the model may read it, is judged from its first token on: there
        // the context models know least, and so the gain is largest.
        let mut places = Vec::new();
        if looks[0] != Look::NoText {
            places.push((0, 0));
        }
        let end = |window: usize| ((window + 1) * WINDOW).min(raw.len());
        places.extend(windows.iter().map(|w| (end(*w) - trial::LONGEST, *w)));
        let first = dictionary::first(context.dictionary, model);
        let (threads, dictionary) = (context.threads, context.dictionary());
        Self { raw, looks, model, first, threads, dictionary, places }
    }

    fn read(&self) -> Read {
        if self.raw.len() > WHOLE {
            let pieces = self.listen(0..self.places.len());
            match self.plan(&pieces, &self.regions(&pieces), None) {
                None => return Read::Nothing(None),
                Some((parts, true)) => return Read::Parts(parts, None),
                Some((_, false)) => {}
            }
            let (alone, costs, kept) = self.alone();
            return self.read_if_smaller(&pieces, alone, &costs, &kept);
        }
        let (alone, costs, kept) = self.alone();
        let few = self.few(&costs);
        let mut pieces = self.listen(few.iter().copied());
        if !few.is_empty() && !self.is_promising(&pieces, &costs, &kept) {
            return Read::Nothing(Some(alone));
        }
        pieces.append(&mut self.listen((0..self.places.len()).filter(|i| !few.contains(i))));
        self.read_if_smaller(&pieces, alone, &costs, &kept)
    }

    fn read_if_smaller(
        &self,
        pieces: &Pieces,
        alone: Coded,
        costs: &[u64],
        kept: &[Vec<u16>],
    ) -> Read {
        match self.plan(pieces, kept, Some(costs)) {
            None => Read::Nothing(Some(alone)),
            Some((parts, _)) => Read::Parts(parts, Some(alone)),
        }
    }

    /// The half of the pieces that the model reads first, if it is not too few to say anything. They
    /// are spread over what the windows cost without the model, the dearest and the cheapest among
    /// them: what costs alike is mostly of a kind. `costs`: those of the windows.
    fn few(&self, costs: &[u64]) -> Vec<usize> {
        // The beginning gains also where nothing else does.
        let begins = usize::from(self.places.first().is_some_and(|place| place.0 == 0));
        let mut places: Vec<usize> = (begins..self.places.len()).collect();
        places.sort_by_key(|i| costs[self.places[*i].1]);
        let few = places.len() / 2;
        if few < LEAST_FEW {
            return Vec::new();
        }
        (0..few).map(|i| places[i * (places.len() - 1) / (few - 1)]).collect()
    }

    /// Whether the rest of the pieces could say something else than that the model is to read
    /// nothing: it is to read something by these already, or gains in all of them together.
    fn is_promising(&self, few: &Pieces, costs: &[u64], kept: &[Vec<u16>]) -> bool {
        let judged = self.estimate(few, kept);
        let [with, without] = [0, 1].map(|way| judged.iter().map(|costs| costs[way]).sum::<u64>());
        with < without || self.plan(few, kept, Some(costs)).is_some()
    }

    /// Lets the model read the pieces at these places.
    fn listen(&self, numbers: impl Iterator<Item = usize>) -> Pieces {
        let mut numbers: Vec<usize> = numbers.collect();
        numbers.sort_unstable();
        let begins: Vec<usize> = numbers.iter().map(|i| self.places[*i].0).collect();
        let pieces = trial::listen(self.raw, &begins, self.model, &self.first, self.threads);
        numbers.into_iter().zip(pieces).collect()
    }

    /// What pieces cost with the model and without. `kept`: what context models say of each place.
    fn estimate(&self, pieces: &Pieces, kept: &[Vec<u16>]) -> Vec<Costs> {
        trial::estimate(pieces.iter().map(|(i, piece)| (piece, &kept[*i][..])))
    }

    /// Where a piece is, and how far it can reach.
    fn range(&self, (begin, _): (usize, usize)) -> Range<usize> {
        begin..self.raw.len().min(begin + trial::LONGEST)
    }

    /// The block by context models in one stream, what its windows cost, and what they say of each
    /// piece.
    fn alone(&self) -> (Coded, Vec<u64>, Vec<Vec<u16>>) {
        let layout = Layout::whole(self.raw.len() as u64, None);
        let ranges = self.places.iter().map(|place| self.range(*place));
        let mut coder = Metered::new(self.raw.len(), WINDOW).keep(ranges.clone());
        cm::encode_by(&mut coder, self.raw, &layout, self.dictionary)
            .expect("encoding cannot fail");
        let mut kept = coder.kept().into_iter();
        let kept = ranges.map(|range| kept.by_ref().take(range.len() * 8).collect()).collect();
        let (bytes, costs) = coder.finish();
        let reason = Reason::WithoutModelOnPieces;
        (Coded { method: Method::Cm, layout, bytes, reason }, costs, kept)
    }

    /// What context models say of each piece that have coded no more than a region before it.
    fn regions(&self, pieces: &Pieces) -> Vec<Vec<u16>> {
        let region = |piece: &Piece| {
            let piece = &piece.range;
            let begin = piece.end.saturating_sub(REGION);
            let region = &self.raw[begin..piece.end];
            let range = piece.start - begin..region.len();
            let mut coder = Metered::new(region.len(), region.len()).keep(std::iter::once(range));
            let layout = Layout::whole(region.len() as u64, None);
            cm::encode_by(&mut coder, region, &layout, self.dictionary)
                .expect("encoding cannot fail");
            coder.kept()
        };
        pieces.values().map(region).collect()
    }

    /// The parts by what the pieces cost, if the model promises enough. `alone`: what the windows
    /// cost without the model, where that is known.
    fn plan(&self, pieces: &Pieces, kept: &[Vec<u16>], alone: Option<&[u64]>) -> Plan {
        let judged = self.estimate(pieces, kept);
        let costs: Vec<Costs> = (0..self.looks.len())
            .map(|window| self.costs(window, pieces, &judged, alone.map(|costs| costs[window])))
            .collect();
        let plan = segmentation::plan(&costs, CHANGE);
        let changes = plan.windows(2).filter(|two| two[0] != two[1]).count() as u64;
        let without: u64 = costs.iter().map(|costs| costs[1]).sum();
        let with: u64 =
            costs.iter().zip(&plan).map(|(costs, read)| costs[usize::from(!read)]).sum();
        let with = with + changes * CHANGE;
        // What the model is to gain is a part of what it is to read: the rest takes none of its
        // time.
        let read: u64 =
            costs.iter().zip(&plan).filter(|(_, r)| **r).map(|(costs, _)| costs[1]).sum();
        if read == 0 || with + read / LEAST_PROMISE > without {
            return None;
        }
        let begins: Vec<usize> = (0..plan.len()).map(|i| i * WINDOW).collect();
        let clear = with + read / CLEAR_GAIN <= without;
        Some((segmentation::parts(self.raw, &begins, &plan), clear))
    }

    /// What a window costs, by the nearest piece that looks like it. `alone`: what it costs without
    /// the model, where that is known.
    fn costs(&self, window: usize, pieces: &Pieces, judged: &[Costs], alone: Option<u64>) -> Costs {
        let length = self.raw.len().min((window + 1) * WINDOW) - window * WINDOW;
        let middle = window * WINDOW + length / 2;
        let look = self.looks[window];
        // The piece at the beginning stands for its window alone, if there are others.
        let begins = pieces.first_key_value().is_some_and(|(_, piece)| piece.range.start == 0);
        let skipped = usize::from(begins && window > 0 && pieces.len() > 1);
        let pieces = pieces.iter().zip(judged).skip(skipped);
        let alike = pieces
            .clone()
            .filter(|((i, _), costs)| self.looks[self.places[**i].1] == look && costs[1] > 0);
        let distance = |piece: &Piece| piece.range.start.abs_diff(middle);
        let nearest = match begins && window == 0 {
            true => alike.clone().next(),
            false => alike.min_by_key(|((_, piece), _)| distance(piece)),
        };
        let bare = |piece: &Piece, costs: &Costs| {
            alone.unwrap_or(costs[1] * length as u64 / piece.judged().max(1) as u64)
        };
        if let Some(((_, piece), costs)) = nearest {
            let bare = bare(piece, costs);
            // A text on which the model happens to gain nothing in a piece stays with its
            // neighbours, with which it shares contexts and weights; mixing hardly makes it larger.
            let with = match costs[0] {
                with if with >= costs[1] + costs[1] / NO_TEXT => costs[1] + costs[1] / LEAST_GAIN,
                with => with.min(costs[1]),
            };
            let with = u128::from(bare) * u128::from(with) / u128::from(costs[1]);
            return [with as u64, bare];
        }
        let bare = alone.unwrap_or(length as u64 * 8 * BIT);
        [bare + bare / NO_TEXT, bare]
    }
}

/// The windows that pieces are taken of: spread over all that could be text, those of each look by
/// themselves.
fn windows(length: usize, looks: &[Look]) -> Vec<usize> {
    let count = match length <= WHOLE {
        true => (length / EACH_PIECE).clamp(1, MOST_PIECES),
        false => (length / EACH_REGION).min(MOST_REGIONS),
    };
    // What is left at the end may be too short for a piece.
    let whole = length / WINDOW;
    let of = |look| (0..whole).filter(move |window| looks[*window] == look).collect::<Vec<_>>();
    let looks = [Look::Words, Look::Short].map(of);
    let all: usize = looks.iter().map(Vec::len).sum();
    let mut out = Vec::new();
    for windows in looks.iter().filter(|windows| !windows.is_empty()) {
        let count = (count * windows.len()).div_ceil(all).min(windows.len());
        out.extend((0..count).map(|i| windows[(2 * i + 1) * windows.len() / (2 * count)]));
    }
    out.sort_unstable();
    out
}
