//! What of a block the language model is to read, found out in a fraction of the time that the
//! model takes to read it.
//!
//! First comes what costs next to nothing: how long the tokens are into which the vocabulary cuts
//! each window of the block. Where no token is longer than a byte, there is no text. Then context
//! models code the block, or some regions of a long one, and the model reads small pieces
//! (`trial`). By these each window has an estimated cost with the model and without it, and the
//! cheapest parts are read (`segmentation`).

use super::cm;
use super::context::{BlockContext, Coded};
use super::cost::{BIT, Metered};
use super::reason::Reason;
use super::segmentation::{self, Costs, Part};
use super::trial::{self, Piece};
use crate::dictionary;
use crate::format::{Layout, Method};
use crate::lm::rwkv7::LoadedModel;

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
    /// What the context models read first.
    dictionary: &'a [u8],
    /// In order, each with the look of its window.
    pieces: Vec<(Piece, Look)>,
}

/// Parts, and whether it is clear that they make the block smaller.
type Plan = Option<(Vec<Part>, bool)>;

impl<'a> Judge<'a> {
    fn new(
        raw: &'a [u8],
        looks: Vec<Look>,
        model: &LoadedModel,
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
        let begins: Vec<usize> = places.iter().map(|place| place.0).collect();
        let pieces = trial::listen(raw, &begins, model, &first, context.threads);
        let pieces = pieces.into_iter().zip(&places).map(|(piece, p)| (piece, looks[p.1]));
        Self { raw, pieces: pieces.collect(), looks, dictionary: context.dictionary() }
    }

    fn read(&self) -> Read {
        if self.raw.len() > WHOLE {
            match self.plan(&self.regions(), None) {
                None => return Read::Nothing(None),
                Some((parts, true)) => return Read::Parts(parts, None),
                Some((_, false)) => {}
            }
        }
        let (alone, costs, kept) = self.alone();
        match self.plan(&kept, Some(&costs)) {
            None => Read::Nothing(Some(alone)),
            Some((parts, _)) => Read::Parts(parts, Some(alone)),
        }
    }

    /// The block by context models in one stream, what its windows cost, and what they say of the
    /// pieces.
    fn alone(&self) -> (Coded, Vec<u64>, Vec<u16>) {
        let layout = Layout::whole(self.raw.len() as u64, None);
        let ranges = self.pieces.iter().map(|(piece, _)| piece.range.clone());
        let mut coder = Metered::new(self.raw.len(), WINDOW).keep(ranges);
        cm::encode_by(&mut coder, self.raw, &layout, self.dictionary);
        let kept = coder.kept();
        let (bytes, costs) = coder.finish();
        let reason = Reason::WithoutModelOnPieces;
        (Coded { method: Method::Cm, layout, bytes, reason }, costs, kept)
    }

    /// What context models say of the pieces that have coded no more than a region before each.
    fn regions(&self) -> Vec<u16> {
        let region = |(piece, _): &(Piece, Look)| {
            let begin = piece.range.end.saturating_sub(REGION);
            let region = &self.raw[begin..piece.range.end];
            let range = piece.range.start - begin..region.len();
            let mut coder = Metered::new(region.len(), region.len()).keep(std::iter::once(range));
            let layout = Layout::whole(region.len() as u64, None);
            cm::encode_by(&mut coder, region, &layout, self.dictionary);
            coder.kept()
        };
        self.pieces.iter().flat_map(region).collect()
    }

    /// The parts by what the pieces cost, if the model promises enough. `alone`: what the windows
    /// cost without the model, where that is known.
    fn plan(&self, kept: &[u16], alone: Option<&[u64]>) -> Plan {
        let judged = trial::estimate(self.pieces.iter().map(|(piece, _)| piece), kept);
        let costs: Vec<Costs> = (0..self.looks.len())
            .map(|window| self.costs(window, &judged, alone.map(|costs| costs[window])))
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
    fn costs(&self, window: usize, judged: &[Costs], alone: Option<u64>) -> Costs {
        let length = self.raw.len().min((window + 1) * WINDOW) - window * WINDOW;
        let middle = window * WINDOW + length / 2;
        let look = self.looks[window];
        // The piece at the beginning stands for its window alone, if there are others.
        let begins = self.pieces.first().is_some_and(|(piece, _)| piece.range.start == 0);
        let skipped = usize::from(begins && window > 0 && self.pieces.len() > 1);
        let pieces = self.pieces.iter().zip(judged).skip(skipped);
        let alike = pieces.clone().filter(|((_, of), costs)| *of == look && costs[1] > 0);
        let distance = |piece: &Piece| piece.range.start.abs_diff(middle);
        let nearest = match begins && window == 0 {
            true => alike.clone().next(),
            false => alike.min_by_key(|((piece, _), _)| distance(piece)),
        };
        let bare = |piece: &Piece, costs: &Costs| {
            alone.unwrap_or(costs[1] * length as u64 / piece.judged().max(1) as u64)
        };
        if let Some(((piece, _), costs)) = nearest {
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
