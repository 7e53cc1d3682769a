//! A start state as the bytes of `start.bin` or `mixer.bin`.

use lmz::mix::Prior;
use lmz::mix::kernel::SETS;
use lmz::mix::observe::{END_INPUTS, LAST_WEIGHT, USED, Vector, WEIGHT};

/// All of a start state, little-endian, as docs/MIXING.md has it.
pub fn write(start: &Prior) -> Vec<u8> {
    let rounded = |x: f32| (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
    let weights = |families: &[Vec<Vector>], lanes: usize| -> Vec<u8> {
        let weights = families.iter().flatten().flat_map(|set| &set.0[..lanes]);
        weights.map(|w| rounded(w / WEIGHT).clamp(-127, 127) as i8 as u8).collect()
    };
    let last = |sets: &[[f32; SETS]]| -> Vec<u8> {
        let weights =
            sets.iter().flatten().map(|w| rounded(w / LAST_WEIGHT).clamp(-32767, 32767) as i16);
        weights.flat_map(i16::to_le_bytes).collect()
    };
    let mut out = Vec::new();
    out.extend((start.primer.len() as u16).to_le_bytes());
    out.extend(&start.primer);
    let row = if start.kind.corrects() { USED } else { 0 };
    let numbers =
        start.maps.iter().flat_map(|m| &m.0).chain(&start.right).chain(&start.row.0[..row]);
    out.extend(numbers.flat_map(|p| p.to_le_bytes()));
    out.extend(weights(&start.families, start.kind.lanes()));
    out.extend(last(&start.last));
    if let Some(ends) = &start.ends {
        let numbers = ends.maps.iter().flat_map(|m| &m.0).chain(&ends.copies);
        out.extend(numbers.flat_map(|p| p.to_le_bytes()));
        out.extend(weights(&ends.families, END_INPUTS));
        out.extend(last(&ends.last));
    }
    out
}
