//! Which parts of a block the language model reads: from what pieces of it cost with the model and
//! without to segments. A matter of the encoder alone.
//!
//! The plan is the cheapest path through two states, *read by the model* and *not read*, where each
//! piece costs what it costs in its state and each change of state has a price: the algorithm of
//! Viterbi (1967).

use super::cost::log2;
use crate::format::Segment;

/// What a piece costs with the model and without it.
pub type Costs = [u64; 2];

/// Neighbouring pieces that are coded alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub begin: usize,
    pub end: usize,
    pub model: bool,
}

/// Whether the model is to read each piece, so that the whole costs least. `change`: what is paid
/// where neighbours are coded differently.
pub fn plan(pieces: &[Costs], change: u64) -> Vec<bool> {
    // The least cost so far for both ways to code the last piece, and whether the piece before it
    // is then coded the other way.
    let mut least = [0; 2];
    let mut changes: Vec<[bool; 2]> = Vec::with_capacity(pieces.len());
    for costs in pieces {
        changes.push([0, 1].map(|way| least[1 - way] + change < least[way]));
        least = [0, 1].map(|way| least[way].min(least[1 - way] + change) + costs[way]);
    }
    let mut way = usize::from(least[1] < least[0]);
    let mut plan = vec![false; pieces.len()];
    for (read, changes) in plan.iter_mut().zip(changes).rev() {
        *read = way == 0;
        way ^= usize::from(changes[way]);
    }
    plan
}

/// The parts of a block whose pieces begin at these places and are planned so.
pub fn parts(raw: &[u8], begins: &[usize], plan: &[bool]) -> Vec<Part> {
    let end = |i: usize| begins.get(i + 1).copied().unwrap_or(raw.len());
    let mut out: Vec<Part> = Vec::new();
    for (i, (&begin, &model)) in begins.iter().zip(plan).enumerate() {
        let end = end(i);
        match out.last_mut() {
            Some(part) if part.model == model => part.end = end,
            Some(part) => {
                let border = border(raw, begins[i - 1], begin, end);
                part.end = border;
                out.push(Part { begin: border, end, model });
            }
            None => out.push(Part { begin, end, model }),
        }
    }
    out
}

/// Where the bytes change between two pieces that are known to differ: outer halves of both say
/// which bytes are frequent on either side, and the border is where that makes both inner halves
/// cheapest.
fn border(raw: &[u8], begin: usize, middle: usize, end: usize) -> usize {
    let (from, to) = ((begin + middle) / 2, (middle + end) / 2);
    let lengths = |part: &[u8]| {
        let mut counts = [1u32; 256];
        part.iter().for_each(|b| counts[usize::from(*b)] += 1);
        counts.map(|n| i64::from(log2(part.len() as u32 + 256)) - i64::from(log2(n)))
    };
    let (left, right) = (lengths(&raw[begin..from]), lengths(&raw[to..end]));
    let (mut sum, mut least, mut best) = (0, i64::MAX, middle);
    for (at, byte) in raw[..to].iter().enumerate().skip(from) {
        if sum < least && at > begin {
            (least, best) = (sum, at);
        }
        sum += left[usize::from(*byte)] - right[usize::from(*byte)];
    }
    best
}

/// The segments of a block whose parts are these.
pub fn segments(parts: &[Part]) -> Vec<Segment> {
    let segment =
        |p: &Part| Segment { length: (p.end - p.begin) as u64, model: p.model.then_some(0) };
    parts.iter().map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_changes_where_that_pays() {
        let (text, sound, alike) = ([10, 20], [25, 20], [19, 20]);
        assert_eq!(plan(&[text, text, sound, sound, text], 3), [true, true, false, false, true]);
        assert_eq!(plan(&[text, sound, text], 3), [true; 3], "a change and back would cost more");
        assert_eq!(plan(&[sound, text, alike, alike, sound], 3), [false, true, true, true, false]);
        assert_eq!(plan(&[sound, sound], 3), [false; 2]);
        assert!(plan(&[], 3).is_empty());
    }

    #[test]
    fn a_border_is_found() {
        let text = b"Some words in a row, and some more of them. ".repeat(60);
        let sound: Vec<u8> =
            (0..3000u32).map(|i| (i.wrapping_mul(2654435761) >> 23) as u8).collect();
        for at in [1200, 1500, 1801] {
            let raw = [&text[..at], &sound[..3000 - at]].concat();
            let parts = parts(&raw, &[0, 1500], &[true, false]);
            assert!(
                parts[0].end.abs_diff(at) <= 4 && parts[0].end == parts[1].begin,
                "{at}: {parts:?}"
            );
            let parts = super::parts(&raw, &[0, 1500], &[true, true]);
            assert_eq!(parts, [Part { begin: 0, end: 3000, model: true }]);
        }
    }
}
